// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

func TestAnAliasInADomainOfTheRunTimeIsCalled(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{})
	telephones(s, b, vip4)
	run := func(args ...string) string {
		out, err := b.daemon.Command(args...)
		s.must(err)
		return out
	}
	keys := map[string]string{"callee": "4711", "todomain": "example.org"}
	refused := func(code int) {
		t.Helper()
		s.passed(s.sipp(s.ua, vip4, sipp.Run{Scenario: "call_refused", Final: code, Keys: keys}), 1)
	}
	refused(403)
	run("domains", "add", "Example.org")
	refused(404)
	run("aliases", "add", "4711@example.org", "bob@example.com")
	if out := run("aliases") + run("domains"); !strings.Contains(out, "4711@example.org  bob@example.com") || !strings.Contains(out, "example.org  edge     command") {
		t.Errorf("listed:\n%s", out)
	}
	callee := s.sipp(s.ub, vip4, sipp.Run{Scenario: "answer", Calls: 5})
	s.passed(s.sipp(s.ua, vip4, sipp.Run{Scenario: "call", Calls: 5, Keys: keys}), 5)
	s.passed(callee, 5)
	run("aliases", "remove", "4711@example.org")
	refused(404)
	run("domains", "remove", "example.org")
	refused(403)
}
