// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"slices"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

func redirecting(t *testing.T) *fixture {
	f := newFixture(t, 100)
	f.Redirect = true
	f.register("bob", "<sip:bob@198.51.100.8:5062;x>;q=0.25, <sip:bob@198.51.100.8:5060>, <sip:bob@10.0.0.1>;q=0.5", bob)
	return f
}

func TestRedirectNamesTheContactsByPreference(t *testing.T) {
	f := redirecting(t)
	if code := f.signed(alice, request{auth: "alice"}); code != 302 {
		t.Fatalf("answered %d", code)
	}
	var m sip.Message
	if err := sip.Parse(f.last(), &m); err != nil {
		t.Fatal(err)
	}
	var got []string
	for elem := range m.Values(sip.HContact) {
		got = append(got, string(elem))
	}
	want := []string{"<sip:bob@198.51.100.8:5060>;q=1.0", "<sip:bob@10.0.0.1>;q=0.5", "<sip:bob@198.51.100.8:5062;x>;q=0.25"}
	if !slices.Equal(got, want) {
		t.Fatalf("contacts %q, want %q", got, want)
	}
	if _, pinned := f.pins.Get(f.Secret.Key(m.CallID())); pinned || len(f.delivered) > 0 {
		t.Fatal("a redirected call was pinned or handed over")
	}
	before := len(f.sent)
	f.from(alice, request{method: "ACK", cseq: 2, to: string(m.Value(sip.HTo))}.String())
	if len(f.sent) != before || f.Counters().OwnACK != 1 {
		t.Fatalf("the ACK was not swallowed: %+v", f.Counters())
	}
}

func TestRedirectRefusesAsAProxyDoes(t *testing.T) {
	for uri, want := range map[string]int{"sip:nobody@example.com": 404, "sip:off@example.com": 480, "sip:bob@example.net": 403} {
		f := redirecting(t)
		if code := f.signed(alice, request{auth: "alice", uri: uri}); code != want {
			t.Errorf("%s: answered %d, want %d", uri, code, want)
		}
	}
	f := redirecting(t)
	if code := f.from(alice, request{}.String()); code != 407 {
		t.Errorf("without credentials: answered %d", code)
	}
	if pins := f.pins; pins.Each(func(steer.Key, steer.Pin) bool { t.Error("a pin was made"); return true }) != nil {
		t.Error("pins cannot be read")
	}
}

func TestQValuesAreWrittenShort(t *testing.T) {
	for q, want := range map[uint16]string{0: "0.0", 1000: "1.0", 700: "0.7", 250: "0.25", 5: "0.005"} {
		if got := formatQ(q); got != want {
			t.Errorf("%d: %s, want %s", q, got, want)
		}
	}
}
