// SPDX-License-Identifier: Apache-2.0

package sip

import "bytes"

// Validate checks what every element must be able to rely on before it acts on a
// message (RFC 3261 §8.1.1, §8.2, §16.3 step 1): the mandatory header fields once
// each and well formed, CSeq's method that of the request, a usable Via.
// The error is an *Error with the code that answers it.
func Validate(m *Message) error {
	for _, id := range [...]HeaderID{HCallID, HFrom, HTo, HCSeq} {
		switch m.Count(id) {
		case 0:
			return bad("Missing %s", id)
		case 1:
		default:
			return bad("Repeated %s", id)
		}
	}
	if m.Count(HMaxForwards) > 1 {
		return bad("Repeated Max-Forwards")
	}
	if !validCallID(m.CallID()) {
		return bad("Malformed Call-ID")
	}
	for _, id := range [...]HeaderID{HFrom, HTo} {
		if _, err := ParseAddress(m.Value(id)); err != nil {
			return bad("Malformed %s", id)
		}
	}
	cseq, err := ParseCSeq(m.Value(HCSeq))
	if err != nil {
		return err
	}
	if m.IsRequest() && !bytes.Equal(cseq.Method, m.Method) {
		return bad("CSeq method does not match the request")
	}
	return validateVias(m)
}

func validateVias(m *Message) error {
	n := 0
	for elem := range m.Values(HVia) {
		via, err := ParseVia(elem)
		if err != nil {
			return err
		}
		if string(via.Version) != "2.0" {
			return bad("Malformed Via protocol")
		}
		n++
	}
	if n == 0 {
		return bad("Missing Via")
	}
	return nil
}

func validCallID(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c == 0x7f {
			return false
		}
	}
	return len(b) > 0
}

// MaxForwards is the value of Max-Forwards; ok is false when there is none. The
// error is a 400 for a value that is no number up to 255 (RFC 3261 §20.22).
func (m *Message) MaxForwards() (n int, ok bool, err error) {
	h := m.Get(HMaxForwards)
	if h == nil {
		return 0, false, nil
	}
	digits := h.Value
	for len(digits) > 1 && digits[0] == '0' {
		digits = digits[1:]
	}
	v, valid := parseUint(digits, 255)
	if !valid {
		return 0, true, bad("Malformed Max-Forwards")
	}
	return int(v), true, nil
}
