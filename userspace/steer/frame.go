// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"encoding/binary"
	"net/netip"
)

// XDPAction is what an XDP program returns.
type XDPAction uint32

// The actions; enum xdp_action of the kernel.
const (
	XDPAborted XDPAction = iota
	XDPDrop
	XDPPass
	XDPTX
	XDPRedirect
)

// FrameVerdict is what becomes of an Ethernet frame.
type FrameVerdict struct {
	Action  XDPAction
	Outcome Outcome
	Frame   []byte // as it leaves: the frame given, or a changed copy
	Key     Key    // set from PassNoPin on: when a pin was looked for
	Worker  uint32 // steered to; 0 when it was not
}

const (
	ethLen  = 14
	vlanLen = 4
	ipv4Len = 20
	ipv6Len = 40
	udpLen  = 8
)

// Frame judges a whole Ethernet frame as the XDP program does, notes it in its pin, and returns the frame as it leaves.
// ifindex is the interface it came in by.
func Frame(frame []byte, ifindex uint32, t Tables) FrameVerdict {
	d, outcome := parseFrame(frame)
	if outcome != Undecided {
		return stop(frame, outcome)
	}
	service, ok := t.Service(d.dst)
	switch {
	case !ok:
		return stop(frame, PassNotOurs)
	case d.length < udpLen || d.length > d.room || d.udp+d.length > len(frame):
		return stop(frame, DropBadLength)
	case service.Kind == ServiceWorkerPort:
		return stop(frame, DropWorkerPort)
	}

	m := Scan(frame[d.udp+udpLen : d.udp+d.length])
	var pin *Pin
	v := Decide(m, func(k Key) (Pin, bool) {
		if pin = t.Pin(k); pin == nil {
			return Pin{}, false
		}
		return *pin, true
	}, service.Secret)
	if v.Action != ActionSteer {
		return stop(frame, v.Outcome)
	}
	w, ok := t.Worker(v.Pin.Worker)
	if !ok || w.Forward == ForwardNone {
		return stop(frame, PassNoWorker)
	}
	pin.Note(m, t.NowNS)
	out := forwardFrame(frame, d.udp, ifindex, w)
	out.Key, out.Worker = v.Key, v.Pin.Worker
	return out
}

func stop(frame []byte, o Outcome) FrameVerdict {
	action := XDPPass
	if o.Action() == ActionDrop {
		action = XDPDrop
	}
	return FrameVerdict{Action: action, Outcome: o, Frame: frame}
}

// datagram is what parsing leaves of the layers below SIP.
type datagram struct {
	dst    netip.AddrPort
	udp    int // offset of the UDP header
	length int // of header and payload, as the UDP header says
	room   int // for these, as the IP header says
}

func parseFrame(f []byte) (datagram, Outcome) {
	if len(f) < ethLen {
		return datagram{}, PassNotOurs
	}
	ip := ethLen
	kind := binary.BigEndian.Uint16(f[12:])
	for tags := 0; tags < 2 && (kind == 0x8100 || kind == 0x88a8); tags++ {
		if len(f) < ip+vlanLen {
			return datagram{}, PassNotOurs
		}
		kind = binary.BigEndian.Uint16(f[ip+2:])
		ip += vlanLen
	}
	var d datagram
	outcome := PassNotOurs
	var dst netip.Addr
	switch kind {
	case 0x0800:
		dst, outcome = d.parseIPv4(f[ip:])
	case 0x86dd:
		dst, outcome = d.parseIPv6(f[ip:])
	}
	if outcome != Undecided {
		return d, outcome
	}
	d.udp += ip
	if len(f) < d.udp+udpLen {
		return d, PassNotOurs
	}
	d.dst = netip.AddrPortFrom(dst.Unmap(), binary.BigEndian.Uint16(f[d.udp+2:]))
	d.length = int(binary.BigEndian.Uint16(f[d.udp+4:]))
	return d, Undecided
}

const protoUDP = 17

func (d *datagram) parseIPv4(p []byte) (netip.Addr, Outcome) {
	switch {
	case len(p) < ipv4Len || p[9] != protoUDP || p[0]>>4 != 4:
		return netip.Addr{}, PassNotOurs
	case p[0] != 0x45:
		return netip.Addr{}, PassIPOptions
	case binary.BigEndian.Uint16(p[6:])&0x3fff != 0:
		return netip.Addr{}, PassFragment
	}
	d.udp = ipv4Len
	d.room = int(binary.BigEndian.Uint16(p[2:])) - ipv4Len
	return netip.AddrFrom4([4]byte(p[16:20])), Undecided
}

func (d *datagram) parseIPv6(p []byte) (netip.Addr, Outcome) {
	if len(p) < ipv6Len || p[0]>>4 != 6 {
		return netip.Addr{}, PassNotOurs
	}
	next, skipped := skipExtensions(p[6], p[ipv6Len:])
	switch next {
	case protoUDP:
	case ipv6Fragment:
		return netip.Addr{}, PassFragment
	case ipv6HopByHop, ipv6Routing, ipv6Auth, ipv6Destination, ipv6Mobility:
		return netip.Addr{}, PassIPv6Ext
	default:
		return netip.Addr{}, PassNotOurs
	}
	d.udp = ipv6Len + skipped
	d.room = int(binary.BigEndian.Uint16(p[4:])) - skipped
	return netip.AddrFrom16([16]byte(p[24:40])), Undecided
}

// Extension headers of IPv6, and how many and how long ones are walked over, as in C.
const (
	ipv6HopByHop    = 0
	ipv6Routing     = 43
	ipv6Fragment    = 44
	ipv6Auth        = 51
	ipv6Destination = 60
	ipv6Mobility    = 135

	ipv6ExtMax   = 4
	ipv6ExtUnits = 31
)

// skipExtensions walks over the headers that change nothing for us: options, and routes whose end is here (RFC 8200
// §4). It gives the protocol that follows and the length of what it passed, which may lie beyond the packet.
func skipExtensions(next byte, p []byte) (protocol byte, skipped int) {
	for i := range ipv6ExtMax {
		if next != ipv6Destination && next != ipv6Routing && (next != ipv6HopByHop || i > 0) {
			break
		}
		if len(p) < skipped+8 {
			break
		}
		h := p[skipped:]
		if h[1] > ipv6ExtUnits || next == ipv6Routing && h[3] != 0 {
			break
		}
		next = h[0]
		skipped += 8 + 8*int(h[1])
	}
	return next, skipped
}

func forwardFrame(frame []byte, udp int, ifindex uint32, w Worker) FrameVerdict {
	out := append([]byte(nil), frame...)
	if w.Forward == ForwardLocal {
		rewritePort(out[udp:], w.Port)
		return FrameVerdict{Action: XDPPass, Outcome: SteerLocal, Frame: out}
	}
	copy(out, w.DstMAC[:])
	copy(out[6:], w.SrcMAC[:])
	if w.IfIndex == ifindex {
		return FrameVerdict{Action: XDPTX, Outcome: SteerL2TX, Frame: out}
	}
	return FrameVerdict{Action: XDPRedirect, Outcome: SteerL2Redirect, Frame: out}
}

// rewritePort sets the destination port and corrects the checksum (RFC 1624). A checksum of 0 was never computed.
func rewritePort(udp []byte, port uint16) {
	was := binary.BigEndian.Uint16(udp[2:])
	binary.BigEndian.PutUint16(udp[2:], port)
	checksum := binary.BigEndian.Uint16(udp[6:])
	if checksum == 0 {
		return
	}
	sum := uint32(^checksum) + uint32(^was) + uint32(port)
	sum = sum&0xffff + sum>>16
	sum = sum&0xffff + sum>>16
	if checksum = ^uint16(sum); checksum == 0 {
		checksum = 0xffff
	}
	binary.BigEndian.PutUint16(udp[6:], checksum)
}
