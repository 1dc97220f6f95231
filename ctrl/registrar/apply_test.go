// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/location"
	"github.com/sipsteer/sipsteer/userspace/sip"
)

var (
	epoch  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	phone  = netip.MustParseAddrPort("198.51.100.7:40000")
	vip    = netip.MustParseAddrPort("192.0.2.10:5060")
	limits = Limits{DefaultExpires: time.Hour, MinExpires: time.Minute, MaxExpires: 2 * time.Hour, MaxContacts: 3}
)

const aor = "bob@example.com"

// register is a REGISTER with Call-ID, CSeq number and further header lines.
func register(t testing.TB, callID string, cseq int, lines ...string) *sip.Message {
	t.Helper()
	text := "REGISTER sip:example.com SIP/2.0\r\n" +
		"Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK1\r\n" +
		"From: <sip:bob@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\n" +
		fmt.Sprintf("Call-ID: %s\r\nCSeq: %d REGISTER\r\n", callID, cseq)
	for _, l := range lines {
		text += l + "\r\n"
	}
	m := new(sip.Message)
	if err := sip.Parse([]byte(text+"\r\n"), m); err != nil {
		t.Fatalf("parsing the test's own request: %v", err)
	}
	return m
}

// step is a request and what must become of it.
type step struct {
	callID string
	cseq   int
	lines  []string
	after  time.Duration // since the step before
	code   int
	listed []string // Contact values of a 200; nil: none
}

// play runs the steps one after the other on one address of record.
func play(t *testing.T, steps []step) (last Outcome) {
	t.Helper()
	now := epoch
	var current []location.Binding
	for i, s := range steps {
		now = now.Add(s.after)
		kept := append([]location.Binding(nil), current...)
		last = Process(now, register(t, s.callID, s.cseq, s.lines...), phone, vip, aor, current, limits)
		if last.Code != s.code {
			t.Fatalf("step %d: answer %d %s, want %d", i, last.Code, last.Reason, s.code)
		}
		if !reflect.DeepEqual(current, kept) {
			t.Fatalf("step %d altered the bindings it was given", i)
		}
		if last.Changed != (last.Code == 200 && hasContact(s.lines)) {
			t.Fatalf("step %d: Changed is %v", i, last.Changed)
		}
		if last.Changed {
			current = last.Bindings
		}
		if got := values(last.Headers, "Contact"); s.code == 200 && !reflect.DeepEqual(got, s.listed) {
			t.Fatalf("step %d lists\n%q, want\n%q", i, got, s.listed)
		}
	}
	return last
}

func hasContact(lines []string) bool {
	for _, l := range lines {
		if strings.HasPrefix(l, "Contact:") || strings.HasPrefix(l, "m:") {
			return true
		}
	}
	return false
}

func values(headers []string, name string) (list []string) {
	for _, h := range headers {
		if v, ok := strings.CutPrefix(h, name+": "); ok {
			list = append(list, strings.TrimSuffix(v, "\r\n"))
		}
	}
	return list
}

func contact(v ...string) []string {
	var lines []string
	for _, v := range v {
		lines = append(lines, "Contact: "+v)
	}
	return lines
}

// The flows of RFC 3665 §2.1 to 2.4 as a registrar sees them once the client is
// authenticated; 2.5 ends at the challenge.
func TestFlowsOfRFC3665(t *testing.T) {
	play(t, []step{
		{"1j9FpLxk3uxtm8tn", 2, contact("<sips:bob@client.biloxi.example.com>"), 0, 200,
			[]string{"<sips:bob@client.biloxi.example.com>;q=1;expires=3600"}},
		{"1j9FpLxk3uxtm8tn", 3, contact("<mailto:bob@biloxi.example.com>;q=0.1"), 0, 200,
			[]string{"<sips:bob@client.biloxi.example.com>;q=1;expires=3600", "<mailto:bob@biloxi.example.com>;q=0.1;expires=3600"}},
		{"1j9FpLxk3uxtm8tn", 4, nil, 90 * time.Second, 200,
			[]string{"<sips:bob@client.biloxi.example.com>;q=1;expires=3510", "<mailto:bob@biloxi.example.com>;q=0.1;expires=3510"}},
		{"1j9FpLxk3uxtm8tn", 5, append(contact("*"), "Expires: 0"), 0, 200, nil},
	})
}

func TestHowLongABindingLasts(t *testing.T) {
	tests := []struct {
		name  string
		lines []string
		code  int
		left  int // seconds; 0: no binding
	}{
		{"default", contact("<sip:b@h>"), 200, 3600},
		{"header", append(contact("<sip:b@h>"), "Expires: 600"), 200, 600},
		{"parameter before header", append(contact("<sip:b@h>;expires=700"), "Expires: 30"), 200, 700},
		{"parameter without brackets", contact("sip:b@h;expires=700"), 200, 700},
		{"least", contact("<sip:b@h>;expires=60"), 200, 60},
		{"too brief", contact("<sip:b@h>;expires=59"), 423, 0},
		{"too brief by header", append(contact("<sip:b@h>"), "Expires: 1"), 423, 0},
		{"zero", contact("<sip:b@h>;expires=0"), 200, 0},
		{"too long", contact("<sip:b@h>;expires=7201"), 200, 7200},
		{"2^32", contact("<sip:b@h>;expires=4294967296"), 200, 7200},
		{"beyond all numbers", contact("<sip:b@h>;expires=" + strings.Repeat("9", 60)), 200, 7200},
		{"malformed", contact("<sip:b@h>;expires=soon"), 200, 3600},
		{"empty", contact("<sip:b@h>;expires="), 200, 3600},
		{"negative", contact("<sip:b@h>;expires=-1"), 200, 3600},
		{"malformed header", append(contact("<sip:b@h>"), "Expires: Tue, 01 Jan 2030 00:00:00 GMT"), 200, 3600},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := Process(epoch, register(t, "c", 1, tt.lines...), phone, vip, aor, nil, limits)
			if out.Code != tt.code {
				t.Fatalf("answer %d %s, want %d", out.Code, out.Reason, tt.code)
			}
			if tt.code == 423 && !reflect.DeepEqual(values(out.Headers, "Min-Expires"), []string{"60"}) {
				t.Errorf("headers %q lack Min-Expires: 60", out.Headers)
			}
			var want []string
			if tt.left > 0 {
				want = []string{fmt.Sprintf("<sip:b@h>;q=1;expires=%d", tt.left)}
			}
			if got := values(out.Headers, "Contact"); !reflect.DeepEqual(got, want) {
				t.Errorf("lists %q, want %q", got, want)
			}
		})
	}
}

func TestAnHourIsNeverTooBrief(t *testing.T) {
	strict := limits
	strict.MinExpires = 2 * time.Hour
	for asked, code := range map[int]int{3599: 423, 3600: 200} {
		m := register(t, "c", 1, contact(fmt.Sprintf("<sip:b@h>;expires=%d", asked))...)
		if out := Process(epoch, m, phone, vip, aor, nil, strict); out.Code != code {
			t.Errorf("%d s: answer %d, want %d", asked, out.Code, code)
		}
	}
}

func TestSequencesOfRegistrations(t *testing.T) {
	a, b := "<sip:a@h>;q=1;expires=3600", "<sip:b@h>;q=1;expires=3600"
	tests := []struct {
		name  string
		steps []step
	}{
		{"refresh", []step{
			{"c", 1, contact("<sip:a@h>"), 0, 200, []string{a}},
			{"c", 2, contact("<sip:a@h>"), time.Minute, 200, []string{a}},
		}},
		{"old CSeq", []step{
			{"c", 5, contact("<sip:a@h>"), 0, 200, []string{a}},
			{"c", 5, contact("<sip:a@h>;expires=0"), 0, 500, nil},
			{"c", 4, contact("<sip:a@h>;expires=0"), 0, 500, nil},
			{"c", 1, append(contact("*"), "Expires: 0"), 0, 500, nil},
			{"c", 1, nil, 0, 200, []string{a}},
			{"d", 1, contact("<sip:a@h>"), 0, 200, []string{a}},
			{"c", 1, append(contact("*"), "Expires: 0"), 0, 200, nil},
		}},
		{"old CSeq is no matter for another contact", []step{
			{"c", 5, contact("<sip:a@h>"), 0, 200, []string{a}},
			{"c", 1, contact("<sip:b@h>"), time.Second, 200, []string{b, "<sip:a@h>;q=1;expires=3599"}},
		}},
		{"all or nothing for CSeq", []step{
			{"c", 5, contact("<sip:a@h>"), 0, 200, []string{a}},
			{"c", 4, contact("<sip:b@h>", "<sip:a@h>"), 0, 500, nil},
			{"c", 9, nil, 0, 200, []string{a}},
		}},
		{"all or nothing for expires", []step{
			{"c", 1, contact("<sip:b@h>, <sip:a@h>;expires=5"), 0, 423, nil},
			{"c", 2, nil, 0, 200, nil},
		}},
		{"expired bindings hold nothing", []step{
			{"c", 5, contact("<sip:a@h>;expires=60"), 0, 200, []string{"<sip:a@h>;q=1;expires=60"}},
			{"c", 5, nil, 59500 * time.Millisecond, 200, []string{"<sip:a@h>;q=1;expires=1"}},
			{"c", 1, contact("<sip:b@h>"), time.Second, 200, []string{b}},
			{"c", 1, contact("<sip:a@h>"), 0, 200, []string{b, a}},
		}},
		{"several contacts by q", []step{
			{"c", 1, contact("<sip:a@h>;q=0.25, <sip:b@h>;q=0.7", `"B, C" <sip:c@h>`), 0, 200,
				[]string{"<sip:c@h>;q=1;expires=3600", "<sip:b@h>;q=0.7;expires=3600", "<sip:a@h>;q=0.25;expires=3600"}},
			{"c", 2, contact("<sip:b@h>;expires=0", "<sip:a@h>;q=0"), 0, 200,
				[]string{"<sip:c@h>;q=1;expires=3600", "<sip:a@h>;q=0;expires=3600"}},
		}},
		{"too many contacts", []step{
			{"c", 1, contact("<sip:a@h>", "<sip:b@h>", "<sip:c@h>", "<sip:d@h>"), 0, 403, nil},
			{"c", 2, contact("<sip:a@h>;q=0.3", "<sip:b@h>;q=0.2", "<sip:c@h>;q=0.1"), 0, 200,
				[]string{"<sip:a@h>;q=0.3;expires=3600", "<sip:b@h>;q=0.2;expires=3600", "<sip:c@h>;q=0.1;expires=3600"}},
			{"c", 3, contact("<sip:d@h>"), 0, 403, nil},
			{"c", 4, contact("<sip:d@h>;q=0", "<sip:a@h>;expires=0"), 0, 200,
				[]string{"<sip:b@h>;q=0.2;expires=3600", "<sip:c@h>;q=0.1;expires=3600", "<sip:d@h>;q=0;expires=3600"}},
			{"c", 5, contact("sip:1", "sip:2", "sip:3", "sip:4", "sip:5", "sip:6", "sip:7"), 0, 403, nil},
		}},
		{"equal by URI comparison", []step{
			{"c", 1, contact("<sip:a@H;transport=UDP>"), 0, 200, []string{"<sip:a@H;transport=UDP>;q=1;expires=3600"}},
			{"c", 2, contact("<sip:%61@h;transport=udp;x=1>"), 0, 200, []string{"<sip:%61@h;transport=udp;x=1>;q=1;expires=3600"}},
			{"c", 3, contact("<sip:A@h;transport=udp>;q=0"), 0, 200,
				[]string{"<sip:%61@h;transport=udp;x=1>;q=1;expires=3600", "<sip:A@h;transport=udp>;q=0;expires=3600"}},
		}},
		{"one that equals two replaces both", []step{
			{"c", 1, contact("<sip:a@h;x=1>", "<sip:a@h;x=2>;q=0"), 0, 200,
				[]string{"<sip:a@h;x=1>;q=1;expires=3600", "<sip:a@h;x=2>;q=0;expires=3600"}},
			{"c", 2, contact("<sip:a@h>"), 0, 200, []string{a}},
		}},
		{"named twice, the last counts", []step{
			{"c", 1, contact("<sip:a@h>", "<sip:b@h>;q=0", "<sip:a@h>;expires=0"), 0, 200, []string{"<sip:b@h>;q=0;expires=3600"}},
		}},
		{"unequal to itself, yet one binding", []step{
			{"c", 1, contact("<sip:a@h;x=1;x=2>"), 0, 200, []string{"<sip:a@h;x=1;x=2>;q=1;expires=3600"}},
			{"c", 2, contact("<sip:a@h;x=1;x=2>"), 0, 200, []string{"<sip:a@h;x=1;x=2>;q=1;expires=3600"}},
		}},
		{"other schemes and transports are kept", []step{
			{"c", 1, contact("<tel:+5511>;q=0.1", "<sip:a@h;transport=ws>"), 0, 200,
				[]string{"<sip:a@h;transport=ws>;q=1;expires=3600", "<tel:+5511>;q=0.1;expires=3600"}},
		}},
		{"compact form and instance", []step{
			{"c", 1, []string{`m: "Bob" <sip:a@h>;+SIP.instance="<urn:uuid:1,2>";reg-id=1`}, 0, 200,
				[]string{a + `;+sip.instance="<urn:uuid:1,2>"`}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { play(t, tt.steps) })
	}
}

func TestServiceRouteIsNamedInOrder(t *testing.T) {
	with := limits
	with.ServiceRoute = []string{"sip:192.0.2.10;lr", "sip:192.0.2.11;lr"}
	m := register(t, "c", 1, "Contact: <sip:a@198.51.100.1>")
	out := Process(epoch, m, phone, vip, aor, nil, with)
	var routes []string
	for _, line := range out.Headers {
		if strings.HasPrefix(line, "Service-Route: ") {
			routes = append(routes, line)
		}
	}
	want := "Service-Route: <sip:192.0.2.10;lr>\r\nService-Route: <sip:192.0.2.11;lr>\r\n"
	if got := strings.Join(routes, ""); out.Code != 200 || got != want {
		t.Fatalf("%d with %q, want %q", out.Code, got, want)
	}
}
