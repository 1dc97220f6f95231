// SPDX-License-Identifier: Apache-2.0

package steer_test

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

func TestTheLongestPrefixSaysTheRule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		addr := rapid.Custom(func(t *rapid.T) netip.Addr {
			// Few bits that differ, so that prefixes nest.
			b := [4]byte{10, byte(rapid.IntRange(0, 1).Draw(t, "b")), byte(rapid.IntRange(0, 3).Draw(t, "c")), byte(rapid.IntRange(0, 7).Draw(t, "d"))}
			if rapid.Bool().Draw(t, "v6") {
				return netip.AddrFrom16([16]byte{0x20, 1, 15: b[3], 14: b[2]})
			}
			return netip.AddrFrom4(b)
		})
		var p steer.Prefixes
		rules := map[netip.Prefix]steer.Rule{}
		for range rapid.IntRange(0, 12).Draw(t, "prefixes") {
			a := addr.Draw(t, "addr")
			prefix := netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits")).Masked()
			rule := steer.Rule(rapid.IntRange(0, 2).Draw(t, "rule"))
			if rule == steer.RuleNone {
				p.Delete(prefix)
				delete(rules, prefix)
				continue
			}
			p.Set(prefix, rule)
			rules[prefix] = rule
		}
		a := addr.Draw(t, "source")
		want, bits := steer.RuleNone, -1
		for prefix, rule := range rules {
			if prefix.Contains(a) && prefix.Bits() > bits {
				want, bits = rule, prefix.Bits()
			}
		}
		if got := p.Rule(a); got != want || p.Len() != len(rules) {
			t.Fatalf("%s in %v: %s, want %s; %d prefixes", a, rules, got, want, p.Len())
		}
	})
}

func TestASourceIsAnIPv4AddressOrAnIPv6Network(t *testing.T) {
	for addr, want := range map[string]string{
		"198.51.100.7": "198.51.100.7/32", "::ffff:198.51.100.7": "198.51.100.7/32",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64",
	} {
		if got := steer.SourceOf(netip.MustParseAddr(addr)); got.String() != want {
			t.Errorf("%s is %s, want %s", addr, got, want)
		}
	}
}

func TestAFloodOfSourcesNeitherGrowsNorFreesTheLastOne(t *testing.T) {
	s := steer.NewSources()
	s.Replace(steer.SourcePolicy{Source: steer.NewRate(1, 1)})
	busy := netip.MustParseAddr("198.51.100.7")
	s.Pay(busy, 1, second)
	for i := range 300_000 {
		s.Pay(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1, second)
		if i%1000 == 0 && s.Pay(busy, 1, second) != steer.DropSourceRate {
			t.Fatalf("after %d other sources a busy one has its tokens back", i)
		}
	}
	if n := s.Buckets(); n > 65536 {
		t.Errorf("%d buckets are kept", n)
	}
}

func TestAServiceRunsOutForItselfAlone(t *testing.T) {
	s := steer.NewSources()
	s.Replace(steer.SourcePolicy{Service: steer.NewRate(1, 2)})
	for i, want := range []steer.Outcome{steer.Undecided, steer.Undecided, steer.DropServiceRate} {
		if got := s.Pay(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 1, second); got != want {
			t.Errorf("request %d: %v, want %v", i, got, want)
		}
	}
	if got := s.Pay(netip.MustParseAddr("10.0.0.9"), 2, second); got != steer.Undecided {
		t.Errorf("another service: %v", got)
	}
}

// What a source is refused by its own rate must not cost the others a share of the service.
func TestAFloodFromOneSourceLeavesTheServiceToOthers(t *testing.T) {
	s := steer.NewSources()
	s.Replace(steer.SourcePolicy{Source: steer.NewRate(1, 5), Service: steer.NewRate(1, 10)})
	for range 1000 {
		s.Pay(netip.MustParseAddr("198.51.100.66"), 1, second)
	}
	for i := range 5 {
		if got := s.Pay(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 1, second); got != steer.Undecided {
			t.Errorf("caller %d: %v", i, got)
		}
	}
}
