// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

func capturePcap(t *testing.T, link layers.LinkType, packets ...[]byte) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriter(&b)
	if err := w.WriteFileHeader(65536, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		if err := w.WritePacket(gopacket.CaptureInfo{CaptureLength: len(p), Length: len(p)}, p); err != nil {
			t.Fatal(err)
		}
	}
	return &b
}

func readAll(t *testing.T, b *bytes.Buffer) (all []Packet, skipped int, err error) {
	t.Helper()
	skipped, err = Read("f", b, func(p Packet) bool { return p.Destination.Port() == 5060 }, func(p Packet) error {
		all = append(all, p)
		return nil
	})
	return all, skipped, err
}

func bye4() steertest.Packet {
	return steertest.Packet{Src: steertest.Client, Dst: steertest.VIP, Payload: steertest.Request("BYE").String()}
}

func bye6() steertest.Packet {
	return steertest.Packet{Src: steertest.Client6, Dst: steertest.VIP6, Payload: steertest.Request("BYE").String()}
}

func TestCapturesOfEveryLinkTypeAreRead(t *testing.T) {
	vlan := bye4()
	vlan.VLAN = 0x8100
	ip4, ip6 := bye4().Frame()[14:], bye6().Frame()[14:]
	cooked := func(at, length int, kind uint16, ip []byte) []byte {
		h := make([]byte, length)
		binary.BigEndian.PutUint16(h[at:], kind)
		return append(h, ip...)
	}
	for _, c := range []struct {
		name   string
		link   layers.LinkType
		packet []byte
		six    bool
	}{
		{"Ethernet", layers.LinkTypeEthernet, bye4().Frame(), false},
		{"Ethernet, IPv6", layers.LinkTypeEthernet, bye6().Frame(), true},
		{"VLAN", layers.LinkTypeEthernet, vlan.Frame(), false},
		{"raw", layers.LinkTypeRaw, ip4, false},
		{"raw, IPv6", layers.LinkTypeRaw, ip6, true},
		{"raw of BSD", linkTypeRawBSD, ip4, false},
		{"IPv6 alone", layers.LinkTypeIPv6, ip6, true},
		{"null", layers.LinkTypeNull, append([]byte{2, 0, 0, 0}, ip4...), false},
		{"null, IPv6 of macOS", layers.LinkTypeNull, append([]byte{30, 0, 0, 0}, ip6...), true},
		{"loop", layers.LinkTypeLoop, append([]byte{0, 0, 0, 24}, ip6...), true},
		{"Linux cooked", layers.LinkTypeLinuxSLL, cooked(14, 16, 0x0800, ip4), false},
		{"Linux cooked 2", layers.LinkTypeLinuxSLL2, cooked(0, 20, 0x86dd, ip6), true},
	} {
		all, skipped, err := readAll(t, capturePcap(t, c.link, c.packet))
		if err != nil || skipped != 0 || len(all) != 1 {
			t.Errorf("%s: %d messages, %d left out, %v", c.name, len(all), skipped, err)
			continue
		}
		p, want := all[0], bye4()
		if c.six {
			want = bye6()
		}
		if p.Number != 1 || p.Source != want.Src || p.Destination != want.Dst || string(p.Payload) != want.Payload {
			t.Errorf("%s: %+v", c.name, p)
		}
		if x := explained(t, Explainer{}, p); x.Verdict != "pass_no_pin" || x.CallID != steertest.CallID {
			t.Errorf("%s: %+v", c.name, x)
		}
	}
}

func TestPcapngIsReadWithInterfacesOfDifferentKinds(t *testing.T) {
	var b bytes.Buffer
	w, err := pcapgo.NewNgWriter(&b, layers.LinkTypeEthernet)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := w.AddInterface(pcapgo.NgInterface{LinkType: layers.LinkTypeRaw, SnapLength: 65536})
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range [][]byte{bye4().Frame(), bye6().Frame()[14:]} {
		info := gopacket.CaptureInfo{CaptureLength: len(p), Length: len(p), InterfaceIndex: i * raw}
		if err := w.WritePacket(info, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	all, _, err := readAll(t, &b)
	if err != nil || len(all) != 2 || all[0].Destination != steertest.VIP || all[1].Destination != steertest.VIP6 || all[1].Number != 2 {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestWhatIsNoSIPIsLeftOut(t *testing.T) {
	dns, tcp, keepalive := bye4(), bye4(), bye4()
	dns.Dst, dns.Payload = steertest.Client, "\x12\x34 dns"
	tcp.Protocol = 6
	keepalive.Payload = "\r\n\r\n"
	all, skipped, err := readAll(t, capturePcap(t, layers.LinkTypeEthernet, dns.Frame(), tcp.Frame(), keepalive.Frame(), []byte{1}))
	if err != nil || skipped != 3 || len(all) != 1 || all[0].Number != 3 {
		t.Errorf("%d left out, %+v, %v", skipped, all, err)
	}
}

// fragments cuts an IPv4 packet behind its header every size bytes.
func fragments(frame []byte, size int) (all [][]byte) {
	header, data := frame[:34], frame[34:]
	for at := 0; at < len(data); at += size {
		end := min(at+size, len(data))
		f := append(slices.Clone(header), data[at:end]...)
		field := uint16(at / 8)
		if end < len(data) {
			field |= 0x2000
		}
		binary.BigEndian.PutUint16(f[16:], uint16(20+end-at))
		binary.BigEndian.PutUint16(f[20:], field)
		all = append(all, f)
	}
	return all
}

func TestFragmentsArePutTogetherInAnyOrder(t *testing.T) {
	parts := fragments(bye4().Frame(), 128)
	if len(parts) != 4 {
		t.Fatalf("%d fragments", len(parts))
	}
	for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}} {
		var shuffled [][]byte
		for _, i := range order {
			shuffled = append(shuffled, parts[i])
		}
		all, _, err := readAll(t, capturePcap(t, layers.LinkTypeEthernet, shuffled...))
		if err != nil || len(all) != 4 {
			t.Fatalf("%v: %d, %v", order, len(all), err)
		}
		for i, p := range all {
			x := explained(t, Explainer{}, p)
			whole := i == 3
			if x.Verdict != "pass_fragment" || (x.CallID == steertest.CallID) != whole || p.Incomplete == whole {
				t.Errorf("%v, packet %d: %+v", order, i+1, x)
			}
			if whole && (string(p.Payload) != bye4().Payload || !strings.Contains(x.Hint, "packets")) {
				t.Errorf("%v: payload %q, hint %q", order, p.Payload, x.Hint)
			}
		}
	}
}

func TestABrokenCaptureIsAnErrorThatNamesThePacket(t *testing.T) {
	whole := capturePcap(t, layers.LinkTypeEthernet, bye4().Frame(), bye4().Frame()).Bytes()
	all, _, err := readAll(t, bytes.NewBuffer(whole[:len(whole)-10]))
	if err == nil || !strings.Contains(err.Error(), "packet 2") || len(all) != 1 {
		t.Errorf("got %d messages, %v", len(all), err)
	}
	if _, _, err := readAll(t, bytes.NewBuffer(whole[:10])); err == nil {
		t.Error("a header cut short is no error")
	}
	if _, _, err = readAll(t, capturePcap(t, layers.LinkTypeIEEE802_11, bye4().Frame())); err == nil || !strings.Contains(err.Error(), "105") {
		t.Errorf("link type: %v", err)
	}
	if _, _, err = readAll(t, bytes.NewBuffer(make([]byte, MaxPayload+1))); err == nil {
		t.Error("a file too long for a datagram is no error")
	}
}

func FuzzRead(f *testing.F) {
	for _, p := range fragments(bye4().Frame(), 128) {
		f.Add(p, uint16(layers.LinkTypeEthernet))
	}
	f.Add(bye6().Frame(), uint16(layers.LinkTypeEthernet))
	f.Add(bye4().Frame()[14:], uint16(layers.LinkTypeRaw))
	f.Fuzz(func(t *testing.T, packet []byte, link uint16) {
		if len(packet) == 0 || len(packet) > 65536 {
			return
		}
		all, skipped, err := readAll(t, capturePcap(t, layers.LinkType(link), packet))
		if err == nil && len(all)+skipped != 1 {
			t.Fatalf("%d messages, %d left out", len(all), skipped)
		}
		for _, p := range all {
			if x := explained(t, Explainer{}, p); x.Verdict == "" || x.Reason == "" {
				t.Fatal(fmt.Sprint(x))
			}
		}
	})
}
