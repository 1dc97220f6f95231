// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/kamailio"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

func TestRestartInTheMiddleOfCalls(t *testing.T) {
	for _, mode := range []string{"native", "off"} {
		t.Run(mode, func(t *testing.T) {
			s := newSite(t)
			b := s.balance(daemon.Settings{Mode: mode})
			telephones(s, b, vip4)
			const n = 40
			callees := s.sipp(s.ub, vip4, sipp.Run{Scenario: "answer", Calls: n})
			callers := s.sipp(s.ua, vip4, sipp.Run{Scenario: "call", Calls: n, Rate: 40, Pause: 4 * time.Second})
			waitDialogs(b, n)
			b.stop(syscall.SIGTERM)
			if on := b.attached(); on != (mode == "native") {
				t.Errorf("XDP attached after SIGTERM: %v", on)
			}
			b.must(b.daemon.Start())
			if mode == "native" {
				if got := b.status().Dialogs.Confirmed; got != n {
					t.Errorf("%d confirmed dialogs after the restart, want %d", got, n)
				}
			}
			s.passed(callers, n)
			s.passed(callees, n)
			if got := b.settled().Dialogs; got.Early+got.Confirmed != 0 {
				t.Errorf("dialogs after the last BYE: %+v", got)
			}
			if got := b.status().Registrations; got != 1 {
				t.Errorf("%d registrations after the restart, want 1", got)
			}
			s.call(vip4, calls{call: "call", answer: "answer", n: 10, rate: 50}) // nobody has registered again
		})
	}
}

// waitDialogs waits until n calls stand.
func waitDialogs(b *balancer, n uint64) {
	b.Helper()
	for range 50 {
		if b.status().Dialogs.Confirmed == n {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.Fatalf("dialogs: %+v, want %d confirmed", b.status().Dialogs, n)
}

// With the worker on another host, the balancer may be away for good: the kernel goes on.
func TestCallsEndWhileTheDaemonIsDown(t *testing.T) {
	s := newSite(t)
	s.needs("kamailio")
	_, err := kamailio.Start(s.w2, s.dir, kamailioConfig, vips)
	s.must(err)
	b := s.balance(daemon.Settings{Workers: []daemon.Worker{{Name: "k", Forward: "l2", Address: s.w2.Addr4().String()}}})
	telephones(s, b, vip4)
	const n = 20
	callees := s.sipp(s.ub, vip4, sipp.Run{Scenario: "answer", Calls: n, Pause: 50 * time.Millisecond})
	callers := s.sipp(s.ua, vip4, sipp.Run{Scenario: "call", Calls: n, Rate: 40, Pause: 3 * time.Second})
	waitDialogs(b, n)
	b.stop(syscall.SIGTERM)
	s.passed(callers, n)
	s.passed(callees, n)
	b.must(b.daemon.Start())
	if got := b.status().Dialogs; got.Ended != n || got.Confirmed != 0 {
		t.Errorf("dialogs after the restart: %+v, want the %d that ended meanwhile", got, n)
	}
}

func TestInterruptLeavesNothingBehind(t *testing.T) {
	for _, mode := range []string{"native", "generic"} {
		t.Run(mode, func(t *testing.T) {
			s := newSite(t)
			b := s.balance(daemon.Settings{Mode: mode})
			if !b.attached() {
				t.Fatal("XDP is not attached while the daemon runs")
			}
			b.stop(syscall.SIGINT)
			if b.attached() {
				t.Error("XDP is still attached")
			}
			if left, err := os.ReadDir(b.daemon.BPFFS); err == nil && len(left) > 0 {
				t.Errorf("bpffs still holds %v", left)
			}
			b.must(b.daemon.Start()) // and it can start again
			b.stop(syscall.SIGINT)
		})
	}
}
