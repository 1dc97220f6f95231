// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

var way = steer.Worker{
	Forward: steer.ForwardL2, IfIndex: 3, MTU: 1500, SrcMAC: steer.MAC{2, 0, 0, 0, 0, 1}, DstMAC: steer.MAC{2, 0, 0, 0, 0, 2},
}

func datagram(client, vip string, n int) transport.Datagram {
	return transport.Datagram{
		Remote: netip.MustParseAddrPort(client), Local: netip.MustParseAddrPort(vip),
		Data: bytes.Repeat([]byte("abcdefg"), n/7+1)[:n],
	}
}

// reassemble checks the frames and puts the UDP segment together again. outer is
// how long the headers between Ethernet and each IP packet are.
func reassemble(t *testing.T, frames [][]byte, outer int, v6 bool) []byte {
	t.Helper()
	var segment []byte
	for i, f := range frames {
		if !bytes.Equal(f[:6], way.DstMAC[:]) || !bytes.Equal(f[6:12], way.SrcMAC[:]) {
			t.Fatal("wrong MAC addresses")
		}
		ip, last := f[14+outer:], i == len(frames)-1
		if len(f)-14 > int(way.MTU) {
			t.Fatalf("fragment of %d bytes exceeds the MTU", len(ip))
		}
		off, more, part := 0, false, []byte(nil)
		if v6 {
			if int(binary.BigEndian.Uint16(ip[4:])) != len(ip)-40 {
				t.Fatal("wrong IPv6 payload length")
			}
			part = ip[40:]
			if ip[6] == 44 {
				flags := binary.BigEndian.Uint16(part[2:])
				off, more, part = int(flags&^7), flags&1 == 1, part[8:]
			}
		} else {
			if fold(sum(ip[:20], 0)) != 0xffff || int(binary.BigEndian.Uint16(ip[2:])) != len(ip) {
				t.Fatal("wrong IPv4 checksum or length")
			}
			flags := binary.BigEndian.Uint16(ip[6:])
			off, more, part = int(flags&0x1fff)*8, flags&0x2000 != 0, ip[20:]
		}
		if off != len(segment) || more == last {
			t.Fatalf("fragment %d: offset %d, more %v", i, off, more)
		}
		segment = append(segment, part...)
	}
	return segment
}

func TestFramesCarryTheDatagram(t *testing.T) {
	for _, c := range []struct {
		client, vip  string
		size, frames int
	}{
		{"198.51.100.7:4444", "192.0.2.10:5060", 300, 1},
		{"198.51.100.7:4444", "192.0.2.10:5060", 1472, 1},
		{"198.51.100.7:4444", "192.0.2.10:5060", 1473, 2},
		{"198.51.100.7:4444", "192.0.2.10:5060", 9001, 7},
		{"[2001:db8::7]:4444", "[2001:db8::10]:5060", 1452, 1},
		{"[2001:db8::7]:4444", "[2001:db8::10]:5060", 4000, 3},
	} {
		d := datagram(c.client, c.vip, c.size)
		frames, err := Frames(d, way, steer.Key{}, 77)
		if err != nil || len(frames) != c.frames {
			t.Fatalf("%d bytes: %d frames, %v; want %d", c.size, len(frames), err, c.frames)
		}
		src, dst := d.Remote.Addr(), d.Local.Addr()
		s := reassemble(t, frames, 0, src.Is6())
		if binary.BigEndian.Uint16(s) != 4444 || binary.BigEndian.Uint16(s[2:]) != 5060 || !bytes.Equal(s[8:], d.Data) {
			t.Fatalf("%d bytes: ports or payload changed", c.size)
		}
		acc := sum(src.AsSlice(), sum(dst.AsSlice(), 17+uint32(len(s))))
		if fold(sum(s, acc)) != 0xffff {
			t.Fatalf("%d bytes: wrong UDP checksum", c.size)
		}
	}
}

func TestFramesRefuseWhatDoesNotFit(t *testing.T) {
	for _, d := range []transport.Datagram{
		datagram("198.51.100.7:4444", "192.0.2.10:5060", 65515),
		datagram("198.51.100.7:4444", "[2001:db8::10]:5060", 10),
	} {
		if _, err := Frames(d, way, steer.Key{}, 1); !errors.Is(err, ErrTooLarge) {
			t.Fatalf("%s to %s, %d bytes: %v", d.Remote, d.Local, len(d.Data), err)
		}
	}
}

// Each fragment is a packet of the tunnel's, none is larger than the way allows.
func TestFramesInATunnel(t *testing.T) {
	for _, outer := range []struct {
		forward  steer.Forward
		src, dst string
		bytes    int
	}{
		{steer.ForwardIPIP, "10.0.0.1", "10.0.0.2", 20},
		{steer.ForwardIPIP, "fd00::1", "fd00::2", 40},
		{steer.ForwardGUE, "10.0.0.1", "10.0.0.2", 28},
		{steer.ForwardGUE, "fd00::1", "fd00::2", 48},
	} {
		w := way
		w.Forward, w.Port, w.Src, w.Dst = outer.forward, 6080, netip.MustParseAddr(outer.src), netip.MustParseAddr(outer.dst)
		for size, count := range map[int]int{1400: 1, 1481: 2, 4000: 3} {
			for _, d := range []transport.Datagram{
				datagram("198.51.100.7:4444", "192.0.2.10:5060", size),
				datagram("[2001:db8::7]:4444", "[2001:db8::10]:5060", size),
			} {
				frames, err := Frames(d, w, steer.Key{}, 77)
				if err != nil || len(frames) != count {
					t.Fatalf("%s over %s, %d bytes: %d frames, %v; want %d", w.Forward, outer.dst, size, len(frames), err, count)
				}
				if s := reassemble(t, frames, outer.bytes, d.Remote.Addr().Is6()); !bytes.Equal(s[8:], d.Data) {
					t.Fatalf("%s over %s, %d bytes: payload changed", w.Forward, outer.dst, size)
				}
			}
		}
	}
}

func TestDeliverWithoutAWay(t *testing.T) {
	r := NewRemote(nil, netip.MustParseAddr("192.0.2.21"), steer.Secret{})
	if err := r.Deliver(datagram("198.51.100.7:4444", "192.0.2.10:5060", 10)); !errors.Is(err, ErrNoHop) {
		t.Fatalf("delivering without a next hop: %v", err)
	}
}
