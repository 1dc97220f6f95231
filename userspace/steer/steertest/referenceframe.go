// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"net/netip"
	"strings"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Datagram is what ReferenceFrame finds in a frame.
type Datagram struct {
	Dst       netip.AddrPort
	Payload   string
	BadLength bool // the UDP length does not fit packet or frame
}

// ReferenceFrame takes an Ethernet frame apart by cutting one header after the other off its beginning: a third reading
// of the layers below SIP, beside the kernel's and the twin's. It gives Undecided where there is a UDP datagram.
func ReferenceFrame(frame string) (Datagram, steer.Outcome) {
	var d Datagram
	eth, rest := refTake(frame, 14)
	if eth == "" {
		return d, steer.PassNotOurs
	}
	kind := eth[12:]
	for tags := 0; tags < 2 && (kind == "\x81\x00" || kind == "\x88\xa8"); tags++ {
		var tag string
		if tag, rest = refTake(rest, 4); tag == "" {
			return d, steer.PassNotOurs
		}
		kind = tag[2:]
	}
	switch kind {
	case "\x08\x00":
		return refIPv4(rest)
	case "\x86\xdd":
		return refIPv6(rest)
	}
	return d, steer.PassNotOurs
}

// refTake cuts off the first n bytes; head is empty when there are fewer.
func refTake(s string, n int) (head, rest string) {
	if len(s) < n {
		return "", ""
	}
	return s[:n], s[n:]
}

func refNumber(s string) int { return int(s[0])<<8 + int(s[1]) }

func refIPv4(p string) (Datagram, steer.Outcome) {
	h, rest := refTake(p, 20)
	switch {
	case h == "", h[0]>>4 != 4, h[9] != 17:
		return Datagram{}, steer.PassNotOurs
	case h[0]&15 != 5:
		return Datagram{}, steer.PassIPOptions
	case refNumber(h[6:])%0x4000 != 0: // more fragments, or an offset
		return Datagram{}, steer.PassFragment
	}
	total := refNumber(h[2:])
	return refUDP(netip.AddrFrom4([4]byte([]byte(h[16:]))), total-20, rest, total > len(p))
}

func refIPv6(p string) (Datagram, steer.Outcome) {
	h, rest := refTake(p, 40)
	if h == "" || h[0]>>4 != 6 {
		return Datagram{}, steer.PassNotOurs
	}
	next, length := h[6], refNumber(h[4:])
	cut := 40+length > len(p)
	for i := 0; i < 4 && len(rest) >= 8; i++ {
		options := next == 60 || next == 0 && i == 0
		routing := next == 43 && rest[3] == 0
		size := 8 + 8*int(rest[1])
		if !options && !routing || size > 256 {
			break
		}
		next, length = rest[0], length-size
		_, rest = refTake(rest, size)
	}
	switch {
	case next == 17:
		return refUDP(netip.AddrFrom16([16]byte([]byte(h[24:]))).Unmap(), length, rest, cut)
	case next == 44:
		return Datagram{}, steer.PassFragment
	case strings.IndexByte("\x00\x2b\x33\x3c\x87", next) >= 0:
		return Datagram{}, steer.PassIPv6Ext
	}
	return Datagram{}, steer.PassNotOurs
}

// refUDP reads the datagram; cut says that the IP packet goes on where the frame ends.
func refUDP(dst netip.Addr, room int, p string, cut bool) (Datagram, steer.Outcome) {
	h, rest := refTake(p, 8)
	if h == "" {
		return Datagram{}, steer.PassNotOurs
	}
	d := Datagram{Dst: netip.AddrPortFrom(dst, uint16(refNumber(h[2:])))}
	length := refNumber(h[4:])
	if d.BadLength = cut || length < 8 || length > room || length-8 > len(rest); !d.BadLength {
		d.Payload = rest[:length-8]
	}
	return d, steer.Undecided
}
