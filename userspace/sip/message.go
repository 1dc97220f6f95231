// SPDX-License-Identifier: Apache-2.0

package sip

import (
	"bytes"
	"fmt"
	"iter"
)

// Header is one header field. All slices point into Message.Raw: never append to
// them.
type Header struct {
	ID    HeaderID
	Name  []byte // as written
	Value []byte // without blanks at the ends; a folded value keeps its line breaks
	Line  []byte // the whole field with its CRLF and continuation lines
}

// Message is a parsed SIP message. The zero value is ready for Parse; parsing
// again reuses its memory, so a Message lives no longer than the next Parse.
type Message struct {
	Raw []byte // the message without leading empty lines

	Method     []byte // requests: as written
	RequestURI []byte // requests: as written
	Status     int    // responses: 100 to 699; 0 for requests
	Reason     []byte // responses: reason phrase

	Headers []Header
	Body    []byte // as long as Content-Length says, else to the end

	header int // offset in Raw of the first header field
}

// Error is a fault in a message, with the status code that answers it.
type Error struct {
	Code   int    // 400, 416, 483, 505, …
	Reason string // what is wrong, fit for a reason phrase
}

// Error is "CODE REASON".
func (e *Error) Error() string { return fmt.Sprintf("%d %s", e.Code, e.Reason) }

func bad(format string, args ...any) *Error {
	return &Error{Code: 400, Reason: fmt.Sprintf(format, args...)}
}

// ErrNotSIP is what Parse returns for bytes that are no SIP message at all and
// deserve no answer.
var ErrNotSIP = &Error{Code: 0, Reason: "not a SIP message"}

// Parse reads raw into m. It returns nil, ErrNotSIP, or an *Error with the code
// that answers the fault; in the latter case m still holds every header field
// that could be read, so that the answer can be built. Empty lines before the
// start line are skipped (RFC 3261 §7.5).
func Parse(raw []byte, m *Message) error {
	for len(raw) > 0 && (raw[0] == '\r' || raw[0] == '\n') {
		raw = raw[1:]
	}
	*m = Message{Raw: raw, Headers: m.Headers[:0]}
	end := bytes.IndexByte(raw, '\n')
	if end < 1 {
		return ErrNotSIP
	}
	m.header = end + 1
	fault := m.startLine(bytes.TrimSuffix(raw[:end], []byte{'\r'}))
	if fault == ErrNotSIP {
		return fault
	}
	if raw[end-1] != '\r' && fault == nil {
		fault = bad("Line ends without CR")
	}
	rest, err := m.headers(raw[end+1:])
	if fault == nil {
		fault = err
	}
	if err := m.body(rest); fault == nil {
		fault = err
	}
	if fault != nil {
		return fault
	}
	return nil
}

// IsRequest tells a request from a response.
func (m *Message) IsRequest() bool { return m.Status == 0 }

// Is tells whether the message is a request with that method. Methods are
// case-sensitive (RFC 3261 §7.1).
func (m *Message) Is(method string) bool { return m.Status == 0 && string(m.Method) == method }

const (
	version = "SIP/2.0"
	// maxHeaders bounds the work that one datagram can ask for.
	maxHeaders = 512
)

func (m *Message) startLine(line []byte) *Error {
	if len(line) >= 4 && EqualFold(line[:4], "SIP/") {
		return m.statusLine(line)
	}
	method, rest, ok := bytes.Cut(line, []byte{' '})
	if !ok || !allToken(method) {
		return ErrNotSIP
	}
	last := bytes.LastIndexByte(bytes.TrimRight(rest, " \t"), ' ')
	if last < 0 {
		return ErrNotSIP
	}
	uri, proto := rest[:last], rest[last+1:]
	if len(proto) < 4 || !EqualFold(proto[:4], "SIP/") {
		return ErrNotSIP
	}
	m.Method, m.RequestURI = method, uri
	switch {
	case !EqualFold(bytes.TrimRight(proto, " \t"), version):
		return &Error{Code: 505, Reason: "Version Not Supported"}
	case len(proto) != len(version) || len(uri) == 0 || bytes.ContainsAny(uri, " \t"):
		return bad("Malformed Request-Line")
	}
	return nil
}

func (m *Message) statusLine(line []byte) *Error {
	proto, rest, _ := bytes.Cut(line, []byte{' '})
	code, reason, _ := bytes.Cut(rest, []byte{' '})
	v, ok := parseUint(code, 699)
	if !ok || len(code) != 3 || v < 100 {
		return ErrNotSIP
	}
	m.Status, m.Reason = int(v), reason
	if !EqualFold(proto, version) {
		return &Error{Code: 505, Reason: "Version Not Supported"}
	}
	return nil
}

// headers reads the header fields up to the empty line and returns what follows
// it. It goes on after a fault, so that a faulty request can be answered.
func (m *Message) headers(b []byte) (body []byte, fault *Error) {
	note := func(e *Error) {
		if fault == nil {
			fault = e
		}
	}
	for {
		end, strict := lineEnd(b)
		if end < 0 {
			note(bad("No empty line after the header"))
			return nil, fault
		}
		if !strict {
			note(bad("Line ends without CR"))
		}
		line := bytes.TrimRight(b[:end], "\r\n")
		if len(line) == 0 {
			return b[end:], fault
		}
		if e := m.field(b[:end]); e != nil {
			note(e)
		}
		b = b[end:]
	}
}

// lineEnd finds the end of a header field with its continuation lines; strict is
// false when one of them ends in LF alone.
func lineEnd(b []byte) (end int, strict bool) {
	strict = true
	for from := 0; ; {
		i := bytes.IndexByte(b[from:], '\n')
		if i < 0 {
			return -1, strict
		}
		i += from
		if i == 0 || b[i-1] != '\r' {
			strict = false
		}
		empty := from == 0 && i <= 1 && (i == 0 || b[0] == '\r')
		if empty || i+1 >= len(b) || (b[i+1] != ' ' && b[i+1] != '\t') {
			return i + 1, strict
		}
		from = i + 1
	}
}

func (m *Message) field(line []byte) *Error {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return bad("Header line without a colon")
	}
	name := bytes.TrimRight(line[:colon], " \t")
	if !allToken(name) {
		return bad("Malformed header name")
	}
	start := m.Offset(line)
	value := trim(m.Raw[start+colon+1 : start+len(line)])
	if bareNUL(value) {
		return bad("NUL in %s", name)
	}
	if len(m.Headers) == maxHeaders {
		return bad("Too many header fields")
	}
	m.Headers = append(m.Headers, Header{
		ID:    lookupHeader(name),
		Name:  m.Raw[start : start+len(name)],
		Value: value,
		Line:  m.Raw[start : start+len(line)],
	})
	return nil
}

// bareNUL tells whether a NUL stands where no quoted-pair allows it (RFC 3261
// §25.1).
func bareNUL(b []byte) bool {
	for i, c := range b {
		if c == 0 && (i == 0 || b[i-1] != '\\') {
			return true
		}
	}
	return false
}

// body applies Content-Length: over UDP too little is a fault and too much is
// cut off (RFC 3261 §18.3).
func (m *Message) body(rest []byte) *Error {
	m.Body = rest
	seen := -1
	for i := range m.Headers {
		h := &m.Headers[i]
		if h.ID != HContentLength {
			continue
		}
		n, ok := parseUint(h.Value, 1<<31)
		switch {
		case !ok:
			return bad("Malformed Content-Length")
		case seen >= 0 && seen != int(n):
			return bad("Conflicting Content-Length")
		case int(n) > len(rest):
			return bad("Content-Length beyond the datagram")
		}
		seen = int(n)
	}
	if seen >= 0 {
		m.Body = rest[:seen]
	}
	return nil
}

// Offset is where sub, a slice of m.Raw that m handed out, starts in m.Raw.
func (m *Message) Offset(sub []byte) int {
	return offset(m.Raw, sub)
}

// HeaderOffset is where the header fields start in m.Raw.
func (m *Message) HeaderOffset() int { return m.header }

// Get is the first header field with that ID, or nil.
func (m *Message) Get(id HeaderID) *Header {
	for i := range m.Headers {
		if m.Headers[i].ID == id {
			return &m.Headers[i]
		}
	}
	return nil
}

// Value is the value of the first header field with that ID, or nil.
func (m *Message) Value(id HeaderID) []byte {
	if h := m.Get(id); h != nil {
		return h.Value
	}
	return nil
}

// Count is how many header fields have that ID.
func (m *Message) Count(id HeaderID) int {
	n := 0
	for i := range m.Headers {
		if m.Headers[i].ID == id {
			n++
		}
	}
	return n
}

// Values yields the elements of a header field that is a comma-separated list
// (Via, Route, Record-Route, Contact, Path, …), over all fields with that ID, in
// order. Commas inside quotes and angle brackets do not part elements.
func (m *Message) Values(id HeaderID) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := range m.Headers {
			if m.Headers[i].ID != id {
				continue
			}
			rest := m.Headers[i].Value
			for {
				elem, next, more := cutElement(rest)
				if !yield(elem) {
					return
				}
				if !more {
					break
				}
				rest = next
			}
		}
	}
}

// First is the first element of a list header field, or nil.
func (m *Message) First(id HeaderID) []byte {
	if h := m.Get(id); h != nil {
		elem, _, _ := cutElement(h.Value)
		return elem
	}
	return nil
}

// CallID is the value of Call-ID, or nil.
func (m *Message) CallID() []byte { return m.Value(HCallID) }
