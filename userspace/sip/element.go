// SPDX-License-Identifier: Apache-2.0

package sip

import (
	"bytes"
	"iter"
)

// Elements yields the elements of a comma-separated list, without blanks around
// them.
func Elements(list []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for more := true; more; {
			var elem []byte
			elem, list, more = cutElement(list)
			if !yield(elem) {
				return
			}
		}
	}
}

// cutElement splits the first element off a comma-separated list.
func cutElement(b []byte) (elem, rest []byte, more bool) {
	if i := indexOutside(b, ','); i >= 0 {
		return trim(b[:i]), b[i+1:], true
	}
	return trim(b), nil, false
}

// indexOutside finds c outside quoted strings and angle brackets, or -1.
func indexOutside(b []byte, c byte) int {
	first := bytes.IndexByte(b, c)
	if first < 0 || bytes.IndexByte(b[:first], '"') < 0 && bytes.IndexByte(b[:first], '<') < 0 {
		return first // nothing is open there: the usual case
	}
	quoted, angle := false, false
	for i := 0; i < len(b); i++ {
		switch {
		case quoted && b[i] == '\\':
			i++
		case b[i] == '"' && !angle:
			quoted = !quoted
		case quoted:
		case b[i] == c && !angle:
			return i
		case b[i] == '<':
			angle = true
		case b[i] == '>':
			angle = false
		}
	}
	return -1
}

// balanced tells whether every quoted string and angle bracket is closed.
func balanced(b []byte) bool {
	quoted, angle := false, false
	for i := 0; i < len(b); i++ {
		switch {
		case quoted && b[i] == '\\':
			i++
		case b[i] == '"' && !angle:
			quoted = !quoted
		case quoted:
		case b[i] == '<':
			if angle {
				return false
			}
			angle = true
		case b[i] == '>':
			if !angle {
				return false
			}
			angle = false
		}
	}
	return !quoted && !angle
}

// Params is a run of parameters as written, from the first ';' on.
type Params []byte

// Get finds a parameter by name, in any case. A flag has an empty value; quotes
// stay on a quoted value.
func (p Params) Get(name string) (value []byte, ok bool) {
	for rest := []byte(p); len(rest) > 0; {
		var param []byte
		param, rest = p.cut(rest)
		n, v := cutParam(param)
		if EqualFold(n, name) {
			return v, true
		}
	}
	return nil, false
}

// Has tells whether the parameter is there.
func (p Params) Has(name string) bool {
	_, ok := p.Get(name)
	return ok
}

// cut takes the first parameter off b, which starts at a ';' or before one.
func (Params) cut(b []byte) (param, rest []byte) {
	for len(b) > 0 && (b[0] == ';' || isLWS(b[0])) {
		b = b[1:]
	}
	if i := indexOutside(b, ';'); i >= 0 {
		return b[:i], b[i:]
	}
	return b, nil
}

func cutParam(b []byte) (name, value []byte) {
	if i := indexOutside(b, '='); i >= 0 {
		return trim(b[:i]), trim(b[i+1:])
	}
	return trim(b), nil
}

// Without removes the named parameter, each time it stands there, from parameters
// that start with ';'. It returns a new slice when something was removed.
func (p Params) Without(name string) Params {
	var out Params
	kept := 0 // p[:kept] is in out or removed
	for rest := []byte(p); len(rest) > 0; {
		at := offset(p, rest)
		var param []byte
		param, rest = p.cut(rest)
		if n, _ := cutParam(param); !EqualFold(n, name) {
			continue
		}
		if out == nil {
			out = make(Params, 0, len(p))
		}
		out = append(out, p[kept:at]...)
		kept = len(p)
		if rest != nil {
			kept = offset(p, rest)
		}
	}
	if out == nil {
		return p
	}
	return append(out, p[kept:]...)
}

// offset is where sub, a slice of whole with the same end of capacity, starts.
func offset(whole, sub []byte) int { return cap(whole) - cap(sub) }
