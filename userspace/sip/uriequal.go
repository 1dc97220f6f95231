// SPDX-License-Identifier: Apache-2.0

package sip

import "bytes"

// Equal compares two URIs by RFC 3261 §19.1.4: user and password with regard to
// case, the rest without; user, ttl, method, maddr and transport must be in
// both or in neither; other parameters only where both have them.
func (u *URI) Equal(v *URI) bool {
	if !bytes.EqualFold(u.Scheme, v.Scheme) {
		return false
	}
	if !u.IsSIP() {
		return bytes.Equal(u.Opaque, v.Opaque)
	}
	switch {
	case !bytes.Equal(Unescape(u.User), Unescape(v.User)) || (u.User == nil) != (v.User == nil),
		!bytes.Equal(Unescape(u.Password), Unescape(v.Password)),
		!sameHost(u.Host, v.Host),
		u.Port != v.Port:
		return false
	}
	return sameParams(u.Params, v.Params) && sameParams(v.Params, u.Params) &&
		sameHeaders(u.Headers, v.Headers) && sameHeaders(v.Headers, u.Headers)
}

func sameHost(a, b []byte) bool {
	if bytes.EqualFold(a, b) {
		return true
	}
	x, okX := HostAddr(a)
	y, okY := HostAddr(b)
	return okX && okY && x == y
}

// sameParams checks each parameter of p against q; call it both ways.
func sameParams(p, q Params) bool {
	for rest := []byte(p); len(rest) > 0; {
		var param []byte
		param, rest = p.cut(rest)
		name, value := cutParam(param)
		if len(name) == 0 {
			continue
		}
		other, ok := q.Get(string(name))
		if !ok {
			if inBothOrNeither(name) {
				return false
			}
			continue
		}
		if !bytes.EqualFold(Unescape(value), Unescape(other)) {
			return false
		}
	}
	return true
}

func inBothOrNeither(name []byte) bool {
	for _, n := range [...]string{"user", "ttl", "method", "maddr", "transport"} {
		if EqualFold(name, n) {
			return true
		}
	}
	return false
}

// sameHeaders checks that each header of the URI a stands in b as well.
func sameHeaders(a, b []byte) bool {
	for len(a) > 0 {
		var one []byte
		one, a, _ = bytes.Cut(a, []byte{'&'})
		found := false
		for rest := b; len(rest) > 0 && !found; {
			var other []byte
			other, rest, _ = bytes.Cut(rest, []byte{'&'})
			found = bytes.EqualFold(Unescape(one), Unescape(other))
		}
		if !found {
			return false
		}
	}
	return true
}
