// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
)

// stream sends packets of a call, a few every half millisecond, until it is stopped.
type stream struct {
	stop chan struct{}
	sent chan int
}

func (f *farm) stream(call string) *stream {
	s := &stream{make(chan struct{}), make(chan int)}
	go func() {
		for n := 0; ; {
			select {
			case <-s.stop:
				s.sent <- n
				return
			case <-time.After(500 * time.Microsecond):
			}
			for range 4 {
				f.caller.send(fmt.Sprintf(directText, "INFO", ";tag=callee", n+2, ""), call)
				n++
			}
		}
	}()
	return s
}

func (s *stream) end() int {
	close(s.stop)
	return <-s.sent
}

// infos counts what reached the workers of a call, once nothing more comes.
func (f *farm) infos(call string) (n int) {
	last := -1
	for n != last {
		last = n
		time.Sleep(300 * time.Millisecond)
		f.mu.Lock()
		n = strings.Count(strings.Join(f.got[call], "\n"), "INFO")
		f.mu.Unlock()
	}
	return n
}

// A call that stands loses no packet while the daemon is away, whatever ended it, nor while the next one puts its program
// in the place of the one that runs.
func TestNoPacketIsLostWhileTheDaemonIsReplaced(t *testing.T) {
	s := newSite(t)
	f := &farm{site: s, got: map[string][]string{}}
	f.listen("w1", s.w1)
	f.listen("w2", s.w2)
	// These workers answer nothing, so nobody asks them.
	f.balancer = s.balance(daemon.Settings{Direct: "    workers: [w1, w2]", Workers: twoHosts(s), Health: "interval: 60s, timeout: 2s"})
	f.caller = s.wire(s.ua, 5060, vip4)
	f.waitStates("up", "up")
	f.send("INVITE", "stands", 1, "")
	f.where("stands", 1, 1)
	before := f.settled()

	program, gone := f.watchXDP()
	packets := f.stream("stands-0")
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL, syscall.SIGTERM} {
		if sig == syscall.SIGKILL {
			f.kill()
		} else {
			f.stop(sig)
		}
		time.Sleep(200 * time.Millisecond)
		f.site.must(f.daemon.Start())
	}
	sent := packets.end()
	got := f.infos("stands-0")
	programs, offs := program(), gone()
	t.Logf("%d packets sent, %d arrived, %d programs in turn, seen off %d times", sent, got, programs, offs)
	after := f.settled()
	chance := int(byChance(s, before, after)) // nobody is there for these while the daemon is away
	if got < sent-chance || got > sent || sent < 500 {
		t.Errorf("%d of %d packets arrived", got, sent)
	}
	if programs < 4 || offs > 0 {
		t.Errorf("%d programs were seen, want 4; %d looks found none", programs, offs)
	}
	if steered := int(after.Datapath.Steered - before.Datapath.Steered); steered != sent-chance {
		t.Errorf("the datapath counted %d steered packets, want %d", steered, sent-chance)
	}
}

// watchXDP looks at the balancer's interface all the time. The functions it returns end that and tell how many programs it
// saw, and how often none.
func (f *farm) watchXDP() (programs, gone func() int) {
	stop, done := make(chan struct{}), make(chan struct{})
	seen, offs := map[uint32]bool{}, 0
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			if id, err := f.lb.XDPProgram("eth0"); err != nil || id == 0 {
				offs++
			} else {
				seen[id] = true
			}
		}
	}()
	return func() int { close(stop); <-done; return len(seen) }, func() int { return offs }
}
