// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

func TestBadRequests(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		code  int
	}{
		{"star without Expires", contact("*"), 400},
		{"star with Expires 1", append(contact("*"), "Expires: 1"), 400},
		{"star with malformed Expires", append(contact("*"), "Expires: x"), 400},
		{"star and a contact", append(contact("*", "<sip:a@h>"), "Expires: 0"), 400},
		{"star twice", append(contact("*", "*"), "Expires: 0"), 400},
		{"star twice in a line", append(contact("*, *"), "Expires: 0"), 400},
		{"star with a parameter", append(contact("*;expires=0"), "Expires: 0"), 400},
		{"empty contact", contact(""), 400},
		{"empty element", contact("<sip:a@h>,"), 400},
		{"no scheme", contact("<a@h>"), 400},
		{"open bracket", contact("<sip:a@h"), 400},
		{"open quote", contact(`"a <sip:a@h>`), 400},
		{"control character", contact("<sip:a\x01@h>"), 400},
		{"endless contact", contact("<sip:" + strings.Repeat("a", 1100) + "@h>"), 400},
		{"q above 1", contact("<sip:a@h>;q=1.001"), 400},
		{"q 2", contact("<sip:a@h>;q=2"), 400},
		{"q of letters", contact("<sip:a@h>;q=high"), 400},
		{"q empty", contact("<sip:a@h>;q="), 400},
		{"q negative", contact("<sip:a@h>;q=-0.1"), 400},
		{"unknown extension", append(contact("<sip:a@h>"), "Require: outbound, path"), 420},
		{"malformed Path", append(contact("<sip:a@h>"), "Supported: path", "Path: nonsense"), 400},
		{"endless Path", append(contact("<sip:a@h>"), "Supported: path", "Path: "+strings.Repeat("<sip:p>,", 16)+"<sip:p>"), 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := Process(epoch, register(t, "c", 1, tt.lines...), phone, vip, aor, nil, limits)
			if out.Code != tt.code || out.Changed {
				t.Errorf("answer %d %s, changed %v; want %d", out.Code, out.Reason, out.Changed, tt.code)
			}
			if want := []string{"outbound"}; tt.code == 420 && !reflect.DeepEqual(values(out.Headers, "Unsupported"), want) {
				t.Errorf("headers %q, want Unsupported: outbound", out.Headers)
			}
		})
	}
}

func TestThe200CarriesTheDate(t *testing.T) {
	out := Process(epoch, register(t, "c", 1), phone, vip, aor, nil, limits)
	if got := values(out.Headers, "Date"); !reflect.DeepEqual(got, []string{"Sun, 01 Mar 2026 12:00:00 GMT"}) {
		t.Errorf("Date %q", got)
	}
}

func TestALoweredLimitLetsRefreshesPass(t *testing.T) {
	three := contact("<sip:a@h>", "<sip:b@h>", "<sip:c@h>")
	current := Process(epoch, register(t, "c", 1, three...), phone, vip, aor, nil, limits).Bindings
	lower := limits
	lower.MaxContacts = 2
	for line, code := range map[string]int{"<sip:a@h>": 200, "<sip:a@h>;expires=0": 200, "<sip:d@h>": 403} {
		out := Process(epoch, register(t, "c", 2, contact(line)...), phone, vip, aor, current, lower)
		if out.Code != code {
			t.Errorf("%s: answer %d, want %d", line, out.Code, code)
		}
	}
}

func TestQIsReadAndWritten(t *testing.T) {
	for in, want := range map[string]string{
		"1": "1", "1.000": "1", "1.": "1", "0": "0", "0.0": "0", "0.5": "0.5", ".5": "0.5",
		"0.123": "0.123", "0.1239": "0.123", "0.010": "0.01", "0.": "0",
	} {
		q, ok := thousandths([]byte(in))
		if got := formatQ(q); !ok || got != want {
			t.Errorf("q=%s read as %s, %v; want %s", in, got, ok, want)
		}
	}
}

func TestWhereAPhoneIsReached(t *testing.T) {
	tests := []struct {
		name, contact, source string
		lines                 []string
		hidden                bool
	}{
		{"public address", "<sip:b@203.0.113.9>", "198.51.100.7:40000", nil, false},
		{"its own address, other port", "<sip:b@198.51.100.7:5060>", "198.51.100.7:40000", nil, false},
		{"RFC 1918", "<sip:b@192.168.1.7>", "198.51.100.7:40000", nil, true},
		{"RFC 1918 in the same network", "<sip:b@192.168.1.7>", "192.168.1.7:5060", nil, false},
		{"other RFC 1918 network", "<sip:b@10.0.0.1>", "192.168.1.7:5060", nil, true},
		{"carrier NAT", "<sip:b@100.64.0.1>", "198.51.100.7:40000", nil, true},
		{"beyond carrier NAT", "<sip:b@100.128.0.1>", "198.51.100.7:40000", nil, false},
		{"link-local", "<sip:b@169.254.3.4>", "198.51.100.7:40000", nil, true},
		{"loopback", "<sip:b@127.0.0.1>", "198.51.100.7:40000", nil, true},
		{"unspecified", "<sip:b@0.0.0.0>", "198.51.100.7:40000", nil, true},
		{"IPv6 unique local", "<sip:b@[fd00::7]:5060>", "[2001:db8::7]:5060", nil, true},
		{"IPv6 link-local", "<sip:b@[fe80::7]>", "[2001:db8::7]:5060", nil, true},
		{"IPv6 public", "<sip:b@[2001:db8::8]>", "[2001:db8::7]:5060", nil, false},
		{"mapped", "<sip:b@192.168.1.7>", "[::ffff:192.168.1.7]:5060", nil, false},
		{"name", "<sip:b@phone.invalid>", "198.51.100.7:40000", nil, true},
		{"other scheme", "<tel:+5511>", "198.51.100.7:40000", nil, false},
		{"through a proxy", "<sip:b@192.168.1.7>", "198.51.100.7:40000", []string{"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK0"}, false},
		{"through an edge proxy with Path", "<sip:b@192.168.1.7>", "198.51.100.7:40000",
			[]string{"Supported: path", "Path: <sip:p;lr>"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			source := netip.MustParseAddrPort(tt.source)
			m := register(t, "c", 1, append(tt.lines, "Contact: "+tt.contact)...)
			out := Process(epoch, m, source, vip, aor, nil, limits)
			if out.Code != 200 || len(out.Bindings) != 1 {
				t.Fatalf("answer %d, %d bindings", out.Code, len(out.Bindings))
			}
			want := netip.AddrPort{}
			if tt.hidden {
				want = source
			}
			b := out.Bindings[0]
			if b.Received != want || b.Local != vip {
				t.Errorf("received %v through %v, want %v through %v", b.Received, b.Local, want, vip)
			}
			if "<"+b.Contact+">" != tt.contact {
				t.Errorf("contact %q is not what the phone sent", b.Contact)
			}
		})
	}
}

func TestPathIsKeptForThoseWhoSupportIt(t *testing.T) {
	path := []string{"Path: <sip:p1;lr>, <sip:p2;lr>", "Path: \"x,\r\n y\" <sip:p3;lr>"}
	want := []string{"<sip:p1;lr>", "<sip:p2;lr>", `"x, y" <sip:p3;lr>`}
	for option, kept := range map[string]bool{"Supported: gruu, PATH": true, "Require: path": true, "Supported: gruu": false} {
		m := register(t, "c", 1, append(path, option, "Contact: <sip:a@h>")...)
		out := Process(epoch, m, phone, vip, aor, nil, limits)
		if out.Code != 200 {
			t.Fatalf("answer %d", out.Code)
		}
		expect := want
		if !kept {
			expect = nil
		}
		if !reflect.DeepEqual(out.Bindings[0].Path, expect) || !reflect.DeepEqual(values(out.Headers, "Path"), expect) {
			t.Errorf("%s: kept %q, answered %q", option, out.Bindings[0].Path, values(out.Headers, "Path"))
		}
	}
}

func TestUserAgentIsKeptAsOneShortLine(t *testing.T) {
	m := register(t, "c", 1, "Contact: <sip:a@h>", "User-Agent: Phone\r\n \t1.0\x1b[2J é"+strings.Repeat("x", 200))
	b := Process(epoch, m, phone, vip, aor, nil, limits).Bindings[0]
	if !strings.HasPrefix(b.UserAgent, "Phone 1.0[2J éxxx") || len(b.UserAgent) != maxUserAgent {
		t.Errorf("kept %q (%d bytes)", b.UserAgent, len(b.UserAgent))
	}
}

// Whatever a request says, the answer is whole lines and the bindings are sound.
func FuzzRegister(f *testing.F) {
	f.Add("Contact: <sip:a@h>;q=0.5;expires=60\r\nSupported: path\r\nPath: <sip:p;lr>\r\n")
	f.Add("Contact: *\r\nExpires: 0\r\n")
	f.Add("m: \"a,b\" <sip:a@[::1]:5060;x=1>;+sip.instance=\"<urn:x>\", sip:b@h\r\nRequire: x\r\n")
	f.Fuzz(func(t *testing.T, lines string) {
		m := new(sip.Message)
		text := "REGISTER sip:h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n" + lines + "\r\n"
		if sip.Parse([]byte(text), m) != nil {
			return
		}
		out := Process(epoch, m, phone, vip, aor, nil, limits)
		for _, h := range out.Headers {
			if !strings.HasSuffix(h, "\r\n") || strings.ContainsAny(strings.TrimSuffix(h, "\r\n"), "\r\n\x00") {
				t.Fatalf("header line %q", h)
			}
		}
		if out.Code != 200 && out.Changed || len(out.Bindings) > limits.MaxContacts {
			t.Fatalf("answer %d with %d bindings", out.Code, len(out.Bindings))
		}
		for _, b := range out.Bindings {
			if _, err := sip.ParseURI([]byte(b.Contact)); err != nil || b.Q > 1000 || b.Expired(epoch) {
				t.Fatalf("unsound binding %+v: %v", b, err)
			}
		}
	})
}
