// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/netip"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/netns"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

// embedded are the passwords that the banner of `sipsteer run` without a config names.
var embedded = regexp.MustCompile(`user (alice|bob), password (\S+)`)

// What a stranger does first: run it without a config, and call from alice to bob with what it prints.
func TestWithoutAConfigTheDemoUsersCanCall(t *testing.T) {
	for _, c := range []struct {
		name string
		uid  uint32
		says string
	}{
		{"as root", 0, "XDP on lo"},
		{"without privileges", nobody, "user-space twin"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			s.must(os.Chmod(s.dir, 0o777))
			s.must(os.Chmod(s.dir+"/..", 0o755))
			proc, err := s.lb.Start(netns.Command{Path: binary(), Args: []string{"run"}, UID: c.uid,
				Env: []string{"XDG_STATE_HOME=" + s.dir}})
			s.must(err)
			s.must(proc.WaitOutput("Stop it with Ctrl-C", 10*time.Second))
			s.must(proc.WaitOutput(c.says, 0))
			passwords := map[string]string{}
			for _, m := range embedded.FindAllStringSubmatch(proc.Output(), -1) {
				passwords[m[1]] = m[2]
			}
			s.callOnLoopback(passwords)
			s.must(proc.Signal(os.Interrupt))
			s.must(proc.Wait(10 * time.Second))
			if on, err := s.lb.XDPAttached("lo"); err != nil || on {
				t.Errorf("XDP attached to lo after Ctrl-C: %v, %v", on, err)
			}
		})
	}
}

func (s *site) callOnLoopback(passwords map[string]string) {
	s.Helper()
	server := netip.MustParseAddrPort("127.0.0.1:5060")
	at := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(server.Addr(), port) }
	keys := map[string]string{"domain": "127.0.0.1", "todomain": "127.0.0.1"}
	s.passed(s.sipp(s.lb, server, sipp.Run{Scenario: "register", Local: at(5072), User: "bob", Password: passwords["bob"], Keys: keys}), 1)
	callee := s.sipp(s.lb, server, sipp.Run{Scenario: "answer", Local: at(5072), Calls: 5})
	s.passed(s.sipp(s.lb, server, sipp.Run{Scenario: "call", Local: at(5071), User: "alice", Password: passwords["alice"], Keys: keys, Calls: 5}), 5)
	s.passed(callee, 5)
}
