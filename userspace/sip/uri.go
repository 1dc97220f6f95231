// SPDX-License-Identifier: Apache-2.0

package sip

import (
	"bytes"
	"net/netip"
)

// URI is a SIP, SIPS or other URI taken apart (RFC 3261 §19.1). All slices point
// into the bytes that were parsed.
type URI struct {
	Raw      []byte
	Scheme   []byte // as written: "sip", "sips", "tel", …
	User     []byte // without password; nil when there is none
	Password []byte
	Host     []byte // IPv6 in brackets, as written
	Port     uint16 // 0 when not given
	Params   Params // from the first ';'
	Headers  []byte // after '?'
	Opaque   []byte // what follows the scheme where it is not sip or sips
}

// ParseURI takes a URI apart. The error is a 400; a scheme other than sip and
// sips is no error, the rest of such a URI is Opaque.
func ParseURI(b []byte) (URI, error) {
	u := URI{Raw: b}
	colon := bytes.IndexByte(b, ':')
	if colon < 1 || !validScheme(b[:colon]) {
		return u, bad("URI without a scheme")
	}
	u.Scheme = b[:colon]
	rest := b[colon+1:]
	if !u.IsSIP() {
		u.Opaque = rest
		if len(rest) == 0 || bytes.ContainsAny(rest, " \t\r\n<>\"") {
			return u, bad("Malformed URI")
		}
		return u, nil
	}
	// The '@' ends the user part, in which ';' and '?' may stand; in the
	// host part none may (RFC 3261 §25.1).
	if at := bytes.IndexByte(rest, '@'); at >= 0 {
		if at == 0 {
			return u, bad("URI with an empty user")
		}
		u.User = rest[:at]
		if i := bytes.IndexByte(u.User, ':'); i >= 0 {
			u.User, u.Password = u.User[:i], u.User[i+1:]
		}
		rest = rest[at+1:]
	}
	if i := bytes.IndexByte(rest, '?'); i >= 0 {
		rest, u.Headers = rest[:i], rest[i+1:]
	}
	if i := bytes.IndexByte(rest, ';'); i >= 0 {
		rest, u.Params = rest[:i], Params(rest[i:])
	}
	host, port, ok := hostPort(rest)
	if !ok || bytes.ContainsAny(b, " \t\r\n<>\"") || !validEscapes(u.User) {
		return u, bad("Malformed URI")
	}
	u.Host, u.Port = host, port
	return u, nil
}

// IsSIP tells whether the scheme is sip or sips.
func (u *URI) IsSIP() bool { return EqualFold(u.Scheme, "sip") || EqualFold(u.Scheme, "sips") }

// Addr is the host as an IP address, when it is one.
func (u *URI) Addr() (netip.Addr, bool) { return HostAddr(u.Host) }

// PortOr is the port, or def when the URI has none.
func (u *URI) PortOr(def uint16) uint16 {
	if u.Port == 0 {
		return def
	}
	return u.Port
}

// HostAddr reads a host as it stands in a URI or Via, IPv6 in brackets, as an IP
// address.
func HostAddr(host []byte) (netip.Addr, bool) {
	if n := len(host); n > 2 && host[0] == '[' && host[n-1] == ']' {
		host = host[1 : n-1]
	}
	if bytes.IndexByte(host, ':') < 0 {
		return dottedQuad(host)
	}
	a, err := netip.ParseAddr(string(host))
	if err != nil || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

// dottedQuad reads an IPv4 address as netip.ParseAddr does, without leading
// zeros, but allocates nothing: most hosts on the proxied path are such, or names.
func dottedQuad(b []byte) (netip.Addr, bool) {
	var quad [4]byte
	for i := range quad {
		end := bytes.IndexByte(b, '.')
		if i == len(quad)-1 {
			if end >= 0 {
				return netip.Addr{}, false
			}
			end = len(b)
		}
		if end < 1 || end > 3 || end > 1 && b[0] == '0' {
			return netip.Addr{}, false
		}
		v, ok := parseUint(b[:end], 255)
		if !ok {
			return netip.Addr{}, false
		}
		quad[i] = byte(v)
		b = b[min(end+1, len(b)):]
	}
	return netip.AddrFrom4(quad), true
}

func validScheme(b []byte) bool {
	for i, c := range b {
		alpha := 'a' <= lower(c) && lower(c) <= 'z'
		if !alpha && (i == 0 || !(c == '+' || c == '-' || c == '.' || '0' <= c && c <= '9')) {
			return false
		}
	}
	return true
}

// validEscapes refuses a '%' that two hexadecimal digits do not follow.
func validEscapes(b []byte) bool {
	for i := 0; i < len(b); i++ {
		if b[i] != '%' {
			continue
		}
		if i+2 >= len(b) || !isHex(b[i+1]) || !isHex(b[i+2]) {
			return false
		}
		i += 2
	}
	return true
}

func isHex(c byte) bool {
	c = lower(c)
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f'
}

// hostPort reads host [":" port]; blanks round the colon are allowed, as they
// are in Via's sent-by.
func hostPort(b []byte) (host []byte, port uint16, ok bool) {
	b = trim(b)
	host = b
	var tail []byte
	if len(b) > 0 && b[0] == '[' {
		end := bytes.IndexByte(b, ']')
		if end < 0 {
			return nil, 0, false
		}
		host, tail = b[:end+1], trim(b[end+1:])
		if _, isAddr := HostAddr(host); !isAddr {
			return nil, 0, false
		}
	} else if i := bytes.IndexByte(b, ':'); i >= 0 {
		host, tail = trim(b[:i]), b[i:]
	}
	if len(tail) > 0 {
		v, digits := parseUint(trim(tail[1:]), 65535)
		if tail[0] != ':' || !digits || v == 0 {
			return nil, 0, false
		}
		port = uint16(v)
	}
	return host, port, validHost(host)
}

func validHost(h []byte) bool {
	if len(h) == 0 {
		return false
	}
	if h[0] == '[' {
		return true
	}
	for _, c := range h {
		c = lower(c)
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.' || c == '_') {
			return false
		}
	}
	return true
}

// Unescape resolves %HH in a user or parameter for comparison (RFC 3261
// §19.1.4). It returns b itself when there is nothing to resolve.
func Unescape(b []byte) []byte {
	if bytes.IndexByte(b, '%') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '%' && i+2 < len(b) && isHex(b[i+1]) && isHex(b[i+2]) {
			out = append(out, unhex(b[i+1])<<4|unhex(b[i+2]))
			i += 2
			continue
		}
		out = append(out, b[i])
	}
	return out
}

func unhex(c byte) byte {
	if c = lower(c); c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}
