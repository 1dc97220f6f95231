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
	case d.length < udpLen || d.length > d.room || d.ip+d.total > len(frame):
		return stop(frame, DropBadLength)
	case service.Kind == ServiceWorkerPort:
		return stop(frame, DropWorkerPort)
	}
	outcome, trusted := t.judgeSource(d.src)
	if outcome != Undecided {
		return stop(frame, outcome)
	}

	m := Scan(frame[d.udp+udpLen : d.udp+d.length])
	if m.Unjudged == Undecided && m.Initial() && !trusted {
		if outcome := t.Sources.Pay(d.src, service.ID, t.NowNS); outcome != Undecided {
			return stop(frame, outcome)
		}
	}
	if service.Policy == PolicyDirect && m.Unjudged == Undecided {
		return frameDirect(frame, d, m, service, ifindex, t)
	}
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
	if o := d.hindrance(frame, w, t.PartialChecksums); o != Undecided {
		return d.hindered(frame, o, w)
	}
	pin.Note(m, t.NowNS)
	out := d.forward(frame, ifindex, w, v.Key)
	out.Key, out.Worker = v.Key, v.Pin.Worker
	return out
}

// frameDirect does what Frame does with a message that could be judged, under policy direct.
func frameDirect(frame []byte, d datagram, m Message, s Service, ifindex uint32, t Tables) FrameVerdict {
	t.Direct.Pin, t.Direct.NowNS = t.Pin, t.NowNS
	t.Direct.Alive = func(id uint32) bool {
		w, ok := t.Worker(id)
		return ok && w.Forward != ForwardNone
	}
	key := s.Secret.Key(m.CallID)
	id := Direct(key, m, d.src, s, t.Direct)
	w, ok := t.Worker(id)
	if id == 0 || !ok {
		return stop(frame, PassNoWorker)
	}
	if o := d.hindrance(frame, w, t.PartialChecksums); o != Undecided {
		return d.hindered(frame, o, w)
	}
	out := d.forward(frame, ifindex, w, key)
	out.Key, out.Worker = key, id
	return out
}

func (t *Tables) judgeSource(from netip.Addr) (o Outcome, trusted bool) {
	if t.Sources == nil {
		return Undecided, true
	}
	return t.Sources.Judge(from, t.NowNS)
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
	src    netip.Addr
	v6     bool
	ip     int // offset of the IP header
	total  int // of the IP packet, as its header says
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
	d.ip = ip
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
	d.src = netip.AddrFrom4([4]byte(p[12:16]))
	d.total = int(binary.BigEndian.Uint16(p[2:]))
	d.room = d.total - ipv4Len
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
	d.src = netip.AddrFrom16([16]byte(p[8:24])).Unmap()
	d.v6 = true
	d.total = ipv6Len + int(binary.BigEndian.Uint16(p[4:]))
	d.room = d.total - d.udp
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

// hindrance says why a packet cannot go its way to a worker on another host; Undecided when it can.
func (d *datagram) hindrance(frame []byte, w Worker, partial bool) Outcome {
	switch {
	case w.Forward == ForwardLocal:
		return Undecided
	case partial && d.partialChecksum(frame):
		return PassPartialChecksum
	case w.MTU == 0 || d.total+w.Overhead() <= int(w.MTU):
		return Undecided
	case d.v6 && int(w.MTU) >= ipv6MinMTU+w.Overhead(), !d.v6 && frame[d.ip+6]&0x40 != 0:
		return DropTooBig
	}
	return PassTooBig
}

func (d *datagram) hindered(frame []byte, o Outcome, w Worker) FrameVerdict {
	if o != DropTooBig {
		return stop(frame, o)
	}
	return FrameVerdict{Action: XDPTX, Outcome: o, Frame: tooBig(frame, d.ip, int(w.MTU)-w.Overhead(), d.v6)}
}

// partialChecksum tells a checksum that holds the sum over the pseudo header alone, as a sender leaves it that counts
// on its device for the rest.
func (d *datagram) partialChecksum(frame []byte) bool {
	addresses := frame[d.ip+12 : d.ip+20]
	if d.v6 {
		addresses = frame[d.ip+8 : d.ip+40]
	}
	return binary.BigEndian.Uint16(frame[d.udp+6:]) == onesSum(addresses, uint32(d.length)+protoUDP)
}

func (d *datagram) forward(frame []byte, ifindex uint32, w Worker, key Key) FrameVerdict {
	if w.Forward == ForwardLocal {
		out := append([]byte(nil), frame...)
		rewritePort(out[d.udp:], w.Port)
		return FrameVerdict{Action: XDPPass, Outcome: SteerLocal, Frame: out}
	}
	v := FrameVerdict{Action: XDPRedirect, Outcome: SteerL2Redirect, Frame: w.AppendFrame(nil, frame[d.ip:], key)}
	if w.IfIndex == ifindex {
		v.Action, v.Outcome = XDPTX, SteerL2TX
	}
	switch w.Forward {
	case ForwardIPIP:
		v.Outcome = SteerIPIP
	case ForwardGUE:
		v.Outcome = SteerGUE
	}
	return v
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
