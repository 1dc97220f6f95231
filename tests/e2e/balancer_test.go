// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"syscall"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/netns"
)

// balancer is the daemon under test on the balancer's host.
type balancer struct {
	*site
	daemon *daemon.Daemon
}

// balance starts the daemon with the settings.
func (s *site) balance(set daemon.Settings) *balancer {
	s.Helper()
	b := s.configure(set)
	b.must(b.daemon.Start())
	return b
}

// configure writes the config and leaves the daemon to be started.
func (s *site) configure(set daemon.Settings) *balancer {
	s.Helper()
	d, err := daemon.New(s.lb, binary(), s.dir, set)
	s.must(err)
	s.Cleanup(func() {
		if s.Failed() {
			s.Logf("sipsteer wrote:\n%s", tail(d.Output()))
		}
		d.Remove()
	})
	return &balancer{site: s, daemon: d}
}

// stop sends a signal and expects a clean end.
func (b *balancer) stop(sig syscall.Signal) {
	b.Helper()
	b.must(b.daemon.Stop(sig))
}

func (b *balancer) addUsers(names ...string) {
	b.Helper()
	b.must(b.daemon.AddUsers(password, names...))
}

func (b *balancer) status() daemon.Status {
	b.Helper()
	st, err := b.daemon.Status()
	b.must(err)
	return st
}

func (b *balancer) settled() daemon.Status {
	b.Helper()
	st, err := b.daemon.Settled()
	b.must(err)
	return st
}

// attached tells whether the balancer's cable has an XDP program.
func (b *balancer) attached() bool {
	b.Helper()
	on, err := b.lb.XDPAttached(netns.Interface)
	b.must(err)
	return on
}

func tail(s string) string { return s[max(0, len(s)-4000):] }
