// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// newDirect is a chain of policy direct whose balancer gives that worker.
func newDirect(t *testing.T, worker uint32, fault error) (f *fixture, keys *[]steer.Key) {
	f = newFixture(t, 100)
	keys = &[]steer.Key{}
	f.Chain.Pins, f.Chain.Dialogs, f.Chain.Pool, f.Chain.Domains, f.Chain.Router = nil, nil, nil, nil, nil
	f.Chain.Auth, f.Chain.Registrar, f.Chain.Answered = nil, nil, nil
	f.Chain.Balance = func(key steer.Key, m steer.Message, source netip.Addr) (uint32, error) {
		*keys = append(*keys, key)
		if source != alice.Addr() {
			t.Errorf("source %s", source)
		}
		return worker, fault
	}
	return f, keys
}

func TestDirectDeliversMessagesAsTheyAre(t *testing.T) {
	folded := strings.Replace(request{}.String(), "Call-ID: ", "Call-ID:\r\n ", 1)
	for name, raw := range map[string]string{
		"INVITE": request{}.String(), "REGISTER": request{method: "REGISTER"}.String(),
		"ACK": request{method: "ACK", to: "<sip:b@x>;tag=1"}.String(), "folded Call-ID": folded,
		"response":            "SIP/2.0 200 OK\r\nCall-ID: c1@198.51.100.7\r\nCSeq: 1 INVITE\r\n\r\n",
		"CSeq makes nothing":  strings.Replace(request{method: "ACK"}.String(), "CSeq: 1", "CSeq: x", 1),
		"malformed otherwise": "INVITE x SIP/2.0\r\nCall-ID: c1@198.51.100.7\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			f, keys := newDirect(t, 2, nil)
			if code := f.from(alice, raw); code != 0 || len(f.delivered) != 1 {
				t.Fatalf("answered %d, delivered %d", code, len(f.delivered))
			}
			d := f.delivered[0]
			if d.worker != 2 || string(d.Data) != raw || d.Remote != alice || d.Local != vip {
				t.Errorf("delivered to %d from %s as %q", d.worker, d.Remote, d.Data)
			}
			if want := f.Secret.Key([]byte("c1@198.51.100.7")); (*keys)[0] != want {
				t.Errorf("balanced by key %v, want %v", (*keys)[0], want)
			}
			if c := f.Counters(); c.Steered != 1 || c.Workers[2] != 1 {
				t.Errorf("counted %+v", c)
			}
		})
	}
}

func TestDirectWithoutAWorker(t *testing.T) {
	f, _ := newDirect(t, 0, nil)
	if code := f.from(alice, request{}.String()); code != 503 || !strings.Contains(string(f.last()), "Retry-After: 5\r\n") {
		t.Errorf("INVITE: answered %d", code)
	}
	if code := f.from(alice, request{method: "ACK", to: "<sip:b@x>;tag=1"}.String()); code != 0 {
		t.Errorf("ACK: answered %d", code)
	}
	if n := f.Counters().Dropped["handover_failed"]; n != 1 {
		t.Errorf("%d dropped", n)
	}
	f, _ = newDirect(t, 2, errors.New("no kernel"))
	if code := f.from(alice, request{}.String()); code != 0 || f.Counters().Dropped["handover_failed"] != 1 {
		t.Errorf("a balancer that fails: answered %d, counted %v", code, f.Counters().Dropped)
	}
}

func TestDirectDropsWhatHasNoCallID(t *testing.T) {
	f, keys := newDirect(t, 2, nil)
	for raw, cause := range map[string]string{
		"\r\n\r\n": "keepalive", "\x16\x03\x01 is no SIP message at all": "not_sip",
		"INVITE sip:x SIP/2.0\r\nTo: <sip:x>\r\n\r\n":                         "malformed",
		"INVITE sip:x SIP/2.0\r\nCall-ID: a\r\nCall-ID: b\r\n\r\n":            "malformed",
		"INVITE sip:x SIP/2.0\r\nCall-ID: a b\r\nTo: <sip:x>\r\nX: y\r\n\r\n": "malformed",
	} {
		before := f.Counters().Dropped[cause]
		if code := f.from(alice, raw); code != 0 || f.Counters().Dropped[cause] != before+1 {
			t.Errorf("%q: answered %d, dropped %v", raw, code, f.Counters().Dropped)
		}
	}
	if len(*keys) != 0 || len(f.delivered) != 0 {
		t.Errorf("%d balanced", len(*keys))
	}
}
