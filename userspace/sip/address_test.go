// SPDX-License-Identifier: Apache-2.0

package sip

import (
	"net/netip"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for _, c := range []struct{ in, display, uri, params, tag string }{
		{`<sip:a@h>`, "", "sip:a@h", "", ""},
		{`"A, \"B\" <C>" <sip:a@h;lr>;tag=x;q=1`, `"A, \"B\" <C>"`, "sip:a@h;lr", ";tag=x;q=1", "x"},
		{`Alice B <sip:a@h> ; TAG=x`, "Alice B", "sip:a@h", "; TAG=x", "x"},
		{`sip:a@h;tag=x`, "", "sip:a@h", ";tag=x", "x"},
		{`Ünï <sip:a@h>`, "Ünï", "sip:a@h", "", ""},
		{`<sip:a@h?x=y,z>;expires=0`, "", "sip:a@h?x=y,z", ";expires=0", ""},
		{`<tel:+1>`, "", "tel:+1", "", ""},
	} {
		a, err := ParseAddress([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		got := [...]string{string(a.Display), string(a.URI.Raw), string(a.Params), string(a.Tag())}
		if got != [...]string{c.display, c.uri, c.params, c.tag} {
			t.Errorf("%s: %q", c.in, got)
		}
	}
	for _, in := range []string{
		"", "*", "<sip:a@h", "sip:a@h>", `"A <sip:a@h>`, `"A" B <sip:a@h>`, "a@b <sip:a@h>", "<sip:a@h>x", "sip:a@h?x=y", "sip:a@h,sip:b@h", "<<sip:a@h>>", "<>",
	} {
		if a, err := ParseAddress([]byte(in)); err == nil {
			t.Errorf("%q passes as %+v", in, a)
		}
	}
}

func TestParseVia(t *testing.T) {
	for _, c := range []struct {
		in, transport, host string
		port                uint16
		branch, target      string
	}{
		{"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx", "UDP", "192.0.2.1", 0, "z9hG4bKx", "192.0.2.1:5060"},
		{"SIP / 2.0 / tcp  h.example : 5070 ;branch = z;received=192.0.2.9", "tcp", "h.example", 5070, "z", "192.0.2.9:5070"},
		{"SIP/2.0/UDP 10.0.0.1:5061;rport=7000;received=192.0.2.9", "UDP", "10.0.0.1", 5061, "", "192.0.2.9:7000"},
		{"SIP/2.0/UDP 10.0.0.1:5061;rport", "UDP", "10.0.0.1", 5061, "", "10.0.0.1:5061"},
		{"SIP/2.0/UDP [2001:db8::1]:5061;maddr=1.2.3.4", "UDP", "[2001:db8::1]", 5061, "", "[2001:db8::1]:5061"},
		{"SIP/7.0/UDP 192.0.2.1:5062", "UDP", "192.0.2.1", 5062, "", "192.0.2.1:5062"},
		{"SIP/2.0/UDP\r\n h.example", "UDP", "h.example", 0, "", ""},
		{"SIP/2.0/UDP 10.0.0.1;rport=99999", "UDP", "10.0.0.1", 0, "", "10.0.0.1:5060"},
	} {
		v, err := ParseVia([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		at, ok := v.Target()
		if string(v.Transport) != c.transport || string(v.Host) != c.host || v.Port != c.port || string(v.Branch()) != c.branch {
			t.Errorf("%s: %+v", c.in, v)
		}
		if ok != (c.target != "") || ok && at.String() != c.target {
			t.Errorf("%s: target %v %v", c.in, at, ok)
		}
	}
	for _, in := range []string{"", "SIP/2.0/UDP", "SIP/2.0 h", "SIP//UDP h", "HTTP/2.0/UDP h", "SIP/2.0/UDP ;x", "SIP/2.0/UDP h:x", "SIP/2.0/UDP h:0", "SIP/2.0/ h:5060"} {
		if _, err := ParseVia([]byte(in)); err == nil {
			t.Errorf("%q passes", in)
		}
	}
}

func TestAppendReceivedTrustsTheSourceAlone(t *testing.T) {
	source := netip.MustParseAddrPort("198.51.100.7:4000")
	for in, want := range map[string]string{
		"SIP/2.0/UDP 198.51.100.7:5060;branch=z":                        "SIP/2.0/UDP 198.51.100.7:5060;branch=z",
		"SIP/2.0/UDP 10.0.0.1;branch=z":                                 "SIP/2.0/UDP 10.0.0.1;branch=z;received=198.51.100.7",
		"SIP/2.0/UDP h.example":                                         "SIP/2.0/UDP h.example;received=198.51.100.7",
		"SIP/2.0/UDP 198.51.100.7;rport;branch=z":                       "SIP/2.0/UDP 198.51.100.7;branch=z;received=198.51.100.7;rport=4000",
		"SIP/2.0/UDP 10.0.0.1;received=1.2.3.4;x;received=5.6.7.8":      "SIP/2.0/UDP 10.0.0.1;x;received=198.51.100.7",
		"SIP/2.0/UDP 198.51.100.7;received=1.2.3.4":                     "SIP/2.0/UDP 198.51.100.7",
		"SIP/2.0/UDP 198.51.100.7;rport=1;RPORT=2;Received=\"1.2.3.4\"": "SIP/2.0/UDP 198.51.100.7;received=198.51.100.7;rport=4000",
		"no Via": "no Via",
	} {
		if got := string(AppendReceived(nil, []byte(in), source)); got != want {
			t.Errorf("%s:\n%s, want\n%s", in, got, want)
		}
	}
}

func TestParseCSeq(t *testing.T) {
	for in, want := range map[string]uint32{"1 INVITE": 1, "0009\t INVITE": 9, "2147483647 INVITE": 2147483647, "0 INVITE": 0} {
		c, err := ParseCSeq([]byte(in))
		if err != nil || c.Number != want || string(c.Method) != "INVITE" {
			t.Errorf("%q: %+v %v", in, c, err)
		}
	}
	for _, in := range []string{"", "1", "INVITE", "x INVITE", "2147483648 INVITE", "-1 INVITE", "1 INV ITE", "1 INV@TE", "99999999999999999999999 X"} {
		if _, err := ParseCSeq([]byte(in)); err == nil {
			t.Errorf("%q passes", in)
		}
	}
}
