// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/netns"
)

// refuses runs the daemon, which must end by itself with status 1, nothing attached, and one line that holds every word.
func (b *balancer) refuses(uid uint32, words ...string) {
	b.Helper()
	proc, err := b.lb.Start(netns.Command{Path: binary(), Args: []string{"run", "-c", b.daemon.Config}, UID: uid})
	b.must(err)
	if err := proc.Wait(10 * time.Second); err == nil {
		b.Fatal("the daemon ended without an error")
	}
	out := strings.TrimSpace(proc.Output())
	if proc.ExitCode() != 1 {
		b.Errorf("exit status %d, want 1", proc.ExitCode())
	}
	lines := strings.Split(out, "\n")
	last := lines[len(lines)-1]
	for _, word := range words {
		if !strings.Contains(last, word) {
			b.Errorf("the last line does not say %q:\n%s", word, out)
		}
	}
	for _, bad := range []string{"panic", "goroutine ", "Usage:"} {
		if strings.Contains(out, bad) {
			b.Errorf("the output holds %q:\n%s", bad, out)
		}
	}
	if b.attached() {
		b.Error("XDP is attached")
	}
	if left, err := os.ReadDir(b.daemon.BPFFS); err == nil && len(left) > 0 {
		b.Errorf("bpffs holds %v", left)
	}
}

func TestAPortInUseIsNamed(t *testing.T) {
	s := newSite(t)
	b := s.configure(daemon.Settings{})
	other, err := s.lb.ListenUDP(vip4)
	s.must(err)
	defer other.Close()
	b.refuses(0, "192.0.2.10:5060", "in use")
}

func TestAnAPIPortInUseIsNamed(t *testing.T) {
	s := newSite(t)
	b := s.configure(daemon.Settings{})
	var other net.Listener
	s.must(s.lb.Do(func() (err error) {
		other, err = net.Listen("tcp", "127.0.0.1:8060")
		return err
	}))
	defer other.Close()
	b.refuses(0, "127.0.0.1:8060", "in use")
}

func TestMistakesInTheConfigNameLineAndKey(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct{ name, old, new, line, key string }{
		{"unknown key", "node: lb1", "nodes: lb1", ":1:", "nodes"},
		{"unknown mode", "mode: native", "mode: turbo", ":4:", "datapath.mode"},
		{"wrong address", "udp://192.0.2.10:5060", "udp://192.0.2.300:5060", ":9:", "services[0].listen[0]"},
		{"worker without an address", "forward: local", "forward: l2", ":13:", "workers[0].address"},
		{"not a number", "max_pins: 16384", "max_pins: many", ":5:", "datapath.max_pins"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.in(t)
			set := daemon.Settings{Workers: []daemon.Worker{{Name: "w1", Forward: "local"}}}
			b := s.configure(set)
			b.edit(c.old, c.new)
			b.refuses(0, "sipsteer.yaml"+c.line, c.key)
		})
	}
}

func TestAnInterfaceThatDoesNotExistIsNamed(t *testing.T) {
	s := newSite(t)
	b := s.configure(daemon.Settings{})
	b.edit("[eth0]", "[eth7]")
	b.refuses(0, "eth7")
}

func TestAnInterfaceWithoutNativeXDPIsNamedWithTheWayOut(t *testing.T) {
	s := newSite(t)
	b := s.configure(daemon.Settings{})
	b.edit("[eth0]", "[lo]")
	b.refuses(0, "lo", "native", "generic")
	if on, err := s.lb.XDPAttached("lo"); err != nil || on {
		t.Errorf("XDP attached to lo: %v, %v", on, err)
	}
}

// edit changes the config's text, which must hold the old one.
func (b *balancer) edit(old, new string) {
	b.Helper()
	text, err := os.ReadFile(b.daemon.Config)
	b.must(err)
	changed := strings.Replace(string(text), old, new, 1)
	if changed == string(text) {
		b.Fatalf("%q is not in the config", old)
	}
	b.must(os.WriteFile(b.daemon.Config, []byte(changed), 0o600))
}

// nobody is a user without privileges.
const nobody = 65534

func TestWithoutPrivilegesTheWayOutIsNamed(t *testing.T) {
	s := newSite(t)
	b := s.configure(daemon.Settings{})
	b.openTo(nobody)
	b.refuses(nobody, "root")
}

func TestWithoutPrivilegesModeOffServesCalls(t *testing.T) {
	s := newSite(t)
	b := s.configure(daemon.Settings{Mode: "off"})
	b.openTo(nobody)
	b.must(b.daemon.StartAs(nobody))
	telephones(s, b, vip4)
	s.call(vip4, calls{call: "call", answer: "answer", n: 10, rate: 20})
}

// openTo gives the daemon's folder to a user. The test's own folders above it are closed to others.
func (b *balancer) openTo(uid int) {
	b.Helper()
	dir := b.daemon.Dir()
	for _, path := range []string{dir, b.daemon.Config} {
		b.must(os.Chown(path, uid, uid))
	}
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		b.must(os.Chmod(d, 0o755))
	}
}
