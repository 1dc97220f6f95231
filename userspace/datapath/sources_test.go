// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"errors"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/sipsteer/sipsteer/bpf"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// The same requests at the same times, paid for in the kernel and in the twin.
func TestKernelAndTwinTakeTheSameTokens(t *testing.T) {
	d := openFixture(t)
	first := uint64(1) << 61 // so that no run finds buckets of the one before
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) steer.Rate {
			return steer.NewRate(rapid.IntRange(0, 2000).Draw(t, name), rapid.IntRange(1, 20).Draw(t, name+" burst"))
		}
		p := steer.SourcePolicy{Source: draw("source"), Service: draw("service")}
		twin := steer.NewSources()
		twin.Replace(p)
		if err := d.Sources().Replace(p); err != nil {
			t.Fatal(err)
		}
		first += 1 << 50
		now := first
		for range rapid.IntRange(1, 100).Draw(t, "requests") {
			now += rapid.Uint64Range(0, 2_000_000).Draw(t, "later")
			from := netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(1, 3).Draw(t, "from"))})
			service := uint16(rapid.IntRange(1, 2).Draw(t, "service"))
			want := twin.Pay(from, service, now)
			if got := d.Sources().Pay(from, service, now); got != want {
				t.Fatalf("%s to service %d at %d: kernel %v, twin %v", from, service, now, got, want)
			}
		}
	})
}

// Requests that the program passed up have paid there: what user space pays comes out of the same bucket.
func TestProgramAndUserSpaceShareTheBuckets(t *testing.T) {
	d := openFixture(t)
	const hour = uint64(3600_000_000_000) // no token comes back while the test runs
	if err := d.Sources().Replace(steer.SourcePolicy{Source: steer.Rate{IntervalNS: hour, DepthNS: 3 * hour}}); err != nil {
		t.Fatal(err)
	}
	from := netip.MustParseAddrPort("198.51.100.200:5062")
	invite := steertest.Packet{Src: from, Dst: steertest.VIP, Payload: steertest.Request("INVITE").Set("To", "<sip:bob@example.com>").String()}.Frame()
	program := func() steer.Outcome {
		for o := range runFrame(t, d, invite, steer.Key{}, nil).outcomes {
			return o
		}
		return steer.Undecided
	}
	for i, want := range []steer.Outcome{steer.PassInitial, steer.PassInitial} {
		if got := program(); got != want {
			t.Fatalf("request %d: %v", i, got)
		}
	}
	for i, want := range []steer.Outcome{steer.Undecided, steer.Undecided, steer.DropSourceRate} {
		if got := d.Sources().Pay(from.Addr(), 1, NowPrecise()); got != want {
			t.Fatalf("request %d in user space: %v, want %v", i, got, want)
		}
	}
	if got := program(); got != steer.DropSourceRate {
		t.Errorf("the program still has tokens: %v", got)
	}
}

func published(t *testing.T, d *Datapath) bpf.SteerPolicyTable {
	t.Helper()
	var v bpf.SteerSourcePolicy
	if err := d.objs.Policies.Lookup(uint32(0), &v); err != nil {
		t.Fatal(err)
	}
	return v.Tables
}

func TestEmptyTablesAreNotLookedInto(t *testing.T) {
	d := openFixture(t)
	s := d.Sources()
	prefix, source := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.1/32")
	must(t, s.Replace(steer.SourcePolicy{}))
	if got := published(t, d); got != 0 {
		t.Errorf("tables %d without any entry", got)
	}
	must(t, s.SetBan(source, 5))
	if got := published(t, d); got != bpf.SteerPolicyTablePOLICY_BANS {
		t.Errorf("tables %d with a ban", got)
	}
	must(t, s.SetPrefix(prefix, steer.RuleDeny))
	must(t, s.SetBan(source, 0))
	must(t, s.SetBan(source, 0)) // lifting it again is no error
	if got := published(t, d); got != bpf.SteerPolicyTablePOLICY_PREFIXES {
		t.Errorf("tables %d after the ban was lifted", got)
	}
	must(t, s.SetPrefix(prefix, steer.RuleNone))
	if got := published(t, d); got != 0 {
		t.Errorf("tables %d when all is gone", got)
	}
}

func TestReplaceRemovesWhatAnEarlierDaemonLeft(t *testing.T) {
	d := openFixture(t)
	later := newSources(&d.objs) // as a daemon that starts on the same maps
	keep := netip.MustParsePrefix("203.0.113.0/24")
	ban := netip.MustParsePrefix("2001:db8:77::/64")
	err := later.Replace(steer.SourcePolicy{
		Prefixes: map[netip.Prefix]steer.Rule{keep: steer.RuleAllow}, Bans: map[netip.Prefix]uint64{ban: 7},
	})
	if err != nil {
		t.Fatal(err)
	}
	stock := newSources(&d.objs)
	if err := stock.takeStock(); err != nil {
		t.Fatal(err)
	}
	if len(stock.have) != 1 || !stock.have[keep] || len(stock.banned) != 1 || !stock.banned[ban] {
		t.Errorf("in the kernel: %v, %v", stock.have, stock.banned)
	}
}

func TestAFullTableSaysSo(t *testing.T) {
	d := openFixture(t)
	if err := d.Sources().Replace(steer.SourcePolicy{}); err != nil {
		t.Fatal(err)
	}
	var err error
	n := 0
	for ; n <= steer.MaxPrefixes && err == nil; n++ {
		err = d.Sources().setPrefix(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 8), byte(n), 0}), 32), steer.RuleDeny)
	}
	if !errors.Is(err, steer.ErrTooMany) || n != steer.MaxPrefixes+1 {
		t.Errorf("after %d prefixes: %v", n, err)
	}
}
