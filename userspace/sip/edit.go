// SPDX-License-Identifier: Apache-2.0

package sip

import "slices"

// Editor collects splices on a message and writes the result in one pass. The
// zero value is ready; Reset starts over and keeps the memory. The text of a
// splice is copied into the editor, so the caller may reuse its own.
type Editor struct {
	raw  []byte
	cuts []splice
	text []byte
}

// splice replaces raw[from:to] by text[at:end].
type splice struct{ from, to, at, end int }

// compare orders splices by place; an insertion comes before a replacement that
// starts where it stands.
func (a splice) compare(b splice) int {
	if a.from != b.from {
		return a.from - b.from
	}
	return min(1, a.to-a.from) - min(1, b.to-b.from)
}

// Reset points the editor at a message and forgets earlier splices.
func (e *Editor) Reset(m *Message) {
	e.raw, e.cuts, e.text = m.Raw, e.cuts[:0], e.text[:0]
}

// Replace puts text in the place of old, a slice that the message handed out.
func (e *Editor) Replace(old, text []byte) {
	from := offset(e.raw, old)
	e.add(from, from+len(old), text)
}

// Delete removes old, a slice that the message handed out.
func (e *Editor) Delete(old []byte) { e.Replace(old, nil) }

// Insert puts text before the byte at offset at. Texts inserted at one place
// stand in the order of their calls.
func (e *Editor) Insert(at int, text []byte) { e.add(at, at, text) }

// InsertAfter puts text behind old, a slice that the message handed out.
func (e *Editor) InsertAfter(old, text []byte) { e.Insert(offset(e.raw, old)+len(old), text) }

func (e *Editor) add(from, to int, text []byte) {
	at := len(e.text)
	e.text = append(e.text, text...)
	e.cuts = append(e.cuts, splice{from, to, at, len(e.text)})
}

// DeleteAll removes every header field with that ID.
func (e *Editor) DeleteAll(m *Message, id HeaderID) {
	for i := range m.Headers {
		if m.Headers[i].ID == id {
			e.Delete(m.Headers[i].Line)
		}
	}
}

// PopFirst removes the first n elements of a list header field: whole fields
// where all their elements go, else the front of the list.
func (e *Editor) PopFirst(m *Message, id HeaderID, n int) {
	for i := range m.Headers {
		h := &m.Headers[i]
		if h.ID != id || n == 0 {
			continue
		}
		rest, more := h.Value, true
		for n > 0 && more {
			_, rest, more = cutElement(rest)
			n--
		}
		if !more {
			e.Delete(h.Line)
			continue
		}
		from := offset(e.raw, h.Value)
		e.add(from, offset(e.raw, rest), []byte(nil))
	}
}

// Prepend puts a whole line (with CRLF) before the first header field with that
// ID, or before all header fields when there is none.
func (e *Editor) Prepend(m *Message, id HeaderID, line []byte) {
	at := m.header
	if h := m.Get(id); h != nil {
		at = m.Offset(h.Line)
	}
	e.Insert(at, line)
}

// AppendTo writes the edited message behind dst. Splices that overlap an earlier
// one are dropped: the first to claim bytes keeps them.
func (e *Editor) AppendTo(dst []byte) []byte {
	slices.SortStableFunc(e.cuts, splice.compare)
	at := 0
	for _, c := range e.cuts {
		if c.from < at {
			continue
		}
		dst = append(dst, e.raw[at:c.from]...)
		dst = append(dst, e.text[c.at:c.end]...)
		at = c.to
	}
	return append(dst, e.raw[at:]...)
}
