// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/kamailio"
	"github.com/sipsteer/sipsteer/tests/netns"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

const (
	kamailioConfig = "deploy/kamailio/kamailio.cfg"
	password       = "demo"
)

var (
	vip  = netip.MustParseAddrPort("192.0.2.10:5060")
	vip6 = netip.MustParseAddrPort("[2001:db8::10]:5060")
)

// stage is everything that the demo sets up.
type stage struct {
	binary, dir string

	mu      sync.Mutex // closing may cut into building
	farm    *netns.Farm
	daemon  *daemon.Daemon
	second  string // what runs on the second worker's host
	workers []daemon.Worker
}

func (s *stage) build() error {
	farm, err := netns.NewFarm(vip.Addr(), vip6.Addr())
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.farm = farm
	s.mu.Unlock()
	secret, err := daemon.WriteSecret(s.dir)
	if err != nil {
		return err
	}
	s.workers = []daemon.Worker{
		{Name: "w1", Forward: "l2", Address: farm.Worker1.Addr4().String()},
		{Name: "w2", Forward: "l2", Address: farm.Worker2.Addr4().String()},
	}
	if _, err := daemon.StartWorker(farm.Worker1, s.binary, s.dir, "w1", secret); err != nil {
		return err
	}
	if err := s.startSecond(secret); err != nil {
		return err
	}
	d, err := daemon.New(farm.Balancer, s.binary, s.dir, daemon.Settings{Secret: secret, Workers: s.workers})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.daemon = d
	s.mu.Unlock()
	return d.Start()
}

// startSecond starts a worker that is not ours, where there is one.
func (s *stage) startSecond(secret string) error {
	if _, err := exec.LookPath("kamailio"); err != nil {
		s.second = "sipsteer worker"
		_, err := daemon.StartWorker(s.farm.Worker2, s.binary, s.dir, "w2", secret)
		return err
	}
	s.second = "Kamailio"
	_, err := kamailio.Start(s.farm.Worker2, s.dir, kamailioConfig, []netip.AddrPort{vip, vip6})
	return err
}

func (s *stage) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.daemon != nil {
		s.daemon.Remove()
	}
	if s.farm != nil {
		s.farm.Close()
	}
}

func (s *stage) register() error {
	if err := s.daemon.AddUsers(password, "alice", "bob"); err != nil {
		return err
	}
	for _, u := range []struct {
		name string
		host *netns.Host
	}{{"alice", s.farm.Callers}, {"bob", s.farm.Callees}} {
		if _, err := s.sipp(u.host, sipp.Run{Scenario: "register", User: u.name, Password: password, Calls: 1}); err != nil {
			return err
		}
	}
	out, err := s.daemon.Command("registrations")
	if err != nil {
		return err
	}
	fmt.Println(indent(out))
	return nil
}

// call makes the calls and returns what the caller's SIPp counted.
func (s *stage) call(n int) (sipp.Stats, error) {
	timeout := time.Duration(30+n/50) * time.Second
	callee, err := sipp.Start(s.farm.Callees, s.dir, sipp.Run{Scenario: "answer", Calls: n, Timeout: timeout,
		Local: netip.AddrPortFrom(s.farm.Callees.Addr4(), vip.Port()), Pause: 100 * time.Millisecond})
	if err != nil {
		return sipp.Stats{}, err
	}
	stats, err := s.sipp(s.farm.Callers, sipp.Run{Scenario: "call", User: "alice", Password: password, Calls: n, Rate: 50,
		Timeout: timeout, Pause: 200 * time.Millisecond})
	if err != nil {
		return stats, err
	}
	_, err = callee.Wait()
	return stats, err
}

// sipp runs one scenario against the VIP to its end.
func (s *stage) sipp(h *netns.Host, r sipp.Run) (sipp.Stats, error) {
	r.Local, r.Remote = netip.AddrPortFrom(h.Addr4(), vip.Port()), vip
	session, err := sipp.Start(h, s.dir, r)
	if err != nil {
		return sipp.Stats{}, err
	}
	return session.Wait()
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}
