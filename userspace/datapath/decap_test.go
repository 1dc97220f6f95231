// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

func openTestDecap(t *testing.T, cfg DecapConfig) *Decap {
	t.Helper()
	needRoot(t)
	d, err := loadDecap(cfg)
	must(t, err)
	t.Cleanup(func() { must(t, d.objs.Close()) })
	must(t, setAddresses(d.objs.Ends, []netip.Addr{steertest.Tunnel4, steertest.Tunnel6}))
	return d
}

func (d *Decap) run(t *testing.T, frame []byte) ([]byte, DecapCounters) {
	t.Helper()
	before, err := d.Counters()
	must(t, err)
	opts := ebpf.RunOptions{Data: frame, DataOut: make([]byte, len(frame)+256)}
	action, err := d.objs.Decap.Run(&opts)
	must(t, err)
	if steer.XDPAction(action) != steer.XDPPass {
		t.Fatalf("XDP action %d, want pass", action)
	}
	after, err := d.Counters()
	must(t, err)
	return opts.DataOut, DecapCounters{
		after.Other - before.Other, after.IPIP - before.IPIP, after.GUE - before.GUE,
		after.NotFrom - before.NotFrom, after.NotVIP - before.NotVIP, after.Odd - before.Odd,
	}
}

// l2 is how long the Ethernet header with its tags is.
func l2(w steer.Worker) int {
	n := 14
	for _, tag := range w.Tags {
		if tag.Protocol != 0 {
			n += 4
		}
	}
	return n
}

// What goes into a tunnel comes out of it as it was, behind the Ethernet header that it travelled with.
func TestDecapUndoesEveryTunnel(t *testing.T) {
	vips := []netip.Addr{steertest.VIP.Addr(), steertest.VIP6.Addr()}
	config := func(port uint16) DecapConfig { return DecapConfig{IPIP: true, GUEPort: port, VIPs: vips} }
	byPort := map[uint16]*Decap{steertest.GUEPort: openTestDecap(t, config(steertest.GUEPort)), 16080: openTestDecap(t, config(16080))}
	seen := 0
	for _, c := range steertest.Cases() {
		if c.Outcome != steer.SteerIPIP && c.Outcome != steer.SteerGUE {
			continue
		}
		seen++
		t.Run(c.Name, func(t *testing.T) {
			w := steertest.Workers()[c.Pin.Worker]
			want := DecapCounters{IPIP: 1}
			d := byPort[steertest.GUEPort]
			if w.Forward == steer.ForwardGUE {
				want, d = DecapCounters{GUE: 1}, byPort[w.Port]
			}
			got, n := d.run(t, c.Want)
			if n != want {
				t.Fatalf("counted %+v, want %+v", n, want)
			}
			inner := c.Want[l2(w)+w.Overhead():]
			expect := append(bytes.Clone(c.Want[:l2(w)]), inner...)
			copy(expect[l2(w)-2:], map[bool][]byte{true: {0x86, 0xdd}, false: {0x08, 0x00}}[inner[0]>>4 == 6])
			if !bytes.Equal(got, expect) {
				t.Errorf("leaves\n%x, want\n%x", got, expect)
			}
		})
	}
	if seen < 40 {
		t.Errorf("only %d tunnelled packets in the table", seen)
	}
}

func TestDecapLeavesTheRestAlone(t *testing.T) {
	packet := func(dst netip.AddrPort) []byte {
		return steertest.Packet{Src: steertest.Client, Dst: dst, Payload: steertest.Request("INFO").String()}.Frame()[14:]
	}
	workers := steertest.Workers()
	ipip, gue := workers[steertest.WorkerIPIP4], workers[steertest.WorkerNarrow6]
	stranger := ipip
	stranger.Src = netip.MustParseAddr("203.0.113.99")
	elsewhere := ipip
	elsewhere.Dst = netip.MustParseAddr("203.0.113.22")
	change := func(frame []byte, f func([]byte)) []byte { f(frame); return frame }
	wrap := func(w steer.Worker, dst netip.AddrPort) []byte { return w.AppendFrame(nil, packet(dst), steer.Key{}) }
	at := l2(ipip)
	variant0 := append(bytes.Clone(wrap(gue, steertest.VIP)[:l2(gue)+48]), append([]byte{0, 4, 0, 0}, packet(steertest.VIP)...)...)
	d := openTestDecap(t, DecapConfig{
		IPIP: true, GUEPort: steertest.GUEPort, VIPs: []netip.Addr{steertest.VIP.Addr()},
		From: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParsePrefix("2001:db8:2::/64")},
	})
	for _, c := range []struct {
		name  string
		frame []byte
		want  DecapCounters
	}{
		{"not a tunnel", steertest.Packet{Src: steertest.Client, Dst: steertest.VIP, Payload: "x"}.Frame(), DecapCounters{Other: 1}},
		{"another host's tunnel", wrap(elsewhere, steertest.VIP), DecapCounters{Other: 1}},
		{"another UDP port", change(wrap(gue, steertest.VIP), func(f []byte) { f[l2(gue)+43]++ }), DecapCounters{Other: 1}},
		{"a stranger's", wrap(stranger, steertest.VIP), DecapCounters{NotFrom: 1}},
		{"for no VIP", wrap(ipip, netip.MustParseAddrPort("192.0.2.77:5060")), DecapCounters{NotVIP: 1}},
		{"a fragment", change(wrap(ipip, steertest.VIP), func(f []byte) { f[at+6] = 0x20 }), DecapCounters{Odd: 1}},
		{"a GUE control message", change(bytes.Clone(variant0), func(f []byte) { f[l2(gue)+48] = 0x20 }), DecapCounters{Odd: 1}},
		{"GUE with optional fields", change(bytes.Clone(variant0), func(f []byte) { f[l2(gue)+48] = 1 }), DecapCounters{Odd: 1}},
		{"cut in the inner header", wrap(ipip, steertest.VIP)[:at+20+10], DecapCounters{Odd: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, n := d.run(t, c.frame); n != c.want || !bytes.Equal(got, c.frame) {
				t.Errorf("counted %+v, want %+v; changed: %v", n, c.want, !bytes.Equal(got, c.frame))
			}
		})
	}
	got, n := d.run(t, variant0)
	if n != (DecapCounters{GUE: 1}) || !bytes.HasSuffix(got, packet(steertest.VIP)) || len(got) != 14+len(packet(steertest.VIP)) {
		t.Errorf("variant 0 of GUE: counted %+v, %x", n, got)
	}
}
