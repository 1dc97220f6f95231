// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/kamailio"
	"github.com/sipsteer/sipsteer/tests/netns"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

const (
	workerConfig = "deploy/kamailio/kamailio.cfg"
	password     = "bench"

	// Of an undisturbed call, the kernel steers 180, 200, ACK, BYE and 200; the control plane sees INVITE, ACK and
	// INVITE. The dispatcher sees INVITE, 100, 180, 200, ACK, BYE and 200.
	steeredPerCall    = 5
	controlPerCall    = 3
	dispatchedPerCall = 7
)

var (
	vip   = netip.MustParseAddrPort("192.0.2.10:5060") // sipsteer's
	vip6  = netip.MustParseAddr("2001:db8::10")
	other = netip.MustParseAddrPort("192.0.2.20:5060") // the dispatcher's
)

// bench is the lab with both balancers, each on a host of its own, before the same two worker hosts.
type bench struct {
	farm       *netns.Farm
	dir        string
	sipsteer   *daemon.Daemon
	dispatcher *kamailio.Server
	stats      io.Closer // keeps BPF statistics on
}

func newBench(dir, binary string) (*bench, error) {
	farm, err := netns.NewFarm(vip.Addr(), vip6)
	if err != nil {
		return nil, err
	}
	b := &bench{farm: farm, dir: dir}
	if err := b.build(binary); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) build(binary string) (err error) {
	if b.stats, err = ebpf.EnableStats(unix.BPF_STATS_RUN_TIME); err != nil {
		return fmt.Errorf("turning BPF statistics on: %w", err)
	}
	if err := b.startWorkers(); err != nil {
		return err
	}
	if err := b.startDispatcher(); err != nil {
		return err
	}
	b.sipsteer, err = daemon.New(b.farm.Balancer, binary, b.dir, daemon.Settings{Workers: []daemon.Worker{
		{Name: "w1", Forward: "l2", Address: b.farm.Worker1.Addr4().String()},
		{Name: "w2", Forward: "l2", Address: b.farm.Worker2.Addr4().String()},
	}})
	if err != nil {
		return err
	}
	if err := b.sipsteer.Start(); err != nil {
		return err
	}
	if err := b.sipsteer.AddUsers(password, "alice", "bob"); err != nil {
		return err
	}
	_, err = b.sipp(b.farm.Callees, vip, sipp.Run{Scenario: "register", User: "bob", Password: password, Calls: 1})
	return err
}

// startWorkers starts on each worker's host one Kamailio that owns the VIP and one at the host's own address, to which
// the dispatcher can send.
func (b *bench) startWorkers() error {
	for _, h := range []*netns.Host{b.farm.Worker1, b.farm.Worker2} {
		for _, at := range []netip.AddrPort{vip, netip.AddrPortFrom(h.Addr4(), 5060)} {
			if _, err := kamailio.Start(h, b.dir, workerConfig, []netip.AddrPort{at}, "CHILDREN=1"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) startDispatcher() error {
	h, err := b.farm.Host("dispatcher", 2)
	if err != nil {
		return err
	}
	if err := h.Own(other.Addr()); err != nil {
		return err
	}
	if err := b.farm.Callers.Route(other.Addr(), h.Addr4()); err != nil {
		return err
	}
	for _, w := range []*netns.Host{b.farm.Worker1, b.farm.Worker2} {
		if err := w.Route(other.Addr(), h.Addr4()); err != nil {
			return err
		}
	}
	list := filepath.Join(b.dir, "dispatcher.list")
	text := fmt.Sprintf("1 sip:%s:5060\n1 sip:%s:5060\n", b.farm.Worker1.Addr4(), b.farm.Worker2.Addr4())
	if err := os.WriteFile(list, []byte(text), 0o644); err != nil {
		return fmt.Errorf("writing the dispatcher's list: %w", err)
	}
	b.dispatcher, err = kamailio.Start(h, b.dir, "tests/bench/dispatcher.cfg", []netip.AddrPort{other}, `LIST="`+list+`"`)
	return err
}

func (b *bench) close() {
	if b.sipsteer != nil {
		b.sipsteer.Remove()
	}
	b.farm.Close()
	if b.stats != nil {
		b.stats.Close()
	}
}

// sipp runs one scenario to its end.
func (b *bench) sipp(h *netns.Host, to netip.AddrPort, r sipp.Run) (sipp.Stats, error) {
	r.Local, r.Remote = netip.AddrPortFrom(h.Addr4(), 5060), to
	session, err := sipp.Start(h, b.dir, r)
	if err != nil {
		return sipp.Stats{}, err
	}
	return session.Wait()
}

// calls makes one turn's calls by way of a balancer. A repeated message would blur the figures, so there may be none.
func (b *bench) calls(scenario string, to netip.AddrPort, l load) error {
	timeout := 30*time.Second + time.Duration(l.calls/l.rate)*time.Second
	// The answer waits a moment, so that nothing overtakes the ringing.
	callee, err := sipp.Start(b.farm.Callees, b.dir, sipp.Run{Scenario: "answer", Calls: l.calls, Timeout: timeout,
		Pause: 50 * time.Millisecond, Local: netip.AddrPortFrom(b.farm.Callees.Addr4(), 5060)})
	if err != nil {
		return err
	}
	defer callee.Stop()
	stats, err := b.sipp(b.farm.Callers, to, sipp.Run{Scenario: scenario, Calls: l.calls, Rate: l.rate, Timeout: timeout,
		User: "alice", Password: password, Keys: map[string]string{"target": b.farm.Callees.Addr4().String() + ":5060"}})
	if err != nil {
		return err
	}
	if stats.Retransmissions > l.calls/50 {
		return fmt.Errorf("%d messages were repeated: this machine is too busy for %d calls a second", stats.Retransmissions, l.rate)
	}
	_, err = callee.Wait()
	return err
}
