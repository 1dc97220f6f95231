// SPDX-License-Identifier: Apache-2.0

package route

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

func gateway(name, group, addr string, priority, weight int) Gateway {
	g := Gateway{Name: name, Group: group, Addr: netip.MustParseAddrPort(addr), Priority: priority, Weight: weight}
	g.Sources = []netip.Prefix{netip.PrefixFrom(g.Addr.Addr(), g.Addr.Addr().BitLen())}
	return g
}

func plan() *DialPlan {
	return NewDialPlan([]Gateway{
		gateway("b2", "b", "203.0.113.22:5060", 2, 1), gateway("b1", "b", "203.0.113.21:5060", 1, 1),
		gateway("a1", "a", "203.0.113.11:5070", 1, 1), gateway("six", "six", "[2001:db8::6]:5060", 1, 1),
	}, []Prefix{
		{Prefix: "+49", Groups: []string{"a", "b"}, Reply: 4 * time.Second, Failover: []int{408, 503}},
		{Prefix: "+4930", Groups: []string{"b"}, Strip: 3, Add: "0"},
		{Prefix: "0", Groups: []string{"a"}, Strip: 4}, {Prefix: "9", Groups: []string{"none"}}, {Prefix: "6", Groups: []string{"six"}},
	})
}

func planned(l []netip.AddrPort) *Router {
	users := directory{"+4930111@example.com": contact("sip:desk@198.51.100.7")}
	return New(NewDomains([]string{"example.com"}, l), users, users, Forking{MaxTargets: 3}, plan())
}

func TestDialPlan(t *testing.T) {
	for _, c := range []struct {
		uri, from string
		want      string // users and hosts of all targets
		code      int
	}{
		{"sip:+4989123@example.com", "", "+4989123@203.0.113.11:5070 +4989123@203.0.113.21:5060 +4989123@203.0.113.22:5060", 0},
		{"sip:+49(89)12-3;isub=1@example.com", "", "+4989123@203.0.113.11:5070 +4989123@203.0.113.21:5060 +4989123@203.0.113.22:5060", 0},
		{"tel:+49-89-123", "203.0.113.21", "+4989123@203.0.113.11:5070 +4989123@203.0.113.22:5060", 0}, // not back to where it came from
		{"sip:+4930999@example.com", "", "030999@203.0.113.21:5060 030999@203.0.113.22:5060", 0},
		{"sip:+4930111@example.com", "", "desk@198.51.100.7", 0}, // a user of ours comes first
		{"sip:0049*1%23@example.com", "", "*1%23@203.0.113.11:5070", 0},
		{"sip:+33@example.com", "", "", 404}, {"sip:alice@example.com", "", "", 404}, {"sip:+@example.com", "", "", 404},
		{"sip:004@example.com", "", "", 484}, {"sip:0049@example.com", "", "", 484},
		{"sip:9@example.com", "", "", 480}, {"sip:00491@example.com", "203.0.113.11", "", 480},
		{"sip:+4989123@example.net", "", "", 403}, {"sip:6@example.com", "", "6@[2001:db8::6]:5060", 0},
	} {
		u, err := sip.ParseURI([]byte(c.uri))
		if err != nil {
			t.Fatal(err)
		}
		var source netip.Addr
		if c.from != "" {
			source = netip.MustParseAddr(c.from)
		}
		targets, err := planned(listen).Route(&u, Call{Source: source, Seed: 7})
		var got []string
		for _, target := range targets {
			got = append(got, strings.TrimPrefix(target.URI, "sip:"))
		}
		var fault *sip.Error
		errors.As(err, &fault)
		if strings.Join(got, " ") != c.want || (fault == nil) != (c.code == 0) || fault != nil && fault.Code != c.code {
			t.Errorf("%s from %s: %q, %v; want %q, %d", c.uri, c.from, got, err, c.want, c.code)
		}
	}
	u, _ := sip.ParseURI([]byte("sip:6@example.com"))
	if _, err := planned(listen[:1]).Route(&u, Call{}); err != errNoGateway {
		t.Errorf("an IPv6 gateway behind an IPv4 service: %v", err)
	}
}

func TestEachGatewayWaitsForTheOneBefore(t *testing.T) {
	u, _ := sip.ParseURI([]byte("sip:+4989123@example.com"))
	targets, err := planned(listen).Route(&u, Call{})
	if err != nil || targets[0].Next || targets[0].Q != 1000 {
		t.Fatalf("%+v, %v", targets, err)
	}
	for _, target := range targets[1:] {
		if !target.Next || target.Reply != 4*time.Second || !slices.Equal(target.On, []int{408, 503}) || target.Q >= 1000 {
			t.Errorf("%+v", target)
		}
	}
}

func TestTrunksAreKnownByTheirAddress(t *testing.T) {
	for addr, want := range map[string]bool{"203.0.113.11": true, "::ffff:203.0.113.11": true, "203.0.113.12": false} {
		if planned(listen).Trunk(netip.MustParseAddr(addr)) != want {
			t.Errorf("%s: trunk is not %v", addr, want)
		}
	}
	if New(nil, nil, nil, Forking{}, nil).Trunk(netip.MustParseAddr("203.0.113.11")) {
		t.Error("a trunk without a dial plan")
	}
}

// Every usable gateway of the line is in the row once, group by group and by
// priority, and the same seed gives the same row.
func TestRouteAdvancePassesEveryGatewayOnce(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var all []Gateway
		for i := range rapid.IntRange(1, 10).Draw(r, "gateways") {
			all = append(all, Gateway{
				Name: string(rune('a' + i)), Group: rapid.SampledFrom([]string{"x", "y"}).Draw(r, "group"),
				Addr:     netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(i + 1)}), 5060),
				Priority: rapid.IntRange(1, 3).Draw(r, "priority"), Weight: rapid.IntRange(1, 5).Draw(r, "weight"),
			})
		}
		p := NewDialPlan(all, []Prefix{{Groups: []string{"y", "x"}}})
		seed := rapid.Uint64().Draw(r, "seed")
		row, err := p.targets("1", seed, func(*Gateway) bool { return true })
		again, _ := p.targets("1", seed, func(*Gateway) bool { return true })
		if err != nil || len(row) != len(all) {
			r.Fatalf("%d of %d gateways, %v", len(row), len(all), err)
		}
		last := [2]int{}
		for i := range row {
			g := all[slices.IndexFunc(all, func(g Gateway) bool { return "sip:1@"+g.Addr.String() == row[i].URI })]
			place := [2]int{0, g.Priority}
			if g.Group == "x" {
				place[0] = 1
			}
			if slices.Compare(place[:], last[:]) < 0 || row[i].URI != again[i].URI {
				r.Fatalf("%v after %v", place, last)
			}
			last = place
		}
	})
}

func TestWeightsShareTheCalls(t *testing.T) {
	p := NewDialPlan([]Gateway{gateway("a", "g", "203.0.113.1:5060", 1, 3), gateway("b", "g", "203.0.113.2:5060", 1, 1)}, []Prefix{{Groups: []string{"g"}}})
	first := 0
	for seed := range uint64(1000) {
		row, _ := p.targets("1", seed, func(*Gateway) bool { return true })
		if row[0].URI == "sip:1@203.0.113.1:5060" {
			first++
		}
	}
	if first < 700 || first > 800 {
		t.Errorf("%d of 1000 calls go to the gateway with three quarters of the weight", first)
	}
}
