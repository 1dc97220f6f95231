// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"encoding/binary"
	"strings"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// sent is the frame of a packet that goes to a worker on another host, in the words of RFC 2003, RFC 2473 and GUE.
func sent(w steer.Worker, p Packet, key steer.Key) []byte {
	p.VLAN, p.InnerVLAN = 0, 0
	plain := p.Frame()
	inner := plain[14:]
	f := append(append([]byte{}, w.DstMAC[:]...), w.SrcMAC[:]...)
	for _, t := range w.Tags {
		if t.Protocol != 0 {
			f = append(f, byte(t.Protocol>>8), byte(t.Protocol), byte(t.Tag>>8), byte(t.Tag))
		}
	}
	if w.Forward == steer.ForwardL2 {
		return append(append(f, plain[12:14]...), inner...)
	}
	length := len(inner) - p.Trailer
	protocol := map[bool]byte{true: 4, false: 41}[p.Dst.Addr().Is4()]
	var udp []byte
	if w.Forward == steer.ForwardGUE {
		udp = []byte{0xc0 | key[0]&0x3f, key[1], byte(w.Port >> 8), byte(w.Port), byte((length + 8) >> 8), byte(length + 8), 0, 0}
		protocol = 17
	}
	length += len(udp)
	src := w.Src.AsSlice()
	src[len(src)-2] |= byte(w.Spread>>8) & key[2]
	src[len(src)-1] |= byte(w.Spread) & key[3]
	addresses := append(src, w.Dst.AsSlice()...)
	dscp := p.TOS &^ 3
	if w.Dst.Is4() {
		ip := []byte{0x45, dscp, byte((length + 20) >> 8), byte(length + 20), 0, 0, 0x40, 0, 64, protocol, 0, 0}
		ip = append(ip, addresses...)
		binary.BigEndian.PutUint16(ip[10:], ^onesSum(ip))
		f = append(append(f, 0x08, 0x00), ip...)
	} else {
		first := 6<<28 | uint32(dscp)<<20 | uint32(key[4]&0xf)<<16 | uint32(key[5])<<8 | uint32(key[6])
		ip := binary.BigEndian.AppendUint32(nil, first)
		ip = append(ip, byte(length>>8), byte(length), protocol, 64)
		f = append(append(append(f, 0x86, 0xdd), ip...), addresses...)
	}
	return append(append(f, udp...), inner...)
}

// tunnelCases are about what does not fit the way, and about checksums that the sender has not finished.
func tunnelCases() []Case {
	info := Request("INFO").String()
	fill := func(p Packet, ip int) Packet {
		header := 28
		if p.Dst.Addr().Is6() {
			header = 48
		}
		p.Payload += strings.Repeat("x", ip-header-len(p.Payload))
		return p
	}
	v4, v6 := toVIP(info), Packet{Src: Client6, Dst: VIP6, Payload: info}
	whole := v4
	whole.Fragment = 0x4000
	tagged := whole
	tagged.VLAN, tagged.InnerVLAN = 0x88a8, 0x8100
	var cases []Case
	for _, s := range []struct {
		name   string
		p      Packet
		worker uint32
		o      steer.Outcome
		mtu    uint16 // that the sender is told
	}{
		{"a packet that just fits the way", fill(whole, 1480), WorkerNarrow4, steer.SteerIPIP, 0},
		{"a packet one byte too big", fill(whole, 1481), WorkerNarrow4, steer.DropTooBig, 1480},
		{"a packet too big, behind two tags", fill(tagged, 1500), WorkerNarrow4, steer.DropTooBig, 1480},
		{"a packet too big by far, of several buffers", fill(whole, 8000), WorkerNarrow4, steer.DropTooBig, 1480},
		{"a packet too big that may be cut", fill(v4, 1481), WorkerNarrow4, steer.PassTooBig, 0},
		{"an IPv6 packet too big", fill(v6, 1481), WorkerNarrow4, steer.DropTooBig, 1480},
		{"an IPv6 packet too big for a way below IPv6's least", fill(v6, 1233), WorkerNarrow6, steer.PassTooBig, 0},
		{"an IPv4 packet too big for the same way", fill(whole, 1233), WorkerNarrow6, steer.DropTooBig, 1232},
		{"an IPv6 packet that just fits the same way", fill(v6, 1232), WorkerNarrow6, steer.SteerGUE, 0},
		{"a jumbo packet for a small link", fill(whole, 1501), WorkerNarrowL2, steer.DropTooBig, 1500},
		{"a packet that just fits a small link", fill(whole, 1500), WorkerNarrowL2, steer.SteerL2Redirect, 0},
	} {
		pin := Pin(s.worker)
		c := newCase(s.name, s.p, &pin)
		switch s.o {
		case steer.DropTooBig:
			c.Action, c.Outcome, c.Want = steer.XDPTX, s.o, told(s.p, s.mtu)
		case steer.PassTooBig:
			c = c.stopped(s.o)
		default:
			c = c.steered(s.p)
			c.WantPin.Requests = 1
		}
		cases = append(cases, c)
	}
	for _, p := range []Packet{v4, v6} {
		p.Partial = true
		for _, worker := range []uint32{WorkerTX, WorkerIPIP4, WorkerGUE6} {
			pin := Pin(worker)
			cases = append(cases, newCase("unfinished checksum from "+p.Src.String()+" to "+ways[worker], p, &pin).stopped(steer.PassPartialChecksum))
		}
	}
	return cases
}

// told is the frame by which the sender of a packet learns how large it may be (RFC 1191, RFC 8201).
func told(p Packet, mtu uint16) []byte {
	f := p.Frame()
	l2 := 14
	for _, tag := range []uint16{p.VLAN, p.InnerVLAN} {
		if tag != 0 {
			l2 += 4
		}
	}
	back := append(append(append([]byte{}, f[6:12]...), f[:6]...), f[12:l2]...)
	quote := f[l2 : l2+128]
	src, dst := p.Dst.Addr().AsSlice(), p.Src.Addr().AsSlice()
	if p.Dst.Addr().Is4() {
		ip := append(append([]byte{0x45, 0, 0, 156, 0, 0, 0, 0, 64, 1, 0, 0}, src...), dst...)
		binary.BigEndian.PutUint16(ip[10:], ^onesSum(ip))
		icmp := append([]byte{3, 4, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)}, quote...)
		binary.BigEndian.PutUint16(icmp[2:], ^onesSum(icmp))
		return append(append(back, ip...), icmp...)
	}
	ip := append(append([]byte{0x60, 0, 0, 0, 0, 136, 58, 64}, src...), dst...)
	icmp := append([]byte{2, 0, 0, 0, 0, 0, byte(mtu >> 8), byte(mtu)}, quote...)
	pseudo := append(append(append([]byte{}, src...), dst...), 0, 0, 0, 136, 0, 0, 0, 58)
	binary.BigEndian.PutUint16(icmp[2:], ^onesSum(append(pseudo, icmp...)))
	return append(append(back, ip...), icmp...)
}
