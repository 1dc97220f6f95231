// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/netns"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

var (
	vip4 = netip.MustParseAddrPort("192.0.2.10:5060")
	vip6 = netip.MustParseAddrPort("[2001:db8::10]:5060")
)

const (
	domain   = "example.com"
	password = "correct-horse"
)

// site is one lab with a balancer, callers, callees, and two hosts for workers.
type site struct {
	*testing.T
	farm   *netns.Farm
	lb     *netns.Host // the balancer owns the VIPs
	ua, ub *netns.Host // callers and callees reach the VIPs by way of the balancer
	w1, w2 *netns.Host // workers own the VIPs as well, and answer past the balancer
	dir    string
}

func newSite(t *testing.T) *site {
	t.Helper()
	farm, err := netns.NewFarm(vip4.Addr(), vip6.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(farm.Close)
	s := &site{T: t, farm: farm, dir: t.TempDir()}
	s.lb, s.ua, s.ub, s.w1, s.w2 = farm.Balancer, farm.Callers, farm.Callees, farm.Worker1, farm.Worker2
	return s
}

// in gives the same site to a subtest.
func (s *site) in(t *testing.T) *site {
	sub := *s
	sub.T = t
	return &sub
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// needs skips the test where a tool is not installed, and fails it under CI, where everything is.
func (s *site) needs(tool string) {
	s.Helper()
	if _, err := exec.LookPath(tool); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		s.Fatalf("%s is not installed", tool)
	}
	s.Skipf("%s is not installed", tool)
}

// sipp starts a scenario on a host, with port 5060 and password where the run does not say otherwise. Scenarios that
// start with answer wait for calls, all others send to the VIP.
func (s *site) sipp(h *netns.Host, vip netip.AddrPort, r sipp.Run) *sipp.Session {
	s.Helper()
	s.needs("sipp")
	if !r.Local.IsValid() {
		r.Local = netip.AddrPortFrom(h.AddrLike(vip.Addr()), 5060)
	}
	if !strings.HasPrefix(r.Scenario, "answer") {
		r.Remote = vip
		if r.Password == "" {
			r.Password = password
		}
		if r.User == "" {
			r.User = "alice"
		}
	}
	if r.Calls == 0 {
		r.Calls = 1
	}
	session, err := sipp.Start(h, s.dir, r)
	s.must(err)
	s.Cleanup(session.Stop)
	return session
}

// passed waits for a SIPp run and fails the test unless every call succeeded.
func (s *site) passed(session *sipp.Session, calls int) sipp.Stats {
	s.Helper()
	stats, err := session.Wait()
	s.must(err)
	if stats.Successful != calls || stats.Failed != 0 {
		s.Fatalf("SIPp: %+v, want %d successful calls", stats, calls)
	}
	return stats
}

// register registers a user from a host and expects success.
func (s *site) register(h *netns.Host, vip netip.AddrPort, user string) {
	s.Helper()
	s.passed(s.sipp(h, vip, sipp.Run{Scenario: "register", User: user}), 1)
}

// calls says what a round of calls looks like.
type calls struct {
	call, answer  string // scenarios
	n, rate       int
	length, rings time.Duration
}

// call makes calls from alice to bob and expects all of them to succeed on both sides. It returns what the caller's
// and the callee's SIPp counted.
func (s *site) call(vip netip.AddrPort, c calls) (caller, callee sipp.Stats) {
	s.Helper()
	b := s.sipp(s.ub, vip, sipp.Run{Scenario: c.answer, Calls: c.n, Pause: c.rings, Timeout: 60 * time.Second})
	a := s.sipp(s.ua, vip, sipp.Run{Scenario: c.call, Calls: c.n, Rate: c.rate, Pause: c.length, Timeout: 60 * time.Second, Final: 486})
	if _, err := a.Wait(); err != nil {
		b.Stop()
		_, why := b.Wait()
		s.Fatalf("%v\nthe callee: %v", err, why)
	}
	return s.passed(a, c.n), s.passed(b, c.n)
}
