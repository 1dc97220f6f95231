// SPDX-License-Identifier: Apache-2.0

package sip

import (
	"errors"
	"testing"
)

func TestParseURI(t *testing.T) {
	for _, c := range []struct {
		in, scheme, user, password, host, params, headers string
		port                                              uint16
	}{
		{"sip:alice@example.com", "sip", "alice", "", "example.com", "", "", 0},
		{"SIPS:alice:pw@example.com:5071;a;b=c?x=y", "SIPS", "alice", "pw", "example.com", ";a;b=c", "x=y", 5071},
		{"sip:example.com", "sip", "", "", "example.com", "", "", 0},
		{"sip:a;b=c?d@example.com;lr", "sip", "a;b=c?d", "", "example.com", ";lr", "", 0},
		{"sip:a@[2001:db8::1]:5062;x", "sip", "a", "", "[2001:db8::1]", ";x", "", 5062},
		{"sip:a@192.0.2.1?h=1", "sip", "a", "", "192.0.2.1", "", "h=1", 0},
		{"sip:%61@h_x.example", "sip", "%61", "", "h_x.example", "", "", 0},
	} {
		u, err := ParseURI([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		got := [...]string{string(u.Scheme), string(u.User), string(u.Password), string(u.Host), string(u.Params), string(u.Headers)}
		want := [...]string{c.scheme, c.user, c.password, c.host, c.params, c.headers}
		if got != want || u.Port != c.port || !u.IsSIP() || string(u.Raw) != c.in {
			t.Errorf("%s: %q port %d", c.in, got, u.Port)
		}
	}
	tel, err := ParseURI([]byte("tel:+49-30-1234;phone-context=x"))
	if err != nil || tel.IsSIP() || string(tel.Opaque) != "+49-30-1234;phone-context=x" {
		t.Errorf("tel: %+v %v", tel, err)
	}
}

func TestParseURIRefuses(t *testing.T) {
	for _, in := range []string{
		"", "alice", ":x", "1sip:x", "sip:", "sip:@h", "sip:a@", "sip:a@h:", "sip:a@h:0", "sip:a@h:65536", "sip:a@h:5x",
		"sip:a@[::1", "sip:a@[zz]", "sip:a b@h", "sip:a@h<", "sip:a%4@h", "sip:a%zz@h", "sip:a@b@c", "sip:a@h/x", "tel:", "tel:1 2",
	} {
		var fault *Error
		if _, err := ParseURI([]byte(in)); !errors.As(err, &fault) || fault.Code != 400 {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// The examples are those that RFC 3261 §19.1.4 gives, and a few more.
func TestURIsAreComparedByRFC3261(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp", true},
		{"sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5", true},
		{"sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on", true},
		{"sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com", "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com", true},
		{"sip:alice@atlanta.com?subject=project%20x&priority=urgent", "sip:alice@atlanta.com?priority=urgent&subject=project%20x", true},
		{"sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]", true},
		{"tel:+1", "TEL:+1", true},
		{"SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:5060", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp", false},
		{"sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp", false},
		{"sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting", false},
		{"sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4", false},
		{"sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off", false},
		{"sip:a@h", "sips:a@h", false},
		{"sip:a@h;maddr=1.2.3.4", "sip:a@h", false},
		{"sip:a@h;user=phone", "sip:a@h", false},
		{"sip:a@h", "sip:h", false},
		{"sip:a:x@h", "sip:a:y@h", false},
		{"tel:+1", "tel:+2", false},
	} {
		a, errA := ParseURI([]byte(c.a))
		b, errB := ParseURI([]byte(c.b))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if a.Equal(&b) != c.want || b.Equal(&a) != c.want {
			t.Errorf("%s and %s: want %v", c.a, c.b, c.want)
		}
		if !a.Equal(&a) {
			t.Errorf("%s differs from itself", c.a)
		}
	}
}

func TestHostAddrReadsAddressesAlone(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "0.0.0.0": "0.0.0.0", "255.255.255.255": "255.255.255.255",
		"[2001:db8::1]": "2001:db8::1", "2001:db8::1": "2001:db8::1", "[::ffff:192.0.2.1]": "192.0.2.1",
		"": "", "1.2.3": "", "1.2.3.4.5": "", "1.2.3.256": "", "01.2.3.4": "", "1..2.3": "", "1.2.3.": "", ".1.2.3": "",
		"a.b.c.d": "", "example.com": "", "[fe80::1%eth0]": "", "[]": "", "1.2.3.4x": "",
	} {
		a, ok := HostAddr([]byte(in))
		if ok != (want != "") || ok && a.String() != want {
			t.Errorf("%q: %v %v", in, a, ok)
		}
	}
}

func TestAORIsTheFormInWhichAddressesOfRecordAreCompared(t *testing.T) {
	for in, want := range map[string]string{
		"sip:Alice@EXAMPLE.com:5060;x": "Alice@example.com", "sip:%41lice@example.com": "Alice@example.com", "sip:EXAMPLE.com": "example.com",
	} {
		u, _ := ParseURI([]byte(in))
		if got := u.AOR(); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func TestParamsAreFoundAndRemovedByName(t *testing.T) {
	p := Params(`;a;Bb=1; c = "x;y" ;a=2;d`)
	for name, want := range map[string]string{"a": "", "bb": "1", "C": `"x;y"`, "d": ""} {
		if v, ok := p.Get(name); !ok || string(v) != want {
			t.Errorf("%s: %q %v", name, v, ok)
		}
	}
	if p.Has("x") || p.Has("y\"") || Params(nil).Has("a") {
		t.Error("found what is not there")
	}
	for name, want := range map[string]string{
		"a": `;Bb=1; c = "x;y" ;d`, "c": `;a;Bb=1;a=2;d`, "d": `;a;Bb=1; c = "x;y" ;a=2`, "none": string(p),
	} {
		if got := string(p.Without(name)); got != want {
			t.Errorf("without %s: %s", name, got)
		}
	}
	if got := Params(";received=1;received=2;x;received").Without("received"); string(got) != ";x" {
		t.Errorf("repeated: %s", got)
	}
	if string(p) != `;a;Bb=1; c = "x;y" ;a=2;d` {
		t.Error("Without changed its receiver")
	}
}
