// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

func message(t *testing.T, fields string) *sip.Message {
	t.Helper()
	m := &sip.Message{}
	raw := "INVITE sip:bob@192.0.2.1 SIP/2.0\r\nRoute: <sip:a;lr>, <sip:b;lr>\r\n" + fields + "\r\n"
	if err := sip.Parse([]byte(raw), m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTargetsComeBackAsTheyWereWritten(t *testing.T) {
	want := []Target{
		{URI: "sip:bob@192.0.2.1", Route: []string{"<sip:a;lr>", "<sip:b;lr>"}},
		{URI: "sip:bob,2@192.0.2.2;alias=192.0.2.9~5~1"},
		{URI: "sip:bob@[2001:db8::1]", Next: true, Ring: 20 * time.Second, Reply: 4 * time.Second, On: []int{408, 503},
			Route: []string{`"q\"" <sip:c;lr;x="y,z">`}},
	}
	var fields []byte
	for i := range want[1:] {
		fields = want[i+1].Append(fields)
	}
	m := message(t, string(fields))
	got, err := Read(m)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("read %+v, %v from\n%s", got, err, fields)
	}
	if string(Signed(m)) != string(SignedText(fields)) {
		t.Fatalf("signed %q as received, %q as written", Signed(m), SignedText(fields))
	}
	if signed := string(Signed(m)); strings.Count(signed, "\n") != 2 || !strings.Contains(signed, "sip:bob,2@") {
		t.Fatalf("signed: %q", signed)
	}
	if Signed(message(t, "")) != nil {
		t.Fatal("a request with one target has nothing more to sign")
	}
}

func TestWhatAppendDidNotWriteIsRefused(t *testing.T) {
	for _, value := range []string{
		"", "<sip:", "<sip:a@b>;ring=x", "<sip:a@b>;ring=0", "<sip:a@b>;reply=-1", "<sip:a@b>;ring=999999",
		"<sip:a@b>;on=", "<sip:a@b>;on=200", "<sip:a@b>;on=486.x",
	} {
		if got, err := Read(message(t, sip.TargetHeader+": "+value+"\r\n")); err != ErrMalformed {
			t.Errorf("%q: read %+v, %v", value, got, err)
		}
	}
	many := strings.Repeat(sip.TargetHeader+": <sip:a@b>\r\n", MaxTargets)
	if _, err := Read(message(t, many)); err != ErrMalformed {
		t.Errorf("%d targets: %v", MaxTargets+1, err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`<sip:a@b>;next;ring=20;on=408.503;route="<sip:c;lr>"`)
	f.Fuzz(func(t *testing.T, value string) {
		m := &sip.Message{}
		raw := "INVITE sip:bob@192.0.2.1 SIP/2.0\r\n" + sip.TargetHeader + ": " + value + "\r\n\r\n"
		if sip.Parse([]byte(raw), m) != nil {
			return
		}
		all, err := Read(m)
		if err != nil || len(all) != 2 || strings.ContainsAny(value, "\r\n") {
			return
		}
		again := &sip.Message{}
		if err := sip.Parse(append(append([]byte("INVITE sip:bob@192.0.2.1 SIP/2.0\r\n"), all[1].Append(nil)...), "\r\n"...), again); err != nil {
			t.Fatalf("%+v: %v", all[1], err)
		}
		if back, err := Read(again); err != nil || !reflect.DeepEqual(back, all) {
			t.Fatalf("%+v became %+v, %v", all, back, err)
		}
	})
}
