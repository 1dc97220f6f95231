// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"

	"github.com/sipsteer/sipsteer/userspace/transport"
)

// Sizes and numbers of the headers written here.
const (
	etherLen = 14
	ipv4Len  = 20
	ipv6Len  = 40
	fragLen  = 8
	udpLen   = 8

	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd

	protoUDP      = 17
	protoFragment = 44
	hopLimit      = 64
)

// ErrTooLarge is a payload that no UDP datagram can carry.
var ErrTooLarge = errors.New("payload exceeds a UDP datagram")

// Frames writes a datagram from Remote to Local, as the client sent it, as
// Ethernet frames for a next hop: one, or IP fragments where mtu (of the IP
// packet, in bytes) asks for them. id is the IP identification.
func Frames(d transport.Datagram, hop Hop, id uint32) ([][]byte, error) {
	src, dst := d.Remote.Addr().Unmap(), d.Local.Addr().Unmap()
	if udpLen+len(d.Data) > 65535-ipv4Len || src.Is4() != dst.Is4() {
		return nil, ErrTooLarge
	}
	segment := udpSegment(src, dst, d)
	if src.Is4() {
		return cutFrames(segment, hop, ipv4Len, 0, func(b []byte, off int, more bool, n int) {
			putIPv4(b, src, dst, uint16(id), off, more, n)
		}), nil
	}
	return cutFrames(segment, hop, ipv6Len, fragLen, func(b []byte, off int, more bool, n int) {
		putIPv6(b, src, dst, id, off, more, n)
	}), nil
}

// cutFrames lays segment out over as many frames as hop.MTU asks for; put writes
// the IP header (and, where fragmented, the fragment header) for n bytes of it.
func cutFrames(segment []byte, hop Hop, ip, frag int, put func(b []byte, off int, more bool, n int)) [][]byte {
	if hop.MTU <= 0 || ip+len(segment) <= hop.MTU {
		return [][]byte{oneFrame(segment, hop, ip, 0, false, put)}
	}
	size := (hop.MTU - ip - frag) &^ 7
	var frames [][]byte
	for off := 0; off < len(segment); off += size {
		part := segment[off:min(off+size, len(segment))]
		frames = append(frames, oneFrame(part, hop, ip+frag, off, off+size < len(segment), put))
	}
	return frames
}

func oneFrame(part []byte, hop Hop, header, off int, more bool, put func([]byte, int, bool, int)) []byte {
	frame := make([]byte, etherLen+header+len(part))
	copy(frame, hop.Dst[:])
	copy(frame[6:], hop.Src[:])
	put(frame[12:], off, more, len(part))
	copy(frame[etherLen+header:], part)
	return frame
}

// putIPv4 writes EtherType and IPv4 header (RFC 791).
func putIPv4(b []byte, src, dst netip.Addr, id uint16, off int, more bool, n int) {
	binary.BigEndian.PutUint16(b, etherIPv4)
	h := b[2 : 2+ipv4Len]
	h[0] = 0x45
	binary.BigEndian.PutUint16(h[2:], uint16(ipv4Len+n))
	binary.BigEndian.PutUint16(h[4:], id)
	flags := uint16(off / 8)
	if more {
		flags |= 0x2000
	}
	binary.BigEndian.PutUint16(h[6:], flags)
	h[8], h[9] = hopLimit, protoUDP
	copy(h[12:], src.AsSlice())
	copy(h[16:], dst.AsSlice())
	binary.BigEndian.PutUint16(h[10:], ^fold(sum(h, 0)))
}

// putIPv6 writes EtherType, IPv6 header and, for a fragment, the fragment header
// (RFC 8200 §4.5).
func putIPv6(b []byte, src, dst netip.Addr, id uint32, off int, more bool, n int) {
	binary.BigEndian.PutUint16(b, etherIPv6)
	h := b[2:]
	h[0], h[6], h[7] = 0x60, protoUDP, hopLimit
	copy(h[8:], src.AsSlice())
	copy(h[24:], dst.AsSlice())
	if off == 0 && !more {
		binary.BigEndian.PutUint16(h[4:], uint16(n))
		return
	}
	h[6] = protoFragment
	binary.BigEndian.PutUint16(h[4:], uint16(fragLen+n))
	f := h[ipv6Len:]
	f[0] = protoUDP
	flags := uint16(off)
	if more {
		flags |= 1
	}
	binary.BigEndian.PutUint16(f[2:], flags)
	binary.BigEndian.PutUint32(f[4:], id)
}

// udpSegment writes UDP header and payload with the checksum (RFC 768, 8200 §8.1).
func udpSegment(src, dst netip.Addr, d transport.Datagram) []byte {
	s := make([]byte, udpLen+len(d.Data))
	binary.BigEndian.PutUint16(s, d.Remote.Port())
	binary.BigEndian.PutUint16(s[2:], d.Local.Port())
	binary.BigEndian.PutUint16(s[4:], uint16(len(s)))
	copy(s[udpLen:], d.Data)
	acc := sum(src.AsSlice(), sum(dst.AsSlice(), protoUDP+uint32(len(s))))
	check := ^fold(sum(s, acc))
	if check == 0 {
		check = 0xffff // 0 would say "no checksum"
	}
	binary.BigEndian.PutUint16(s[6:], check)
	return s
}

// sum adds b to a ones' complement accumulator (RFC 1071). 64 KiB fit without
// overflow.
func sum(b []byte, acc uint32) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		acc += uint32(b[0])<<8 | uint32(b[1])
	}
	if len(b) == 1 {
		acc += uint32(b[0]) << 8
	}
	return acc
}

func fold(acc uint32) uint16 {
	for acc > 0xffff {
		acc = acc>>16 + acc&0xffff
	}
	return uint16(acc)
}

// Hop is the Ethernet next hop towards a worker.
type Hop struct {
	IfIndex  int
	MTU      int // of the interface, in bytes of IP packet
	Src, Dst [6]byte
}

func hardware(a net.HardwareAddr) (mac [6]byte, ok bool) {
	n := copy(mac[:], a)
	return mac, n == 6 && mac != [6]byte{}
}
