// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

// steeredPerCall is how many messages of an undisturbed call belong to the kernel: 180, 200, ACK, BYE and 200.
const steeredPerCall = 5

// telephones readies users: alice calls, bob is registered from ub, and carol exists but is nowhere.
func telephones(s *site, b *balancer, vip netip.AddrPort) {
	s.Helper()
	b.addUsers("alice", "bob", "carol")
	s.register(s.ub, vip, "bob")
}

// round is a number of undisturbed calls between two looks at the status.
type round struct {
	before, after daemon.Status
	calls         int
	repeated      int // messages that either SIPp sent again, because the machine was busy
}

// byChance is how many packets between two looks had, on a veth, a checksum that looks like one its sender left unfinished:
// one in 65536 does. They take the way through user space.
func byChance(s *site, before, after daemon.Status) uint64 {
	s.Helper()
	const outcome = "pass_partial_checksum"
	n := after.Datapath.Outcomes[outcome] - before.Datapath.Outcomes[outcome]
	if n > 3 {
		s.Errorf("%d packets went up for their checksums, which is no chance any more", n)
	}
	return n
}

// checkSteering holds the counters of a round to the promise: the kernel steered all that belongs to it, and the control
// plane saw none of it.
func checkSteering(s *site, r round) {
	s.Helper()
	if r.repeated > r.calls/20 {
		s.Errorf("SIPp had to repeat %d messages in %d calls", r.repeated, r.calls)
	}
	// A repeated message may call forth a repeated answer and its ACK.
	slack := uint64(3 * r.repeated)
	chance := byChance(s, r.before, r.after)
	want := uint64(r.calls*steeredPerCall) - chance
	if got := r.after.Datapath.Steered - r.before.Datapath.Steered; got < want || got > want+slack {
		s.Errorf("the kernel steered %d messages, want %d (and up to %d repeated)", got, want, slack)
	}
	if got := r.after.Control.Steered - r.before.Control.Steered; got != chance {
		s.Errorf("user space steered %d messages, want %d", got, chance)
	}
	// INVITE without and with credentials, and the ACK to the 407 between them. Nothing else.
	initial := map[string]uint64{"INVITE": 2 * uint64(r.calls), "ACK": uint64(r.calls)}
	for method, got := range r.after.Control.Received {
		got -= r.before.Control.Received[method]
		want, some := initial[method]
		if got < want || got > want+slack || !some && got > 0 {
			s.Errorf("the control plane received %d %s, want %d", got, method, want)
		}
	}
}

// checkShares holds every worker to a fair share of the steered packets.
func checkShares(s *site, workers []daemon.WorkerStatus, low, high float64) {
	s.Helper()
	var total uint64
	for _, w := range workers {
		total += w.Steered
	}
	for _, w := range workers {
		if share := float64(w.Steered) / float64(max(total, 1)); share < low || share > high {
			s.Errorf("worker %s: %d of %d steered packets, want between %.0f%% and %.0f%%",
				w.Name, w.Steered, total, 100*low, 100*high)
		}
	}
}

func TestAThousandCallsAreSteeredByTheKernel(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{})
	telephones(s, b, vip4)
	before := b.settled()
	// The rate leaves two busy cores time enough that SIPp repeats nothing.
	caller, callee := s.call(vip4, calls{call: "call", answer: "answer", n: 1000, rate: 150})
	after := b.settled()
	checkSteering(s, round{before, after, 1000, caller.Retransmissions + callee.Retransmissions})
	checkShares(s, after.Workers, 0.35, 0.65)
	if after.Dialogs.Confirmed != 0 || after.Dialogs.Early != 0 {
		t.Errorf("dialogs after the last BYE: %+v", after.Dialogs)
	}
}

func TestCallsInEveryMode(t *testing.T) {
	for _, c := range []struct {
		name, mode, effective string
		vip                   netip.AddrPort
		kernel                bool
	}{
		{"native over IPv6", "native", "native", vip6, true},
		{"generic", "generic", "generic", vip4, true},
		{"generic over IPv6", "generic", "generic", vip6, true},
		{"auto", "auto", "native", vip4, true},
		{"off", "off", "off", vip4, false},
		{"off over IPv6", "off", "off", vip6, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			b := s.balance(daemon.Settings{Mode: c.mode})
			telephones(s, b, c.vip)
			before := b.settled()
			if before.Datapath.Mode != c.effective {
				t.Fatalf("mode %s, want %s", before.Datapath.Mode, c.effective)
			}
			if on := b.attached(); on != c.kernel {
				t.Errorf("XDP attached: %v, want %v", on, c.kernel)
			}
			caller, callee := s.call(c.vip, calls{call: "call", answer: "answer", n: 150, rate: 100})
			after := b.settled()
			if c.kernel {
				checkSteering(s, round{before, after, 150, caller.Retransmissions + callee.Retransmissions})
				return
			}
			control, datapath := after.Control.Steered-before.Control.Steered, after.Datapath.Steered-before.Datapath.Steered
			if want := uint64(150 * steeredPerCall); control != want || datapath != want {
				t.Errorf("user space steered %d messages, as the datapath %d, want %d", control, datapath, want)
			}
		})
	}
}

func TestKindsOfCalls(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{})
	telephones(s, b, vip4)
	for _, c := range []struct {
		name string
		calls
		steered uint64 // messages a call, when nothing is repeated
	}{
		{"caller changes the session", calls{call: "call_reinvite", answer: "answer_reinvite"}, 8},
		{"callee changes the session and hangs up", calls{call: "call_waiting", answer: "answer_hangup"}, 8},
		{"caller gives up", calls{call: "call_cancel", answer: "answer_cancelled"}, 0},
		{"busy", calls{call: "call_refused", answer: "answer_busy"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, n := s.in(t), 20
			c.n, c.rate, c.length = n, 20, 50*time.Millisecond
			before := b.settled()
			s.call(vip4, c.calls)
			after := b.settled()
			if got := after.Datapath.Steered - before.Datapath.Steered; c.steered > 0 && got != c.steered*uint64(n) {
				t.Errorf("the kernel steered %d messages, want %d", got, c.steered*uint64(n))
			}
			for _, method := range []string{"BYE", "CANCEL", "response"} {
				if got := after.Control.Received[method] - before.Control.Received[method]; got != 0 {
					t.Errorf("the control plane received %d %s, want none", got, method)
				}
			}
			if after.Dialogs.Early+after.Dialogs.Confirmed != 0 {
				t.Errorf("dialogs after the calls: %+v", after.Dialogs)
			}
		})
	}
}

func TestLostAndRepeatedMessagesAreAbsorbed(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{})
	telephones(s, b, vip4)
	t.Run("caller repeats the INVITE until the answer", func(t *testing.T) {
		s := s.in(t)
		c := calls{call: "call_deaf", answer: "answer", n: 10, rate: 20, rings: 900 * time.Millisecond}
		caller, callee := s.call(vip4, c)
		if caller.Retransmissions < 10 {
			t.Errorf("the caller repeated only %d messages: this proves nothing", caller.Retransmissions)
		}
		if callee.Created != 10 || callee.Retransmissions != 0 {
			t.Errorf("the callee saw %d calls and repeated %d messages, want 10 and none", callee.Created, callee.Retransmissions)
		}
	})
	t.Run("every eighth request of the caller is lost", func(t *testing.T) {
		s := s.in(t)
		caller, callee := s.call(vip4, calls{call: "call_lossy", answer: "answer", n: 30, rate: 20})
		if caller.Retransmissions == 0 || callee.Created != 30 {
			t.Errorf("caller repeated %d messages, callee saw %d calls", caller.Retransmissions, callee.Created)
		}
	})
}

func TestCallsThatCannotBe(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{})
	telephones(s, b, vip4)
	for _, c := range []struct {
		name     string
		final    int
		password string
		keys     map[string]string
	}{
		{"no such user", 404, password, map[string]string{"callee": "nobody"}},
		{"not registered", 480, password, map[string]string{"callee": "carol"}},
		{"foreign domain", 403, password, map[string]string{"todomain": "example.org"}},
		{"no hops left", 483, password, map[string]string{"hops": "0"}},
		{"wrong password", 407, "wrong", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.in(t)
			scenario := "call_refused"
			if c.final == 407 {
				scenario = "call_unauthorized"
			}
			r := sipp.Run{Scenario: scenario, Calls: 5, Password: c.password, Final: c.final, Keys: c.keys}
			s.passed(s.sipp(s.ua, vip4, r), 5)
		})
	}
	if st := b.settled(); st.Dialogs.Total != 0 || st.Datapath.Steered != 0 {
		t.Errorf("refused calls left %+v and %d steered packets", st.Dialogs, st.Datapath.Steered)
	}
}
