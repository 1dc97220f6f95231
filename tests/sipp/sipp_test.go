// SPDX-License-Identifier: Apache-2.0

package sipp

import (
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/kamailio"
	"github.com/sipsteer/sipsteer/tests/netns"
)

// The scenarios are tested against a server that is not ours, so that a failure against sipsteer is sipsteer's.

var (
	vip4 = netip.MustParseAddrPort("192.0.2.10:5060")
	vip6 = netip.MustParseAddrPort("[2001:db8::10]:5060")
)

type site struct {
	t              *testing.T
	caller, callee *netns.Host
	dir            string
}

func newSite(t *testing.T) *site {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	lab, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	s := &site{t: t, dir: t.TempDir()}
	for _, tool := range []string{"sipp", "kamailio"} {
		if _, err := exec.LookPath(tool); err != nil && os.Getenv("CI") == "" {
			t.Skipf("%s is not installed", tool)
		}
	}
	server := s.host(lab, "server", 1)
	s.caller, s.callee = s.host(lab, "caller", 2), s.host(lab, "callee", 3)
	for _, vip := range []netip.AddrPort{vip4, vip6} {
		s.must(server.Own(vip.Addr()))
		gw := server.Addr4()
		if vip.Addr().Is6() {
			gw = server.Addr6()
		}
		s.must(s.caller.Route(vip.Addr(), gw))
		s.must(s.callee.Route(vip.Addr(), gw))
	}
	_, err = kamailio.Start(server, s.dir, "testdata/registrar.cfg", []netip.AddrPort{vip4, vip6})
	s.must(err)
	return s
}

func (s *site) host(lab *netns.Lab, name string, n uint8) *netns.Host {
	s.t.Helper()
	h, err := lab.Host(name, n)
	s.must(err)
	return h
}

func (s *site) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// start runs a scenario on one of the hosts, over the IP version of its VIP.
func (s *site) start(h *netns.Host, vip netip.AddrPort, r Run) *Session {
	s.t.Helper()
	addr := h.Addr4()
	if vip.Addr().Is6() {
		addr = h.Addr6()
	}
	r.Local = netip.AddrPortFrom(addr, 5060)
	if !strings.HasPrefix(r.Scenario, "answer") {
		r.Remote = vip
	}
	r.Timeout = 20 * time.Second
	session, err := Start(h, s.dir, r)
	s.must(err)
	s.t.Cleanup(session.Stop)
	return session
}

func (s *site) wait(session *Session, calls int) Stats {
	s.t.Helper()
	stats, err := session.Wait()
	if err != nil {
		s.t.Fatal(err)
	}
	if stats.Successful != calls || stats.Failed != 0 {
		s.t.Fatalf("%s: %+v, want %d successful calls", session.run.Scenario, stats, calls)
	}
	return stats
}

func TestScenariosAgainstKamailio(t *testing.T) {
	s := newSite(t)
	all := []struct{ call, answer string }{
		{"call", "answer"},
		{"call_waiting", "answer_hangup"},
		{"call_reinvite", "answer_reinvite"},
		{"call_cancel", "answer_cancelled"},
		{"call_deaf", "answer"},
		{"call_lossy", "answer"},
		{"call_refused", "answer_busy"},
	}
	for vip, pairs := range map[netip.AddrPort][]struct{ call, answer string }{vip4: all, vip6: all[:2]} {
		register := Run{Scenario: "register", Calls: 1, User: "bob", Password: "secret"}
		s.wait(s.start(s.callee, vip, register), 1)
		refused := Run{Scenario: "register_refused", Calls: 1, User: "bob", Password: "wrong"}
		s.wait(s.start(s.callee, vip, refused), 1)
		for _, c := range pairs {
			t.Run(c.call+" over "+vip.Addr().String(), func(t *testing.T) {
				s.t = t
				callee := s.start(s.callee, vip, Run{Scenario: c.answer, Calls: 5, Pause: 600 * time.Millisecond})
				caller := s.start(s.caller, vip, Run{Scenario: c.call, Calls: 5, User: "alice", Password: "secret", Final: 486, Pause: 100 * time.Millisecond})
				s.wait(caller, 5)
				s.wait(callee, 5)
			})
		}
		s.t = t
		s.refusals(vip)
	}
}

func (s *site) refusals(vip netip.AddrPort) {
	for _, c := range []struct {
		name  string
		final int
		keys  map[string]string
	}{
		{"no such user", 404, map[string]string{"callee": "nobody"}},
		{"not registered", 480, map[string]string{"callee": "carol"}},
		{"foreign domain", 403, map[string]string{"todomain": "example.org"}},
		{"no hops left", 483, map[string]string{"hops": "0"}},
	} {
		s.t.Run(c.name, func(t *testing.T) {
			one := *s
			one.t = t
			r := Run{Scenario: "call_refused", Calls: 3, User: "alice", Password: "secret", Final: c.final, Keys: c.keys}
			one.wait(one.start(one.caller, vip, r), 3)
		})
	}
}
