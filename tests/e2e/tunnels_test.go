// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/kamailio"
	"github.com/sipsteer/sipsteer/tests/netns"
)

// tunnelled is a site with our worker on w1 and Kamailio on w2, each behind sipsteer decap.
type tunnelled struct {
	*site
	*balancer
	decaps [2]*netns.Process
}

func tunnels(t *testing.T, mode string, forward [2]string, address [2]netip.Addr, s *site) *tunnelled {
	t.Helper()
	s.needs("kamailio")
	secret, err := daemon.WriteSecret(s.dir)
	s.must(err)
	_, err = daemon.StartWorker(s.w1, binary(), s.dir, "w1", secret)
	s.must(err)
	_, err = kamailio.Start(s.w2, s.dir, kamailioConfig, vips)
	s.must(err)
	x := &tunnelled{site: s}
	for i, h := range []*netns.Host{s.w1, s.w2} {
		x.decaps[i], err = daemon.StartDecap(h, binary(), s.lb.Addr4().String(), s.lb.Addr6().String())
		s.must(err)
	}
	x.balancer = s.balance(daemon.Settings{Mode: mode, Secret: secret, Workers: []daemon.Worker{
		{Name: "w1", Forward: forward[0], Address: address[0].String()},
		{Name: "w2", Forward: forward[1], Address: address[1].String()},
	}})
	return x
}

// ended stops a decap and returns what it counted.
func (x *tunnelled) ended(i int) map[string]uint64 {
	t := x.site
	t.Helper()
	t.must(x.decaps[i].Signal(syscall.SIGTERM))
	t.must(x.decaps[i].Wait(5 * time.Second))
	out := x.decaps[i].Output()
	var n map[string]uint64
	if err := json.Unmarshal([]byte(out[strings.Index(out, "{"):]), &n); err != nil {
		t.Fatalf("decap wrote %q: %v", out, err)
	}
	return n
}

func TestCallsThroughTunnels(t *testing.T) {
	for _, c := range []struct {
		name, mode string
		forward    [2]string
		outer6     [2]bool
		vip        netip.AddrPort
	}{
		{"IPv4 in IPv4 and in gue over IPv6", "native", [2]string{"ipip", "gue"}, [2]bool{false, true}, vip4},
		{"IPv6 in IPv6 and in gue over IPv4", "native", [2]string{"ipip", "gue"}, [2]bool{true, false}, vip6},
		{"IPv6 in gue over IPv6 and in IPv4", "native", [2]string{"gue", "ipip"}, [2]bool{true, false}, vip6},
		{"IPv4 in gue over IPv4 and in IPv6, generic", "generic", [2]string{"gue", "ipip"}, [2]bool{false, true}, vip4},
		{"IPv4 in IPv4 and in gue over IPv4, in user space", "off", [2]string{"ipip", "gue"}, [2]bool{false, false}, vip4},
		{"IPv6 in gue over IPv6 and in IPv6, in user space", "off", [2]string{"gue", "ipip"}, [2]bool{true, true}, vip6},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t)
			addresses := [2]netip.Addr{s.w1.Addr4(), s.w2.Addr4()}
			for i, h := range []*netns.Host{s.w1, s.w2} {
				if c.outer6[i] {
					addresses[i] = h.Addr6()
				}
			}
			x := tunnels(t, c.mode, c.forward, addresses, s)
			telephones(s, x.balancer, c.vip)
			before := x.settled()
			const n = 60
			// Kamailio's children overtake each other: see TestCallsThroughWorkersOnOtherHosts.
			caller, callee := s.call(c.vip, calls{
				call: "call", answer: "answer", n: n, rate: 60, length: 100 * time.Millisecond, rings: 100 * time.Millisecond,
			})
			after := x.settled()
			if c.mode != "off" {
				checkSteering(s, round{before, after, n, caller.Retransmissions + callee.Retransmissions})
			}
			checkShares(s, after.Workers, 0.20, 0.80)
			for i := range x.decaps {
				counted := x.ended(i)
				if counted[c.forward[i]] < n || counted["not_from"]+counted["not_vip"]+counted["odd"] > 0 {
					t.Errorf("decap of %s counted %v", c.forward[i], counted)
				}
			}
			if on, err := s.w1.XDPAttached(netns.Interface); err != nil || on {
				t.Errorf("decap is still attached (%v)", err)
			}
		})
	}
}
