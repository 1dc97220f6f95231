// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"net/netip"
	"time"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// VIPSpent is a service whose bucket is empty.
var VIPSpent = netip.MustParseAddrPort("192.0.2.12:5060")

// ServiceSpent is its id.
const ServiceSpent = 9

// forever is a ban's end and a bucket's that no test run comes to see, in nanoseconds.
const forever = 1 << 62

// sourcePolicy is in force in every case. Its rates never run out within a test, other than in the buckets that
// FillSources empties.
func sourcePolicy() steer.SourcePolicy {
	plenty := steer.Rate{IntervalNS: 1, DepthNS: uint64(time.Hour)}
	prefix := netip.MustParsePrefix
	return steer.SourcePolicy{
		Prefixes: map[netip.Prefix]steer.Rule{
			prefix("203.0.113.0/24"):       steer.RuleDeny,
			prefix("203.0.113.128/25"):     steer.RuleAllow,
			prefix("203.0.113.200/32"):     steer.RuleDeny,
			prefix("2001:db8:dead::/48"):   steer.RuleDeny,
			prefix("2001:db8:dead:1::/64"): steer.RuleAllow,
			prefix("::/8"):                 steer.RuleDeny, // says nothing about IPv4, whose mapped form is in it
		},
		Bans: map[netip.Prefix]uint64{
			prefix("198.51.100.66/32"):     forever,
			prefix("198.51.100.67/32"):     1, // is over
			prefix("203.0.113.130/32"):     forever,
			prefix("2001:db8:2::/64"):      forever,
			prefix("2001:db8:dead:1::/64"): forever,
		},
		Source: plenty, Service: plenty,
	}
}

// Whose bucket is empty: one that is limited, and two that are not.
var spent = []netip.Addr{
	netip.MustParseAddr("198.51.100.68"), netip.MustParseAddr("2001:db8:3::1"), netip.MustParseAddr("203.0.113.131"),
}

// SourceTable is a source policy that the kernel or the twin holds.
type SourceTable interface {
	Replace(steer.SourcePolicy) error
	Pay(from netip.Addr, service uint16, nowNS uint64) steer.Outcome
}

// FillSources brings a table to where every case finds it.
func FillSources(t SourceTable) error {
	once := steer.Rate{IntervalNS: forever}
	if err := t.Replace(steer.SourcePolicy{Source: once}); err != nil {
		return err
	}
	for _, a := range spent {
		t.Pay(a, 1, Now)
	}
	if err := t.Replace(steer.SourcePolicy{Service: once}); err != nil {
		return err
	}
	t.Pay(Client.Addr(), ServiceSpent, Now)
	return t.Replace(sourcePolicy())
}

// twinSources gives the twin's table the kernel's signature.
type twinSources struct{ *steer.Sources }

func (s twinSources) Replace(p steer.SourcePolicy) error { s.Sources.Replace(p); return nil }

func sources() *steer.Sources {
	s := steer.NewSources()
	_ = FillSources(twinSources{s}) // cannot fail in memory
	return s
}

// sourceCases are about whom we hear.
func sourceCases() []Case {
	var cases []Case
	for _, s := range []struct {
		name, from string
		info       steer.Outcome // what becomes of a pinned request; Undecided: steered
		invite     steer.Outcome // of one that begins something
	}{
		{"in no prefix", "198.51.100.9", steer.Undecided, steer.PassInitial},
		{"in a deny prefix", "203.0.113.7", steer.DropDenied, steer.DropDenied},
		{"in a longer allow prefix", "203.0.113.129", steer.Undecided, steer.PassInitial},
		{"in a longer deny prefix within that", "203.0.113.200", steer.DropDenied, steer.DropDenied},
		{"banned", "198.51.100.66", steer.DropBanned, steer.DropBanned},
		{"whose ban is over", "198.51.100.67", steer.Undecided, steer.PassInitial},
		{"banned and allowed", "203.0.113.130", steer.Undecided, steer.PassInitial},
		{"without tokens", "198.51.100.68", steer.Undecided, steer.DropSourceRate},
		{"without tokens and allowed", "203.0.113.131", steer.Undecided, steer.PassInitial},
		{"in a deny prefix, IPv6", "2001:db8:dead:2::7", steer.DropDenied, steer.DropDenied},
		{"in a longer allow prefix, IPv6, its /64 banned", "2001:db8:dead:1::7", steer.Undecided, steer.PassInitial},
		{"in a banned /64", "2001:db8:2::77", steer.DropBanned, steer.DropBanned},
		{"beside a banned /64", "2001:db8:2:1::77", steer.Undecided, steer.PassInitial},
		{"in a /64 without tokens", "2001:db8:3::ffff:2", steer.Undecided, steer.DropSourceRate},
		{"that is an IPv4 address in IPv6 and banned", "::ffff:198.51.100.66", steer.DropBanned, steer.DropBanned},
		{"in ::/8", "::1:2", steer.DropDenied, steer.DropDenied},
	} {
		pin := Pin(WorkerLocal)
		from := netip.AddrPortFrom(netip.MustParseAddr(s.from), 5062)
		to := VIP
		if from.Addr().Is6() {
			to = VIP6
		}
		info := Packet{Src: from, Dst: to, Payload: Request("INFO").String()}
		c := newCase("pinned request from a source "+s.name, info, &pin)
		if s.info == steer.Undecided {
			c = c.steered(info)
			c.WantPin.Requests = 1
		} else {
			c = c.stopped(s.info)
		}
		cases = append(cases, c, newCase("initial request from a source "+s.name, inviteFrom(from, to), nil).stopped(s.invite))
	}
	trunk := netip.MustParseAddrPort("203.0.113.129:5060")
	garbage := Packet{Src: netip.MustParseAddrPort("198.51.100.66:5062"), Dst: VIP, Payload: "garbage from a banned source"}
	poor := netip.AddrPortFrom(spent[0], 5062)
	elsewhere := inviteFrom(garbage.Src, netip.MustParseAddrPort("192.0.2.11:5060"))
	return append(cases,
		newCase("garbage from a banned source", garbage, nil).stopped(steer.DropBanned),
		newCase("banned source to an address that is no service", elsewhere, nil).stopped(steer.PassNotOurs),
		newCase("initial request to a service without tokens", inviteFrom(Client, VIPSpent), nil).stopped(steer.DropServiceRate),
		newCase("the same from an allowed source", inviteFrom(trunk, VIPSpent), nil).stopped(steer.PassInitial),
		newCase("initial request under policy direct from a source without tokens", inviteFrom(poor, Direct), nil).stopped(steer.DropSourceRate))
}

func inviteFrom(from, to netip.AddrPort) Packet {
	return Packet{Src: from, Dst: to, Payload: Request("INVITE").Set("To", "<sip:bob@example.com>").String()}
}
