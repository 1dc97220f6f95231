// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

// phone is one of bob's: where it is, how much he likes it, and what it does when it rings.
type phone struct {
	port     uint16
	q        string
	scenario string
	rings    time.Duration
}

// ring registers bob's phones, lets alice make a number of calls to him, and expects all sides to see what their
// scenarios say.
func ring(s *site, b *balancer, n int, caller sipp.Run, phones ...phone) {
	s.Helper()
	for _, p := range phones {
		keys := map[string]string{"contact_port": itoa(int(p.port)), "q": p.q}
		s.passed(s.sipp(s.ub, vip4, sipp.Run{Scenario: "register", User: "bob", Keys: keys}), 1)
	}
	var sessions []*sipp.Session
	for _, p := range phones {
		local := netip.AddrPortFrom(s.ub.AddrLike(vip4.Addr()), p.port)
		sessions = append(sessions, s.sipp(s.ub, vip4, sipp.Run{Scenario: p.scenario, Local: local, Calls: n, Pause: p.rings}))
	}
	before := b.settled()
	caller.Calls, caller.Rate = n, 10
	s.passed(s.sipp(s.ua, vip4, caller), n)
	for i, session := range sessions {
		if stats, err := session.Wait(); err != nil || stats.Successful != n {
			s.Errorf("phone %d (%s): %+v, %v", i, phones[i].scenario, stats, err)
		}
	}
	after := b.settled()
	for _, method := range []string{"BYE", "CANCEL", "response"} {
		if got := after.Control.Received[method] - before.Control.Received[method]; got != 0 {
			s.Errorf("the control plane received %d %s, want none", got, method)
		}
	}
	if after.Dialogs.Early+after.Dialogs.Confirmed != 0 {
		s.Errorf("dialogs after the calls: %+v", after.Dialogs)
	}
}

func TestAUserWithSeveralPhones(t *testing.T) {
	call, both := sipp.Run{Scenario: "call"}, sipp.Run{Scenario: "call", Fork: true}
	refused := sipp.Run{Scenario: "call_refused", Final: 486}
	for _, c := range []struct {
		name   string
		caller sipp.Run
		phones []phone
	}{
		{"both ring, one answers, the other is cancelled", both,
			[]phone{{5060, "1", "answer", 200 * time.Millisecond}, {5061, "1", "answer_cancelled", 0}}},
		{"the preferred one is busy, the other answers", call,
			[]phone{{5060, "1", "answer_busy", 0}, {5061, "0.5", "answer", 0}}},
		{"the preferred one is not answered", both,
			[]phone{{5060, "1", "answer_cancelled", 0}, {5061, "0.5", "answer", 0}}},
		{"all are busy", refused,
			[]phone{{5060, "1", "answer_busy", 0}, {5061, "1", "answer_busy", 0}, {5062, "0.2", "answer_busy", 0}}},
		{"the caller gives up", sipp.Run{Scenario: "call_cancel", Fork: true, Pause: 200 * time.Millisecond},
			[]phone{{5060, "1", "answer_cancelled", 0}, {5061, "1", "answer_cancelled", 0}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			b := s.balance(daemon.Settings{Ring: "2s"})
			b.addUsers("alice", "bob")
			ring(s, b, 10, c.caller, c.phones...)
		})
	}
}
