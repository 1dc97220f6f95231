// SPDX-License-Identifier: Apache-2.0

package sip

import "bytes"

// Address is a name-addr or addr-spec with the header parameters that follow it,
// as in From, To, Contact, Route and Record-Route (RFC 3261 §20).
type Address struct {
	Display []byte // as written, quotes included
	URI     URI
	Params  Params // the header's parameters, from the first ';'
}

// ParseAddress takes one address apart; the error is a 400. In the form without
// angle brackets, parameters belong to the header (RFC 3261 §20).
func ParseAddress(b []byte) (Address, error) {
	var a Address
	b = trim(b)
	if !balanced(b) {
		return a, bad("Unbalanced quotes or brackets")
	}
	var spec []byte
	if open := indexOutside(b, '<'); open >= 0 {
		end := open + bytes.IndexByte(b[open:], '>')
		a.Display, spec = trim(b[:open]), trim(b[open+1:end])
		a.Params = Params(trim(b[end+1:]))
		if !validDisplay(a.Display) {
			return a, bad("Malformed display name")
		}
	} else {
		spec = b
		if i := bytes.IndexByte(b, ';'); i >= 0 {
			spec, a.Params = trim(b[:i]), Params(b[i:])
		}
		if bytes.ContainsAny(spec, ",?") {
			return a, bad("URI with a comma or question mark outside brackets")
		}
	}
	if len(a.Params) > 0 && a.Params[0] != ';' {
		return a, bad("Unexpected text after an address")
	}
	uri, err := ParseURI(spec)
	a.URI = uri
	return a, err
}

// validDisplay accepts one quoted string or a run of tokens (RFC 3261 §25.1);
// UTF-8 is let pass in both.
func validDisplay(d []byte) bool {
	if len(d) == 0 {
		return true
	}
	if d[0] == '"' {
		return quotedLen(d) == len(d)
	}
	for _, c := range d {
		if !isToken(c) && !isLWS(c) && c < 0x80 {
			return false
		}
	}
	return true
}

// Tag is the tag parameter, or nil.
func (a *Address) Tag() []byte {
	tag, _ := a.Params.Get("tag")
	return tag
}

// AOR is user@host in the form in which addresses of record are compared: host
// in lower case, escapes in the user resolved, no port and no parameters
// (RFC 3261 §10.3 step 5).
func (u *URI) AOR() string {
	host := bytes.ToLower(u.Host)
	if u.User == nil {
		return string(host)
	}
	return string(Unescape(u.User)) + "@" + string(host)
}

// quotedLen is the length of the quoted string that b starts with, 0 when it is
// not closed.
func quotedLen(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}
