// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

// answer is a digest response taken apart: what stands between the quotes, or
// the bare value. The slices point into the message. nil means not given.
type answer struct {
	username, realm, nonce, uri, response []byte
	algorithm, cnonce, qop, nc, userhash  []byte
}

var errNotDigest = errors.New("not digest credentials")

// field is where a parameter's value is kept, or nil for one that has no meaning
// to a server (opaque, auth-param).
func (a *answer) field(name []byte) *[]byte {
	for _, f := range [...]struct {
		name string
		at   *[]byte
	}{
		{"username", &a.username}, {"realm", &a.realm}, {"nonce", &a.nonce},
		{"uri", &a.uri}, {"response", &a.response}, {"algorithm", &a.algorithm},
		{"cnonce", &a.cnonce}, {"qop", &a.qop}, {"nc", &a.nc}, {"userhash", &a.userhash},
	} {
		if sip.EqualFold(name, f.name) {
			return f.at
		}
	}
	return nil
}

// parseAnswer reads the value of Authorization or Proxy-Authorization: the
// scheme and a comma-separated list of parameters (RFC 3261 §25.1). It returns
// errNotDigest for another scheme.
func parseAnswer(value []byte) (answer, error) {
	var a answer
	b := skipBlank(value)
	n := tokenLen(b)
	if !sip.EqualFold(b[:n], "Digest") || n == len(b) || !isBlank(b[n]) {
		return a, errNotDigest
	}
	b = b[n:]
	for {
		for len(b) > 0 && (isBlank(b[0]) || b[0] == ',') {
			b = b[1:]
		}
		if len(b) == 0 {
			return a, nil
		}
		name, value, rest, err := cutParam(b)
		if err != nil {
			return a, err
		}
		b = rest
		at := a.field(name)
		if at == nil {
			continue
		}
		if *at != nil {
			return a, fmt.Errorf("%s given twice", name)
		}
		*at = value
	}
}

// cutParam reads name = value off b; the value comes without its quotes and is
// never nil. What follows is empty or starts with a comma.
func cutParam(b []byte) (name, value, rest []byte, err error) {
	n := tokenLen(b)
	name, b = b[:n], skipBlank(b[n:])
	if n == 0 || len(b) == 0 || b[0] != '=' {
		return nil, nil, nil, errors.New("parameter without a name or value")
	}
	b = skipBlank(b[1:])
	var end int
	if len(b) > 0 && b[0] == '"' {
		if end = closingQuote(b); end < 0 {
			return nil, nil, nil, fmt.Errorf("%s has no closing quote", name)
		}
		value, rest = b[1:end], skipBlank(b[end+1:])
	} else {
		// A bare URI or nonce is no token, but phones send such.
		for end < len(b) && b[end] != ',' && !isBlank(b[end]) && b[end] != '"' {
			end++
		}
		if end == 0 {
			return nil, nil, nil, fmt.Errorf("%s has no value", name)
		}
		value, rest = b[:end], skipBlank(b[end:])
	}
	if len(rest) > 0 && rest[0] != ',' {
		return nil, nil, nil, fmt.Errorf("text after the value of %s", name)
	}
	return name, value, rest, nil
}

// closingQuote finds the quote that ends the string b starts with, or -1.
func closingQuote(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// unquote resolves the quoted pairs of a value that stood in quotes.
func unquote(b []byte) []byte {
	if bytes.IndexByte(b, '\\') < 0 {
		return b
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) {
			i++
		}
		out = append(out, b[i])
	}
	return out
}

// quote puts s in quotes, with quoted pairs where needed.
func quote(s string) string {
	out := []byte{'"'}
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			out = append(out, '\\')
		}
		out = append(out, s[i])
	}
	return string(append(out, '"'))
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func skipBlank(b []byte) []byte {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	return b
}

// tokenLen is the length of the token that b starts with (RFC 3261 §25.1).
func tokenLen(b []byte) int {
	for i, c := range b {
		alnum := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if !alnum && bytes.IndexByte([]byte("-.!%*_+`'~"), c) < 0 {
			return i
		}
	}
	return len(b)
}

// InRealm tells whether a field's credentials are Digest ones for realm.
func (v *Verifier) InRealm(value []byte, realm string) bool {
	a, err := parseAnswer(value)
	return err == nil && a.realm != nil && string(unquote(a.realm)) == realm
}
