// SPDX-License-Identifier: Apache-2.0

package steer

import "encoding/binary"

const (
	protoIPIP   = 4
	protoIPv6   = 41
	protoICMP   = 1
	protoICMPv6 = 58
	tunnelTTL   = 64
	ipv6MinMTU  = 1280   // nobody may be asked to send less (RFC 8200 §5)
	guePort     = 0xc000 // first of the 16384 source ports that calls are spread over
	icmpQuote   = 128    // bytes of a packet too big that its sender gets back
)

// Overhead is how many bytes the way to the worker puts before an IP packet, behind Ethernet.
func (w Worker) Overhead() int {
	n := 0
	switch {
	case w.Forward != ForwardIPIP && w.Forward != ForwardGUE:
		return 0
	case w.Dst.Is4():
		n = ipv4Len
	default:
		n = ipv6Len
	}
	if w.Forward == ForwardGUE {
		n += udpLen
	}
	return n
}

// AppendFrame appends the Ethernet frame that carries an IP packet to a worker on another host. What follows the packet
// in the slice stays behind it. key is the call's, by which tunnels are spread over ways and queues.
func (w Worker) AppendFrame(f, packet []byte, key Key) []byte {
	v6 := packet[0]>>4 == 6
	f = append(append(f, w.DstMAC[:]...), w.SrcMAC[:]...)
	for _, t := range w.Tags {
		if t.Protocol != 0 {
			f = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(f, t.Protocol), t.Tag)
		}
	}
	outerV6 := v6
	if w.Overhead() > 0 {
		outerV6 = w.Dst.Is6()
	}
	if outerV6 {
		f = binary.BigEndian.AppendUint16(f, 0x86dd)
	} else {
		f = binary.BigEndian.AppendUint16(f, 0x0800)
	}
	if w.Overhead() > 0 {
		f = w.appendOuter(f, packet, v6, key)
	}
	return append(f, packet...)
}

func (w Worker) appendOuter(f, packet []byte, v6 bool, key Key) []byte {
	length, protocol, dscp := 0, byte(protoIPIP), packet[1]&0xfc
	if v6 {
		length, protocol = ipv6Len+int(binary.BigEndian.Uint16(packet[4:])), protoIPv6
		dscp = (packet[0]<<4 | packet[1]>>4) & 0xfc
	} else {
		length = int(binary.BigEndian.Uint16(packet[2:]))
	}
	if w.Forward == ForwardGUE {
		length, protocol = length+udpLen, protoUDP
	}
	if w.Dst.Is4() {
		f = w.appendIPv4(f, length, protocol, dscp, key)
	} else {
		f = w.appendIPv6(f, length, protocol, dscp, key)
	}
	if w.Forward != ForwardGUE {
		return f
	}
	// Variant 1 of GUE: the IP packet follows the UDP header. No checksum: RFC 6935 allows that over IPv6 too.
	f = binary.BigEndian.AppendUint16(f, guePort|uint16(key[0]&0x3f)<<8|uint16(key[1]))
	f = binary.BigEndian.AppendUint16(f, w.Port)
	f = binary.BigEndian.AppendUint16(f, uint16(length))
	return append(f, 0, 0)
}

// appendIPv4 appends an outer header by RFC 2003, not to be fragmented and so without an identification.
func (w Worker) appendIPv4(f []byte, length int, protocol, dscp byte, key Key) []byte {
	h := make([]byte, ipv4Len)
	h[0], h[1] = 0x45, dscp
	binary.BigEndian.PutUint16(h[2:], uint16(ipv4Len+length))
	h[6], h[8], h[9] = 0x40, tunnelTTL, protocol
	copy(h[12:], w.Src.AsSlice())
	w.spread(h[14:], key)
	copy(h[16:], w.Dst.AsSlice())
	binary.BigEndian.PutUint16(h[10:], ^onesSum(h, 0))
	return append(f, h...)
}

// appendIPv6 appends an outer header by RFC 2473, with a flow label by call (RFC 6438).
func (w Worker) appendIPv6(f []byte, length int, protocol, dscp byte, key Key) []byte {
	h := make([]byte, ipv6Len)
	h[0], h[1], h[2], h[3] = 0x60|dscp>>4, dscp<<4|key[4]&0x0f, key[5], key[6]
	binary.BigEndian.PutUint16(h[4:], uint16(length))
	h[6], h[7] = protocol, tunnelTTL
	copy(h[8:], w.Src.AsSlice())
	w.spread(h[22:], key)
	copy(h[24:], w.Dst.AsSlice())
	return append(f, h...)
}

func (w Worker) spread(last []byte, key Key) {
	last[0] |= key[2] & byte(w.Spread>>8)
	last[1] |= key[3] & byte(w.Spread)
}

// tooBig answers a frame whose IP packet at an offset exceeds mtu (RFC 1191, RFC 8201).
func tooBig(frame []byte, ip, mtu int, v6 bool) []byte {
	f := append(append([]byte(nil), frame[6:12]...), frame[:6]...)
	f = append(f, frame[12:ip]...)
	icmp := binary.BigEndian.AppendUint32([]byte{3, 4, 0, 0}, uint32(mtu))
	icmp = append(icmp, frame[ip:ip+icmpQuote]...)
	if v6 {
		h := make([]byte, ipv6Len)
		icmp[0], icmp[1] = 2, 0
		h[0], h[6], h[7] = 0x60, protoICMPv6, 64
		binary.BigEndian.PutUint16(h[4:], uint16(len(icmp)))
		copy(h[8:], frame[ip+24:ip+40])
		copy(h[24:], frame[ip+8:ip+24])
		pseudo := uint32(onesSum(h[8:], uint32(len(icmp))+protoICMPv6))
		binary.BigEndian.PutUint16(icmp[2:], ^onesSum(icmp, pseudo))
		return append(append(f, h...), icmp...)
	}
	h := make([]byte, ipv4Len)
	h[0], h[8], h[9] = 0x45, 64, protoICMP
	binary.BigEndian.PutUint16(h[2:], uint16(ipv4Len+len(icmp)))
	copy(h[12:], frame[ip+16:ip+20])
	copy(h[16:], frame[ip+12:ip+16])
	binary.BigEndian.PutUint16(h[10:], ^onesSum(h, 0))
	binary.BigEndian.PutUint16(icmp[2:], ^onesSum(icmp, 0))
	return append(append(f, h...), icmp...)
}

// onesSum is the Internet checksum's sum (RFC 1071) of an even number of bytes, beginning with acc.
func onesSum(b []byte, acc uint32) uint16 {
	for ; len(b) >= 2; b = b[2:] {
		acc += uint32(b[0])<<8 | uint32(b[1])
	}
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return uint16(acc)
}
