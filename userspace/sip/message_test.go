// SPDX-License-Identifier: Apache-2.0

package sip

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

const invite = "INVITE sip:bob@example.com SIP/2.0\r\n" +
	"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1, SIP/2.0/UDP 192.0.2.2\r\n" +
	"v: SIP/2.0/UDP 192.0.2.3\r\n" +
	"Max-Forwards: 70\r\n" +
	"f: \"A, B\" <sip:a@h>;tag=x\r\n" +
	"TO : <sip:b@h>\r\n" +
	"i:  abc@h \r\n" +
	"CSeq: 7 INVITE\r\n" +
	"Subject: one\r\n two\r\n\tthree\r\n" +
	"Route: <sip:r1;lr>,<sip:r2,x;lr>\r\n" +
	"l: 4\r\n\r\nbody"

func parse(t testing.TB, raw string) *Message {
	t.Helper()
	m := &Message{}
	if err := Parse([]byte(raw), m); err != nil {
		t.Fatalf("%v in\n%s", err, raw)
	}
	return m
}

func list(m *Message, id HeaderID) (all []string) {
	for v := range m.Values(id) {
		all = append(all, string(v))
	}
	return all
}

func TestParseFindsEveryHeaderField(t *testing.T) {
	m := parse(t, "\r\n\r\n"+invite+"beyond")
	if !m.IsRequest() || !m.Is("INVITE") || m.Is("invite") || string(m.RequestURI) != "sip:bob@example.com" {
		t.Fatalf("request line: %q %q", m.Method, m.RequestURI)
	}
	if string(m.CallID()) != "abc@h" || string(m.Body) != "body" || len(m.Headers) != 10 {
		t.Fatalf("Call-ID %q, body %q, %d header fields", m.CallID(), m.Body, len(m.Headers))
	}
	want := []string{"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1", "SIP/2.0/UDP 192.0.2.2", "SIP/2.0/UDP 192.0.2.3"}
	if got := list(m, HVia); !slices.Equal(got, want) || string(m.First(HVia)) != want[0] || m.Count(HVia) != 2 {
		t.Fatalf("Vias %q", got)
	}
	if got := list(m, HRoute); !slices.Equal(got, []string{"<sip:r1;lr>", "<sip:r2,x;lr>"}) {
		t.Fatalf("Routes %q", got)
	}
	subject := m.Headers[7]
	if subject.ID != HOther || string(subject.Value) != "one\r\n two\r\n\tthree" || !strings.HasSuffix(string(subject.Line), "three\r\n") {
		t.Fatalf("folded: %q", subject.Value)
	}
	if h := m.Get(HTo); string(h.Name) != "TO" || string(h.Value) != "<sip:b@h>" {
		t.Fatalf("To: %q %q", h.Name, h.Value)
	}
	if m.Get(HContact) != nil || m.Value(HContact) != nil || m.First(HContact) != nil || list(m, HContact) != nil {
		t.Fatal("found a Contact")
	}
	if err := Validate(m); err != nil {
		t.Fatal(err)
	}
}

func TestParseFaults(t *testing.T) {
	line := func(from, to string) string { return strings.Replace(invite, from, to, 1) }
	for name, c := range map[string]struct {
		raw  string
		code int // 0 is ErrNotSIP
	}{
		"empty": {"", 0}, "blank lines": {"\r\n\r\n", 0}, "no line": {"INVITE", 0}, "HTTP": {"GET / HTTP/1.1\r\n\r\n", 0},
		"two words": {"INVITE SIP/2.0\r\n\r\n", 0}, "method": {"IN@VITE sip:a SIP/2.0\r\n\r\n", 0},
		"status 99": {"SIP/2.0 099 x\r\n\r\n", 0}, "status 700": {"SIP/2.0 700 x\r\n\r\n", 0}, "status x": {"SIP/2.0 2x0 OK\r\n\r\n", 0},
		"version 3":         {line("SIP/2.0\r\nVia", "SIP/3.0\r\nVia"), 505},
		"version 3 status":  {"SIP/3.0 200 OK\r\n\r\n", 505},
		"blank in URI":      {line("sip:bob@example.com", "sip:bob @example.com"), 400},
		"trailing blank":    {line("SIP/2.0\r\nVia", "SIP/2.0 \r\nVia"), 400},
		"no empty line":     {"INVITE sip:a SIP/2.0\r\nVia: x\r\n", 400},
		"no colon":          {line("Max-Forwards: 70", "Max-Forwards 70"), 400},
		"blank in name":     {line("Max-Forwards:", "Max Forwards:"), 400},
		"bare LF":           {line("70\r\n", "70\n"), 400},
		"NUL":               {line("70", "7\x000"), 400},
		"body too short":    {line("l: 4", "l: 5"), 400},
		"length x":          {line("l: 4", "l: x"), 400},
		"length negative":   {line("l: 4", "l: -1"), 400},
		"length huge":       {line("l: 4", "l: 99999999999999999999"), 400},
		"lengths disagree":  {line("l: 4", "l: 4\r\nContent-Length: 3"), 400},
		"lengths agree":     {line("l: 4", "l: 4\r\nContent-Length: 4"), -1},
		"no Content-Length": {line("l: 4\r\n", ""), -1},
		"no reason":         {"SIP/2.0 200\r\n\r\n", -1},
	} {
		var m Message
		err := Parse([]byte(c.raw), &m)
		var fault *Error
		switch {
		case c.code < 0:
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case !errors.As(err, &fault) || fault.Code != c.code:
			t.Errorf("%s: %v, want %d", name, err, c.code)
		case c.code == 0 && err != ErrNotSIP:
			t.Errorf("%s: %v is not ErrNotSIP", name, err)
		}
	}
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct{ from, to, reason string }{
		"no Call-ID":       {"i:  abc@h \r\n", "", "Missing Call-ID"},
		"empty Call-ID":    {"i:  abc@h \r\n", "i:\r\n", "Malformed Call-ID"},
		"two Call-IDs":     {"CSeq:", "Call-ID: x\r\nCSeq:", "Repeated Call-ID"},
		"no From":          {"f: ", "x: ", "Missing From"},
		"bad From":         {"<sip:a@h>", "<sip:a@h", "Malformed From"},
		"CSeq of BYE":      {"7 INVITE", "7 BYE", "CSeq method does not match the request"},
		"CSeq x":           {"7 INVITE", "x INVITE", "Malformed CSeq"},
		"version of a Via": {"SIP/2.0/UDP 192.0.2.2", "SIP/3.0/UDP 192.0.2.2", "Malformed Via protocol"},
		"second Via":       {"SIP/2.0/UDP 192.0.2.2", "SIP/2.0", "Malformed Via protocol"},
		"two Max-Forwards": {"CSeq:", "Max-Forwards: 1\r\nCSeq:", "Repeated Max-Forwards"},
	} {
		m := parse(t, strings.Replace(invite, c.from, c.to, 1))
		err := Validate(m)
		if err == nil || err.Error() != "400 "+c.reason {
			t.Errorf("%s: %v, want %s", name, err, c.reason)
		}
	}
	if err := Validate(parse(t, strings.NewReplacer("Via:", "X:", "v:", "X:").Replace(invite))); err == nil || err.Error() != "400 Missing Via" {
		t.Errorf("no Via: %v", err)
	}
}

func TestMaxForwards(t *testing.T) {
	for in, want := range map[string]int{"70": 70, "0": 0, "255": 255, "007": 7, "256": -1, "-1": -1, "x": -1, "": -1} {
		m := parse(t, strings.Replace(invite, "Max-Forwards: 70", "Max-Forwards: "+in, 1))
		n, ok, err := m.MaxForwards()
		if !ok || (err != nil) != (want < 0) || err == nil && n != want {
			t.Errorf("%q: %d %v %v", in, n, ok, err)
		}
	}
	if _, ok, err := parse(t, strings.Replace(invite, "Max-Forwards", "X", 1)).MaxForwards(); ok || err != nil {
		t.Errorf("none: %v %v", ok, err)
	}
}

func TestHeaderNamesLongCompactAndInAnyCase(t *testing.T) {
	for id := HVia; id < headerIDs; id++ {
		for _, name := range []string{id.String(), strings.ToUpper(id.String()), strings.ToLower(id.String())} {
			if got := lookupHeader([]byte(name)); got != id {
				t.Errorf("%s is %v", name, got)
			}
		}
		if c := headerNames[id].compact; c != 0 && (lookupHeader([]byte{c}) != id || lookupHeader([]byte{c - 32}) != id) {
			t.Errorf("%c is not %v", c, id)
		}
	}
	if lookupHeader([]byte("z")) != HOther || lookupHeader([]byte("Vias")) != HOther || HeaderID(200).String() != "" {
		t.Error("knew what it cannot know")
	}
}

func TestAppendResponse(t *testing.T) {
	source := netip.MustParseAddrPort("198.51.100.7:4000")
	m := parse(t, invite)
	got := string(AppendResponse([]byte("> "), m, source, 486, "Busy Here", "tt", "Retry-After: 5\r\n"))
	want := "> SIP/2.0 486 Busy Here\r\n" +
		"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1;received=198.51.100.7, SIP/2.0/UDP 192.0.2.2\r\n" +
		"v: SIP/2.0/UDP 192.0.2.3\r\nf: \"A, B\" <sip:a@h>;tag=x\r\nTo: <sip:b@h>;tag=tt\r\ni:  abc@h \r\nCSeq: 7 INVITE\r\n" +
		"Retry-After: 5\r\nContent-Length: 0\r\n\r\n"
	if got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	if trying := string(AppendResponse(nil, m, source, 100, "Trying", "tt")); strings.Contains(trying, "tag=tt") {
		t.Fatal("100 Trying got a To tag")
	}
	tagged := parse(t, strings.Replace(invite, "<sip:b@h>", "<sip:b@h>;tag=y", 1))
	if again := string(AppendResponse(nil, tagged, source, 200, "OK", "tt")); strings.Contains(again, "tt") || !strings.Contains(again, "tag=y") {
		t.Fatalf("To tag changed:\n%s", again)
	}
}

func TestAnswersToFaultyRequestsAreNotAtFault(t *testing.T) {
	source := netip.MustParseAddrPort("198.51.100.7:4000")
	for _, raw := range []string{
		strings.ReplaceAll(invite, "\r\n", "\n"),
		strings.Replace(invite, "CSeq:", "Call-ID: second\r\nFrom: <sip:x@y>\r\nCSeq:", 1),
		strings.Replace(invite, "f: ", "f:\n ", 1),
	} {
		var m, out Message
		if err := Parse([]byte(raw), &m); err == nil && Validate(&m) == nil {
			t.Fatal("no fault in the request")
		}
		if !Answerable(&m) {
			t.Fatalf("not answerable:\n%s", raw)
		}
		answer := AppendResponse(nil, &m, source, 400, "Bad Request", "tt")
		if err := Parse(answer, &out); err != nil {
			t.Fatalf("%v in\n%q", err, answer)
		}
		if err := Validate(&out); err != nil {
			t.Fatalf("%v in\n%q", err, answer)
		}
	}
}

func TestAnswerable(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		want     bool
	}{
		"as is": {"", "", true}, "ACK": {"INVITE sip", "ACK sip", false}, "no To": {"TO :", "X:", true}, "no CSeq": {"CSeq", "X", false},
		"a later version": {"SIP/2.0/UDP 192.0.2.1;", "SIP/7.0/UDP 192.0.2.1;", true}, "no usable Via": {"SIP/2.0/UDP 192.0.2.1;", "SIP;", false}, "response": {"INVITE sip:bob@example.com SIP/2.0", "SIP/2.0 200 OK", false},
	} {
		if got := Answerable(parse(t, strings.Replace(invite, c.from, c.to, 1))); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestViaParametersMustBeClosed(t *testing.T) {
	for _, params := range []string{";x=<", `;x="`, ";branch=z9hG4bK<1", ";x=>"} {
		if _, err := ParseVia([]byte("SIP/2.0/UDP 192.0.2.1" + params + ";rport")); err == nil {
			t.Errorf("%s: accepted, and received behind it would be overlooked", params)
		}
	}
}

func TestNULStandsOnlyInAQuotedPair(t *testing.T) {
	var m Message
	if err := Parse([]byte(strings.Replace(invite, "f: ", "f: \"a\\\x00\" ", 1)), &m); err != nil {
		t.Errorf("escaped: %v", err)
	}
	if err := Parse([]byte(strings.Replace(invite, "f: ", "f: \"a\x00\" ", 1)), &m); err == nil {
		t.Error("bare: accepted")
	}
}

func TestHeaderFieldsAreBounded(t *testing.T) {
	var m Message
	if err := Parse([]byte(strings.Replace(invite, "f: ", strings.Repeat("a:b\r\n", 10000)+"f: ", 1)), &m); err == nil || len(m.Headers) > maxHeaders {
		t.Errorf("%d header fields, %v", len(m.Headers), err)
	}
}
