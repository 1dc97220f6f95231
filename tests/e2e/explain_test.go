// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/sipp"
	"github.com/sipsteer/sipsteer/userspace/explain"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// Beside a running daemon, explain names the worker that a call is pinned to, and the pin does not notice.
func TestExplainFindsThePinOfACallThatStands(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{})
	telephones(s, b, vip4)
	const n = 5
	callees := s.sipp(s.ub, vip4, sipp.Run{Scenario: "answer", Calls: n})
	callers := s.sipp(s.ua, vip4, sipp.Run{Scenario: "call", Calls: n, Rate: 40, Pause: 4 * time.Second})
	waitDialogs(b, n)
	before := dialogs(s, b)
	for _, d := range before {
		x := explainBye(s, b, d.CallID)
		if x.Verdict != "steer_local" || x.Kernel != x.Verdict || x.Twin != x.Verdict || x.Worker != d.Worker || x.Key != d.Key || x.State != "confirmed" {
			t.Errorf("%+v\nis explained as %+v", d, x)
		}
	}
	if x := explainBye(s, b, "unknown@example.com"); x.Verdict != "pass_no_pin" || x.Worker != "" || x.Key == "" {
		t.Errorf("an unknown call is explained as %+v", x)
	}
	for i, d := range dialogs(s, b) {
		if d.Requests != before[i].Requests || d.State != before[i].State {
			t.Errorf("%+v has become %+v", before[i], d)
		}
	}
	s.passed(callers, n)
	s.passed(callees, n)
}

func dialogs(s *site, b *balancer) (all []api.Dialog) {
	s.Helper()
	out, err := b.daemon.Command("dialogs", "--json")
	s.must(err)
	s.must(json.Unmarshal([]byte(out), &all))
	return all
}

func explainBye(s *site, b *balancer, callID string) (x explain.Explanation) {
	s.Helper()
	path := filepath.Join(s.dir, "bye.sip")
	s.must(os.WriteFile(path, []byte(steertest.Request("BYE").Set("Call-ID", callID).String()), 0o600))
	out, err := b.daemon.Command("explain", "--json", "-c", b.daemon.Config, path)
	s.must(err)
	s.must(json.Unmarshal([]byte(out), &x))
	return x
}
