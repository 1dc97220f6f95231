// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

// Sizes and numbers of the headers written here.
const (
	ipv4Len = 20
	ipv6Len = 40
	fragLen = 8
	udpLen  = 8

	protoUDP      = 17
	protoFragment = 44
	hopLimit      = 64
)

// ErrTooLarge is a payload that no UDP datagram can carry.
var ErrTooLarge = errors.New("payload exceeds a UDP datagram")

// Frames writes a datagram from Remote to Local, as the client sent it, as
// Ethernet frames for a worker on another host: one, or IP fragments where the
// way's MTU asks for them. A tunnel carries each fragment in a packet of its
// own, so that its end need not put anything together. id is the IP
// identification, key the call's.
func Frames(d transport.Datagram, w steer.Worker, key steer.Key, id uint32) ([][]byte, error) {
	src, dst := d.Remote.Addr().Unmap(), d.Local.Addr().Unmap()
	if udpLen+len(d.Data) > 65535-ipv4Len || src.Is4() != dst.Is4() {
		return nil, ErrTooLarge
	}
	limit := 65535
	if w.MTU != 0 {
		limit = int(w.MTU) - w.Overhead()
	}
	segment := udpSegment(src, dst, d)
	var packets [][]byte
	if src.Is4() {
		packets = cut(segment, limit, ipv4Len, 0, func(b []byte, off int, more bool, n int) {
			putIPv4(b, src, dst, uint16(id), off, more, n)
		})
	} else {
		packets = cut(segment, limit, ipv6Len, fragLen, func(b []byte, off int, more bool, n int) {
			putIPv6(b, src, dst, id, off, more, n)
		})
	}
	for i, p := range packets {
		packets[i] = w.AppendFrame(nil, p, key)
	}
	return packets, nil
}

// cut lays segment out over as many IP packets as limit asks for; put writes the
// IP header (and, where fragmented, the fragment header) for n bytes of it.
func cut(segment []byte, limit, ip, frag int, put func(b []byte, off int, more bool, n int)) [][]byte {
	if ip+len(segment) <= limit {
		return [][]byte{packet(segment, ip, 0, false, put)}
	}
	// No way is so narrow (RFC 791 §3.2); it keeps the loop from standing still.
	size := max(limit-ip-frag, 8) &^ 7
	var packets [][]byte
	for off := 0; off < len(segment); off += size {
		part := segment[off:min(off+size, len(segment))]
		packets = append(packets, packet(part, ip+frag, off, off+size < len(segment), put))
	}
	return packets
}

func packet(part []byte, header, off int, more bool, put func([]byte, int, bool, int)) []byte {
	p := make([]byte, header+len(part))
	put(p, off, more, len(part))
	copy(p[header:], part)
	return p
}

// putIPv4 writes an IPv4 header (RFC 791).
func putIPv4(h []byte, src, dst netip.Addr, id uint16, off int, more bool, n int) {
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
	binary.BigEndian.PutUint16(h[10:], ^fold(sum(h[:ipv4Len], 0)))
}

// putIPv6 writes an IPv6 header and, for a fragment, the fragment header (RFC
// 8200 §4.5).
func putIPv6(h []byte, src, dst netip.Addr, id uint32, off int, more bool, n int) {
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
