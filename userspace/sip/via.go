// SPDX-License-Identifier: Apache-2.0

package sip

import (
	"bytes"
	"net/netip"
)

// MagicCookie starts every branch of RFC 3261 (§8.1.1.7).
const MagicCookie = "z9hG4bK"

// Via is one element of a Via header field (RFC 3261 §20.42).
type Via struct {
	Raw       []byte // the element as written
	Version   []byte // "2.0"; Validate refuses others
	Transport []byte // "UDP", "TCP", …, as written
	Host      []byte // sent-by host, IPv6 in brackets
	Port      uint16 // sent-by port; 0 when not given
	Params    Params
}

// ParseVia takes one Via element apart; the error is a 400. It takes any version of
// the protocol, so that a request of another one can be answered (505).
func ParseVia(b []byte) (Via, error) {
	v := Via{Raw: b}
	rest := b
	var part [3][]byte
	for i := range part {
		end := 0
		for end < len(rest) && isToken(rest[end]) {
			end++
		}
		part[i] = rest[:end]
		rest = bytes.TrimLeft(rest[end:], " \t\r\n")
		if end == 0 || i == 0 && !EqualFold(part[0], "SIP") {
			return v, bad("Malformed Via protocol")
		}
		if i == 2 {
			break
		}
		if len(rest) == 0 || rest[0] != '/' {
			return v, bad("Malformed Via protocol")
		}
		rest = bytes.TrimLeft(rest[1:], " \t\r\n")
	}
	v.Version, v.Transport = part[1], part[2]
	if i := indexOutside(rest, ';'); i >= 0 {
		rest, v.Params = rest[:i], Params(rest[i:])
	}
	// What is left open here would swallow the parameters that a server adds
	// behind, and with them where the answer goes.
	if bytes.ContainsAny(v.Params, "<>") || !balanced(v.Params) {
		return v, bad("Malformed Via parameters")
	}
	host, port, ok := hostPort(rest)
	if !ok {
		return v, bad("Malformed Via sent-by")
	}
	v.Host, v.Port = host, port
	return v, nil
}

// Branch is the branch parameter, or nil.
func (v *Via) Branch() []byte {
	b, _ := v.Params.Get("branch")
	return b
}

// Target is where a response with this Via on top goes over UDP: received and
// rport where they are, else sent-by with port 5060 as default (RFC 3261
// §18.2.2, RFC 3581 §4). maddr is not followed: it would let a sender aim answers
// at somebody else. ok is false when the host is a name.
func (v *Via) Target() (netip.AddrPort, bool) {
	host, port := v.Host, v.Port
	if received, ok := v.Params.Get("received"); ok {
		host = received
	}
	if rport, ok := v.Params.Get("rport"); ok {
		if p, digits := parseUint(rport, 65535); digits && p != 0 {
			port = uint16(p)
		}
	}
	if port == 0 {
		port = 5060
	}
	a, ok := HostAddr(host)
	return netip.AddrPortFrom(a, port), ok
}

// CSeq is the parsed CSeq header field (RFC 3261 §20.16).
type CSeq struct {
	Number uint32 // below 2^31 by RFC 3261 §8.1.1.5
	Method []byte
}

// ParseCSeq reads "1 INVITE"; the error is a 400.
func ParseCSeq(b []byte) (CSeq, error) {
	end := 0
	for end < len(b) && !isLWS(b[end]) {
		end++
	}
	digits := b[:end]
	for len(digits) > 1 && digits[0] == '0' {
		digits = digits[1:]
	}
	n, ok := parseUint(digits, 1<<31-1)
	method := trim(b[end:])
	if !ok || !allToken(method) {
		return CSeq{}, bad("Malformed CSeq")
	}
	return CSeq{Number: uint32(n), Method: method}, nil
}
