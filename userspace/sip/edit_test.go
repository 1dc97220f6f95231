// SPDX-License-Identifier: Apache-2.0

package sip

import (
	"bytes"
	"strings"
	"testing"
)

func TestEditorSplices(t *testing.T) {
	m := parse(t, invite)
	for name, c := range map[string]struct {
		edit func(*Editor)
		from string
		to   string
	}{
		"nothing":         {func(*Editor) {}, "", ""},
		"replace":         {func(e *Editor) { e.Replace(m.RequestURI, []byte("sip:x")) }, "sip:bob@example.com", "sip:x"},
		"replace value":   {func(e *Editor) { e.Replace(m.Value(HMaxForwards), []byte("69")) }, "70", "69"},
		"delete line":     {func(e *Editor) { e.Delete(m.Get(HMaxForwards).Line) }, "Max-Forwards: 70\r\n", ""},
		"delete folded":   {func(e *Editor) { e.Delete(m.Headers[7].Line) }, "Subject: one\r\n two\r\n\tthree\r\n", ""},
		"delete all":      {func(e *Editor) { e.DeleteAll(m, HRoute) }, "Route: <sip:r1;lr>,<sip:r2,x;lr>\r\n", ""},
		"delete none":     {func(e *Editor) { e.DeleteAll(m, HContact) }, "", ""},
		"pop in line":     {func(e *Editor) { e.PopFirst(m, HRoute, 1) }, "<sip:r1;lr>,", ""},
		"pop whole line":  {func(e *Editor) { e.PopFirst(m, HRoute, 2) }, "Route: <sip:r1;lr>,<sip:r2,x;lr>\r\n", ""},
		"pop one Via":     {func(e *Editor) { e.PopFirst(m, HVia, 1) }, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1,", ""},
		"pop across":      {func(e *Editor) { e.PopFirst(m, HVia, 3) }, invite[len("INVITE sip:bob@example.com SIP/2.0\r\n"):strings.Index(invite, "Max")], ""},
		"pop too many":    {func(e *Editor) { e.PopFirst(m, HRoute, 9) }, "Route: <sip:r1;lr>,<sip:r2,x;lr>\r\n", ""},
		"prepend":         {func(e *Editor) { e.Prepend(m, HRoute, []byte("Route: <sip:r0>\r\n")) }, "Route:", "Route: <sip:r0>\r\nRoute:"},
		"prepend new":     {func(e *Editor) { e.Prepend(m, HContact, []byte("m: <sip:c>\r\n")) }, "Via:", "m: <sip:c>\r\nVia:"},
		"insert after":    {func(e *Editor) { e.InsertAfter(m.Value(HMaxForwards), []byte("0")) }, "70", "700"},
		"order of calls":  {func(e *Editor) { e.Insert(0, []byte("a")); e.Insert(0, []byte("b")) }, "INVITE sip", "abINVITE sip"},
		"insert + delete": {func(e *Editor) { e.Delete(m.Get(HVia).Line); e.Prepend(m, HVia, []byte("V\r\n")) }, strings.SplitAfter(invite, "\r\n")[1], "V\r\n"},
		"overlap":         {func(e *Editor) { e.Delete(m.Get(HMaxForwards).Line); e.Replace(m.Value(HMaxForwards), []byte("1")) }, "Max-Forwards: 70\r\n", ""},
	} {
		var e Editor
		e.Reset(m)
		c.edit(&e)
		want := invite
		if c.from != "" {
			want = strings.Replace(invite, c.from, c.to, 1)
		}
		if got := string(e.AppendTo([]byte("> "))); got != "> "+want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

func TestEditorCopiesItsTexts(t *testing.T) {
	m := parse(t, invite)
	var e Editor
	e.Reset(m)
	text := []byte("69")
	e.Replace(m.Value(HMaxForwards), text)
	text[0] = 'X'
	if !bytes.Contains(e.AppendTo(nil), []byte("Max-Forwards: 69\r\n")) {
		t.Fatal("the caller's bytes are used later")
	}
	e.Reset(m)
	if string(e.AppendTo(nil)) != invite {
		t.Fatal("Reset keeps splices")
	}
}

// Whatever the bytes: no panic; every slice lies in Raw where Offset says; the
// header fields follow each other without gaps in what was read; an editor
// without edits writes Raw; deleting a field leaves the others; a valid message is
// still valid, and reads the same, after popping and prepending a Via.
func FuzzParse(f *testing.F) {
	f.Add([]byte(invite))
	f.Add([]byte("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a,SIP/2.0/UDP b\r\nFrom:<sip:a@b>\r\nTo:<sip:a@b>\r\ni:x\r\nCSeq:1 A\r\n\r\n"))
	f.Add([]byte(strings.ReplaceAll(invite, "\r\n", "\n")))
	f.Add([]byte("INVITE sip:a SIP/2.0\r\nRoute: \"<,\\\"\" <sip:,>,,\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var m Message
		err := Parse(raw, &m)
		if err == ErrNotSIP {
			return
		}
		checkSlices(t, &m)
		var e Editor
		e.Reset(&m)
		if !bytes.Equal(e.AppendTo(nil), m.Raw) {
			t.Fatal("an editor without edits changes the message")
		}
		if err != nil || Validate(&m) != nil {
			return
		}
		e.PopFirst(&m, HVia, 1)
		e.Prepend(&m, HVia, []byte("Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKfuzz\r\n"))
		var again Message
		if err := Parse(e.AppendTo(nil), &again); err != nil {
			t.Fatalf("not readable after an edit: %v", err)
		}
		if err := Validate(&again); err != nil {
			t.Fatalf("not valid after an edit: %v", err)
		}
		before, after := list(&m, HVia), list(&again, HVia)
		if strings.Join(before[1:], "|") != strings.Join(after[1:], "|") || !bytes.Equal(m.Body, again.Body) || !bytes.Equal(m.CallID(), again.CallID()) {
			t.Fatalf("the edit changed more than the top Via: %q %q", before, after)
		}
	})
}

func checkSlices(t *testing.T, m *Message) {
	t.Helper()
	inside := func(what string, b []byte) {
		if b == nil {
			return
		}
		at := m.Offset(b)
		if at < 0 || at+len(b) > len(m.Raw) || !bytes.Equal(m.Raw[at:at+len(b)], b) {
			t.Fatalf("%s %q does not lie in Raw at %d", what, b, at)
		}
	}
	at := m.HeaderOffset()
	for i := range m.Headers {
		h := &m.Headers[i]
		inside("name", h.Name)
		inside("value", h.Value)
		inside("line", h.Line)
		if m.Offset(h.Line) < at || len(h.Line) == 0 || h.Line[len(h.Line)-1] != '\n' {
			t.Fatalf("line %q stands at %d, before %d", h.Line, m.Offset(h.Line), at)
		}
		at = m.Offset(h.Line) + len(h.Line)
		if h.ID != HOther {
			for v := range m.Values(h.ID) {
				inside("element", v)
			}
		}
		if a, err := ParseAddress(h.Value); err == nil {
			inside("URI", a.URI.Raw)
			inside("display name", a.Display)
		}
	}
	if m.Body != nil {
		inside("body", m.Body)
	}
}
