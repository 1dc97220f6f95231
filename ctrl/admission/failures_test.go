// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"net/netip"
	"testing"
	"time"
)

var (
	source = netip.MustParsePrefix("198.51.100.7/32")
	noon   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rule   = BanRule{Failures: 3, Within: time.Minute, For: 10 * time.Minute, AtMost: 30 * time.Minute}
)

func TestFailuresInAMinuteBanForLongerEachTime(t *testing.T) {
	f := NewFailures(rule)
	at := noon
	for i, step := range []struct{ after, want time.Duration }{
		{0, 0}, {40 * time.Second, 0},
		{40 * time.Second, 0}, // the first is too long ago: this one is the first now
		{time.Second, 0}, {time.Second, 10 * time.Minute},
		{10 * time.Minute, 0}, {0, 0}, {0, 20 * time.Minute},
		{20 * time.Minute, 0}, {0, 0}, {0, 30 * time.Minute}, // no longer than that
		{2 * time.Hour, 0}, {0, 0}, {0, 30 * time.Minute}, // remembered for one more turn
		{5 * time.Hour, 0}, {0, 0},
	} {
		at = at.Add(step.after)
		if got := f.Failed(source, at); got != step.want {
			t.Fatalf("failure %d: banned for %s, want %s", i, got, step.want)
		}
	}
}

func TestASourceThatBehavedLongCountsAsNew(t *testing.T) {
	f := NewFailures(rule)
	other := netip.MustParsePrefix("198.51.100.8/32")
	for range 3 {
		f.Failed(source, noon)
	}
	at := noon
	for range 3 { // time goes on with others alone
		at = at.Add(time.Hour)
		f.Failed(other, at)
	}
	f.Failed(source, at)
	f.Failed(source, at)
	if got := f.Failed(source, at); got != rule.For {
		t.Errorf("banned for %s, want %s", got, rule.For)
	}
}

func TestNoRuleBansNobody(t *testing.T) {
	f := NewFailures(BanRule{Within: time.Minute, For: time.Minute, AtMost: time.Minute})
	for range 100 {
		if f.Failed(source, noon) != 0 {
			t.Fatal("banned")
		}
	}
}

func TestAFloodOfSourcesIsBounded(t *testing.T) {
	f := NewFailures(rule)
	for i := range 4 * maxSources {
		f.Failed(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32), noon)
	}
	if n := len(f.now) + len(f.old); n > 2*maxSources {
		t.Errorf("%d sources are remembered", n)
	}
}
