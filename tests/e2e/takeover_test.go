// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

// A start that fails is no reason to end the calls that stand.
func TestAFailedStartLeavesThePinsOfTheRunBefore(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{})
	telephones(s, b, vip4)
	const n = 10
	callees := s.sipp(s.ub, vip4, sipp.Run{Scenario: "answer", Calls: n})
	callers := s.sipp(s.ua, vip4, sipp.Run{Scenario: "call", Calls: n, Rate: 40, Pause: 5 * time.Second})
	waitDialogs(b, n)
	b.stop(syscall.SIGTERM)
	for _, wrong := range []struct{ old, text, says string }{
		{"[eth0]", "[eth0, eth9]", "no such interface"},
		{`"127.0.0.1:8060"`, `"unix:///nowhere/api.sock"`, "listening for the API"},
	} {
		b.edit(wrong.old, wrong.text)
		out, err := b.daemon.Command("run", "-c", b.daemon.Config)
		if err == nil || !strings.Contains(out+err.Error(), wrong.says) {
			t.Fatalf("with %s: %v\n%s", wrong.text, err, out)
		}
		if !b.attached() {
			t.Fatalf("with %s: XDP is gone", wrong.text)
		}
		b.edit(wrong.text, wrong.old)
	}
	b.must(b.daemon.Start())
	if got := b.status().Dialogs.Confirmed; got != n {
		t.Errorf("%d confirmed dialogs after the good start, want %d", got, n)
	}
	s.passed(callers, n)
	s.passed(callees, n)
}

// What steered for another mode would steer to sockets that are closed.
func TestModeOffTakesDownWhatNativeLeft(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{})
	telephones(s, b, vip4)
	const n = 10
	callees := s.sipp(s.ub, vip4, sipp.Run{Scenario: "answer", Calls: n})
	callers := s.sipp(s.ua, vip4, sipp.Run{Scenario: "call", Calls: n, Rate: 40, Pause: 3 * time.Second})
	waitDialogs(b, n)
	b.stop(syscall.SIGTERM)
	b.edit("mode: native", "mode: off")
	b.must(b.daemon.Start())
	if b.attached() {
		t.Error("XDP is still attached")
	}
	s.passed(callers, n)
	s.passed(callees, n)
}

// pinsFor does as root what the systemd unit does before the start: a folder for pins that a user may write to.
func (b *balancer) pinsFor(uid int) {
	b.Helper()
	const root = "/sys/fs/bpf"
	info, err := os.Stat(root)
	b.must(err)
	folder := filepath.Join(root, fmt.Sprintf("sipsteer-user-%d", os.Getpid()))
	b.must(os.Mkdir(folder, 0o700))
	b.must(os.Chown(folder, uid, uid))
	b.must(os.Chmod(root, info.Mode().Perm()|0o011))
	b.Cleanup(func() {
		_ = os.RemoveAll(folder)
		_ = os.Chmod(root, info.Mode().Perm())
	})
	b.edit("bpffs: ", "bpffs: "+filepath.Join(folder, "node")+" # ")
}

// The systemd unit runs the daemon as a user with these capabilities; a restart must do with them.
func TestRestartWithTheCapabilitiesOfTheUnit(t *testing.T) {
	s := newSite(t)
	s.needs("setpriv")
	unit, err := os.ReadFile(filepath.Join("..", "..", "deploy", "systemd", "sipsteer.service"))
	s.must(err)
	_, line, found := strings.Cut(string(unit), "\nCapabilityBoundingSet=")
	if line, _, _ = strings.Cut(line, "\n"); !found || line == "" {
		t.Fatal("the unit has no CapabilityBoundingSet")
	}
	names := strings.ToLower(strings.ReplaceAll(line, "CAP_", "+"))
	caps := "-all," + strings.Join(strings.Fields(names), ",")
	script := filepath.Join(s.dir, "sipsteer")
	s.must(os.WriteFile(script, fmt.Appendf(nil, "#!/bin/sh\nexec setpriv --reuid %d --regid %d --clear-groups --no-new-privs "+
		"--inh-caps %s --ambient-caps %s --bounding-set %s %s \"$@\"\n", nobody, nobody, caps, caps, caps, binary()), 0o755))
	d, err := daemon.New(s.lb, script, s.dir, daemon.Settings{})
	s.must(err)
	t.Cleanup(d.Remove)
	b := &balancer{site: s, daemon: d}
	b.openTo(nobody)
	b.pinsFor(nobody)
	b.must(d.Start())
	b.stop(syscall.SIGTERM)
	b.must(d.Start())
	if !b.attached() {
		t.Error("XDP is not attached after the restart")
	}
	b.stop(syscall.SIGINT)
}
