// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

func TestDeniedAndBannedSourcesAreNotHeard(t *testing.T) {
	f := newFixture(t, 100)
	f.policy.Replace(steer.SourcePolicy{
		Prefixes: map[netip.Prefix]steer.Rule{netip.MustParsePrefix("198.51.100.7/32"): steer.RuleDeny},
		Bans:     map[netip.Prefix]uint64{netip.MustParsePrefix("198.51.100.8/32"): 1 << 62},
	})
	for _, source := range []netip.AddrPort{alice, bob} {
		if code := f.from(source, request{method: "OPTIONS", uri: "sip:example.com"}.String()); code != 0 {
			t.Errorf("%s was answered %d", source, code)
		}
	}
	if c := f.Counters(); c.Dropped["denied"] != 1 || c.Dropped["banned"] != 1 || c.Outcomes[steer.DropBanned] != 1 {
		t.Errorf("counted %+v", c)
	}
}

// A token is paid once: by the kernel for what it judged, here for the rest.
func TestWhoPaysWhere(t *testing.T) {
	plain := request{method: "OPTIONS", uri: "sip:example.com"}.String()
	folded := strings.Replace(plain, "Call-ID: ", "Call-ID:\r\n ", 1)
	broken := strings.Replace(plain, "Call-ID: ", "X-Call-ID: ", 1)
	if folded == plain || broken == plain {
		t.Fatal("the request has no Call-ID to change")
	}
	for _, c := range []struct {
		name       string
		text       string
		kernelPays bool
		opaque     bool
		want       uint64 // dropped of two
	}{
		{"judged by the kernel", plain, true, false, 0},
		{"without a kernel", plain, false, false, 1},
		{"in fragments", plain, true, true, 1},
		{"folded", folded, true, false, 1},
		{"broken", broken, true, false, 1},
		{"belongs to a dialog", strings.Replace(plain, "To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=1", 1), false, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, 100)
			f.kernelPays = c.kernelPays
			f.policy.Replace(steer.SourcePolicy{Source: steer.NewRate(1, 1)})
			for range 2 {
				f.Handle(transport.Datagram{Local: vip, Remote: alice, Data: []byte(c.text), Opaque: c.opaque})
			}
			if got := f.Counters().Dropped["source_rate"]; got != c.want {
				t.Errorf("%d dropped, want %d", got, c.want)
			}
		})
	}
}

func TestOnlyProvenFailuresCount(t *testing.T) {
	f := newFixture(t, 100)
	r := request{method: "REGISTER", uri: "sip:example.com", to: "<sip:alice@example.com>", extra: "Contact: <sip:alice@198.51.100.7>\r\n"}
	f.from(alice, r.String()) // no credentials: no failure
	r.auth, r.cseq = "alice", 2
	right := f.sign(r, 401)
	i := strings.Index(right, `response="`) + len(`response="`)
	wrong := right[:i] + strings.Repeat("0", 32) + right[i+32:]
	for _, step := range []struct {
		name   string
		source netip.AddrPort
		text   string
		want   int
	}{
		{"wrong, from where the nonce went", alice, wrong, 1},
		{"wrong, from elsewhere", bob, wrong, 1},
		{"malformed, from where the nonce went", alice, strings.Replace(wrong, "qop=auth,", "qop=other,", 1), 2},
		{"malformed, from elsewhere", bob, strings.Replace(wrong, "qop=auth,", "qop=other,", 1), 2},
		{"right, from elsewhere", bob, right, 2},
		{"right", alice, right, 2},
		{"right, but used already", alice, strings.Replace(right, "branch=z9hG4bK", "branch=z9hG4bKnew", 1), 2},
	} {
		f.from(step.source, step.text)
		if len(f.failed) != step.want {
			t.Fatalf("%s: %v", step.name, f.failed)
		}
	}
	if f.failed[0] != alice.Addr() {
		t.Errorf("counted against %s", f.failed[0])
	}
	f.now = f.now.Add(6 * 60 * 1e9) // past the nonce's life
	if f.from(alice, wrong); len(f.failed) != 2 {
		t.Errorf("a nonce that is too old counted: %v", f.failed)
	}
}

func TestWhatATrunkMayClaim(t *testing.T) {
	for _, c := range []struct {
		name, from string
		domains    []string
		code       int // 0: handed over
	}{
		{"its own user", "<sip:+491234@carrier.example>;tag=1", nil, 0},
		{"nobody", "<sip:anonymous@anonymous.invalid>;tag=1", nil, 0},
		{"a user of ours", "<sip:alice@example.com>;tag=1", nil, 407},
		{"a user of ours by our address", "<sip:alice@192.0.2.10>;tag=1", nil, 407},
		{"a number without a domain", "<tel:+491234>;tag=1", nil, 407},
		{"a user of ours, allowed", "<sip:alice@example.com>;tag=1", []string{"example.com"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, 100)
			f.register("bob", "<sip:bob@198.51.100.8:5060>", bob)
			f.trunks[alice.Addr()] = &Trunk{Domains: c.domains}
			if code := f.from(alice, request{from: c.from}.String()); code != c.code {
				t.Errorf("answered %d, want %d", code, c.code)
			}
			if want := 1 - min(1, c.code); len(f.delivered) != want {
				t.Errorf("%d requests handed over, want %d", len(f.delivered), want)
			}
		})
	}
}

func TestATrunkRegistersLikeAnybody(t *testing.T) {
	f := newFixture(t, 100)
	f.trunks[alice.Addr()] = &Trunk{Domains: []string{"example.com"}}
	r := request{method: "REGISTER", uri: "sip:example.com", to: "<sip:alice@example.com>", extra: "Contact: <sip:alice@198.51.100.7>\r\n"}
	if code := f.from(alice, r.String()); code != 401 {
		t.Errorf("answered %d, want 401", code)
	}
}

func TestIdentitiesFromATrunk(t *testing.T) {
	for value, kept := range map[string]bool{
		"<sip:+491234@carrier.example>":                                   true,
		"\"A, B\" <sip:+491234@carrier.example>, <sip:x@carrier.example>": true,
		"<sip:alice@example.com>":                                         false,
		"<sip:+491234@carrier.example>, <sip:alice@example.com>":          false,
		"<tel:+491234>": false,
		"<sip:broken":   false,
		"\"x\" <sip:+491234@carrier.example>, \"y\" <sip:a@192.0.2.10:5060>": false,
	} {
		f := newFixture(t, 100)
		f.register("bob", "<sip:bob@198.51.100.8:5060>", bob)
		f.trunks[alice.Addr()] = &Trunk{}
		f.from(alice, request{from: "<sip:+491234@carrier.example>;tag=1", extra: "P-Asserted-Identity: " + value + "\r\n"}.String())
		if len(f.delivered) != 1 {
			if kept {
				t.Errorf("%s: not handed over:\n%s", value, f.last())
			}
			continue
		}
		if got := bytes.Contains(f.delivered[0].Data, []byte("P-Asserted-Identity")); got != kept {
			t.Errorf("%s: kept %v, want %v", value, got, kept)
		}
	}
}
