// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/kamailio"
	"github.com/sipsteer/sipsteer/tests/netns"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

// fastest are the shortest times that the config allows.
const fastest = "interval: 100ms, timeout: 200ms, down: 3, up: 2"

// waitHealth waits until a worker is in a state, for a reason with that word.
func waitHealth(b *balancer, name, state, word string) {
	b.Helper()
	var last daemon.WorkerStatus
	for range 100 {
		for _, w := range b.status().Workers {
			if w.Name == name {
				last = w
			}
		}
		if last.State == state && strings.Contains(last.Health, word) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.Fatalf("worker %s is %+v, want %s, %s", name, last, state, word)
}

func TestEveryKindOfWorkerAnswersOptions(t *testing.T) {
	for _, c := range []struct{ name, mode, listen string }{
		{"native", "native", ""},
		{"off", "off", ""},
		{"IPv6 alone", "native", `"udp://192.0.2.10:5060", `},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.needs("kamailio")
			secret, err := daemon.WriteSecret(s.dir)
			s.must(err)
			ours, err := daemon.StartWorker(s.w1, binary(), s.dir, "w1", secret)
			s.must(err)
			theirs, err := kamailio.Start(s.w2, s.dir, kamailioConfig, vips)
			s.must(err)
			b := s.configure(daemon.Settings{Mode: c.mode, Secret: secret, Health: fastest, Workers: []daemon.Worker{
				{Name: "w1", Forward: "l2", Address: s.w1.Addr4().String()},
				{Name: "w2", Forward: "l2", Address: s.w2.Addr4().String()},
				{Name: "w3", Forward: "local"},
			}})
			if c.listen != "" {
				b.edit(c.listen, "")
			}
			b.must(b.daemon.Start())
			time.Sleep(time.Second) // ten questions
			for _, name := range []string{"w1", "w2", "w3"} {
				waitHealth(b, name, "up", "answers OPTIONS")
			}
			if out := b.daemon.Output(); strings.Contains(out, "worker is down") {
				t.Fatalf("a worker was taken for dead:\n%s", out)
			}
			s.must(ours.Signal(syscall.SIGSTOP))
			waitHealth(b, "w1", "down", "no answer to OPTIONS for ")
			theirs.Proc.Kill()
			waitHealth(b, "w2", "down", "no answer to OPTIONS for ")
			s.must(ours.Signal(syscall.SIGCONT))
			waitHealth(b, "w1", "up", "answers OPTIONS")
			for text, want := range map[string]int{"worker is down": 2, "worker is up": 4} {
				if got := strings.Count(b.daemon.Output(), text); got != want {
					t.Errorf("%q is logged %d times, want %d:\n%s", text, got, want, b.daemon.Output())
				}
			}
		})
	}
}

// Calls are made and ended all the time while a worker dies. The last packet that is still sent to it is stamped.
func TestAllTrafficOfADeadWorkerMovesWithinASecond(t *testing.T) {
	for _, c := range []struct {
		name, mode string
		signal     syscall.Signal // kill: its host answers by ICMP; stop: silence
	}{
		{"killed", "native", syscall.SIGKILL},
		{"silent", "native", syscall.SIGSTOP},
		{"killed, mode off", "off", syscall.SIGKILL},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			secret, err := daemon.WriteSecret(s.dir)
			s.must(err)
			victim, err := daemon.StartWorker(s.w1, binary(), s.dir, "w1", secret)
			s.must(err)
			_, err = daemon.StartWorker(s.w2, binary(), s.dir, "w2", secret)
			s.must(err)
			b := s.balance(daemon.Settings{Mode: c.mode, Secret: secret, Health: fastest, Workers: []daemon.Worker{
				{Name: "w1", Forward: "l2", Address: s.w1.Addr4().String()},
				{Name: "w2", Forward: "l2", Address: s.w2.Addr4().String()},
			}})
			telephones(s, b, vip4)
			capture, err := s.w1.Capture()
			s.must(err)
			const n, rate, later = 600, 100, 100
			s.sipp(s.ub, vip4, sipp.Run{Scenario: "answer", Calls: n + later, Timeout: 60 * time.Second})
			callers := s.sipp(s.ua, vip4, sipp.Run{Scenario: "call", Calls: n, Rate: rate, Pause: time.Second, Timeout: 60 * time.Second})
			time.Sleep(3 * time.Second)
			died := time.Now()
			s.must(victim.Signal(c.signal))
			time.Sleep(time.Until(died.Add(time.Second)))
			s.passed(s.sipp(s.ua, vip4, sipp.Run{Scenario: "call", Calls: later, Rate: rate, Local: netip.AddrPortFrom(s.ua.Addr4(), 5070)}), later)
			// A call that w1 had answered 100 Trying, and not sent on yet, died with it.
			if stats, err := callers.Wait(); stats.Successful < n-rate/2 {
				t.Errorf("%d of %d calls that were made while w1 died succeeded: %v", stats.Successful, n, err)
			}
			seen, err := capture.Stop()
			s.must(err)
			before, after, last := traffic(seen, died)
			t.Logf("%d packets of calls came to w1 before it died, %d after, the last %v after", before, after, last)
			if before < 500 {
				t.Errorf("only %d packets of calls came to w1 before it died", before)
			}
			if last <= 0 || last >= time.Second {
				t.Errorf("packets of calls came to w1 until %v after its death", last)
			}
			waitHealth(b, "w1", "down", "no answer to OPTIONS for ")
		})
	}
}

// traffic counts packets of calls by whether they came before an instant, and tells how long after it the last one came.
func traffic(seen []netns.Seen, died time.Time) (before, after int, last time.Duration) {
	for _, p := range seen {
		if p.Port != vip4.Port() || strings.HasPrefix(p.Payload, "OPTIONS") {
			continue
		}
		if d := p.At.Sub(died); d > 0 {
			after++
			last = d
		} else {
			before++
		}
	}
	return before, after, last
}
