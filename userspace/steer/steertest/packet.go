// SPDX-License-Identifier: Apache-2.0

// Package steertest holds the table of packets that the kernel program and its twin are both tested with, and a builder
// of packets that shares no code with either.
package steertest

import (
	"encoding/binary"
	"net/netip"
)

// Packet describes a UDP packet in an Ethernet frame.
type Packet struct {
	Src, Dst netip.AddrPort
	Payload  string

	VLAN       uint16 // TPID of a tag, such as 0x8100; 0 = none
	InnerVLAN  uint16 // TPID of a second tag
	Options    bool   // IPv4 with options
	Fragment   uint16 // IPv4 flags and fragment offset
	Extensions []Extension
	NextHeader uint16 // IPv6: in place of UDP; HopByHop for 0
	Protocol   uint8  // IPv4: in place of UDP
	TOS        byte   // IPv4 type of service, IPv6 traffic class
	NoChecksum bool   // UDP checksum 0
	Partial    bool   // UDP checksum over the pseudo header alone, as it goes to a device that does the rest
	UDPLength  int    // in place of the right one
	IPLength   int    // in place of the right one: total length (IPv4), payload length (IPv6)
	Trailer    int    // bytes behind the IP packet
	Cut        int    // bytes missing from the end of the frame
}

// Extension is an IPv6 extension header of options, or a routing header (43), of 8 + 8 * Units bytes.
type Extension struct{ Kind, Units, SegmentsLeft byte }

// HopByHop is the IPv6 next header 0, which in Packet would mean none.
const HopByHop = 0x100

// Addresses that every packet has.
var (
	DstMAC = [6]byte{2, 0, 0, 0, 0, 0x10}
	SrcMAC = [6]byte{2, 0, 0, 0, 0, 0x20}
)

// Frame builds the frame, with all lengths and checksums.
func (p Packet) Frame() []byte {
	f := append([]byte{}, DstMAC[:]...)
	f = append(f, SrcMAC[:]...)
	if p.VLAN != 0 {
		f = binary.BigEndian.AppendUint16(f, p.VLAN)
		f = binary.BigEndian.AppendUint16(f, 42)
	}
	if p.InnerVLAN != 0 {
		f = binary.BigEndian.AppendUint16(f, p.InnerVLAN)
		f = binary.BigEndian.AppendUint16(f, 43)
	}
	if p.Dst.Addr().Is4() {
		f = p.appendIPv4(binary.BigEndian.AppendUint16(f, 0x0800))
	} else {
		f = p.appendIPv6(binary.BigEndian.AppendUint16(f, 0x86dd))
	}
	f = append(f, p.udp()...)
	f = append(f, make([]byte, p.Trailer)...)
	return f[:len(f)-p.Cut]
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func (p Packet) appendIPv4(f []byte) []byte {
	header := 20
	if p.Options {
		header = 24
	}
	ip := make([]byte, header)
	ip[0], ip[1] = 0x40|byte(header/4), p.TOS
	binary.BigEndian.PutUint16(ip[2:], uint16(or(p.IPLength, header+8+len(p.Payload))))
	binary.BigEndian.PutUint16(ip[6:], p.Fragment)
	ip[8], ip[9] = 64, or(p.Protocol, 17)
	src, dst := p.Src.Addr().As4(), p.Dst.Addr().As4()
	copy(ip[12:], src[:])
	copy(ip[16:], dst[:])
	if p.Options {
		ip[20] = 1 // no operation, then end of list
	}
	binary.BigEndian.PutUint16(ip[10:], ^onesSum(ip))
	return append(f, ip...)
}

func (p Packet) appendIPv6(f []byte) []byte {
	ip := make([]byte, 40)
	next := 6 // where the header after this one is named
	for _, e := range p.Extensions {
		h := make([]byte, 8+8*int(e.Units))
		h[1] = e.Units
		if e.Kind == 43 {
			h[3] = e.SegmentsLeft
		} else {
			h[2], h[3] = 1, byte(len(h)-4) // PadN over the rest
		}
		ip[next] = e.Kind
		next = len(ip)
		ip = append(ip, h...)
	}
	ip[next] = byte(or(p.NextHeader, 17))
	ip[0], ip[1] = 0x60|p.TOS>>4, p.TOS<<4
	binary.BigEndian.PutUint16(ip[4:], uint16(or(p.IPLength, len(ip)-40+8+len(p.Payload))))
	ip[7] = 64
	src, dst := p.Src.Addr().As16(), p.Dst.Addr().As16()
	copy(ip[8:], src[:])
	copy(ip[24:], dst[:])
	return append(f, ip...)
}

func (p Packet) udp() []byte {
	u := make([]byte, 8, 8+len(p.Payload))
	binary.BigEndian.PutUint16(u[0:], p.Src.Port())
	binary.BigEndian.PutUint16(u[2:], p.Dst.Port())
	binary.BigEndian.PutUint16(u[4:], uint16(or(p.UDPLength, 8+len(p.Payload))))
	u = append(u, p.Payload...)
	if p.NoChecksum {
		return u
	}
	pseudo := append(p.Src.Addr().AsSlice(), p.Dst.Addr().AsSlice()...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(u)))
	pseudo = append(pseudo, 0, 0, 0, 17)
	if p.Partial {
		binary.BigEndian.PutUint16(u[6:], onesSum(pseudo))
		return u
	}
	binary.BigEndian.PutUint16(u[6:], or(^onesSum(append(pseudo, u...)), 0xffff))
	return u
}

// onesSum is the Internet checksum's sum (RFC 1071).
func onesSum(b []byte) uint16 {
	var sum uint32
	for i, c := range b {
		if i%2 == 0 {
			sum += uint32(c) << 8
		} else {
			sum += uint32(c)
		}
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return uint16(sum)
}
