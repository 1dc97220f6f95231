// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"fmt"
	"net/netip"
	"testing"
)

func TestBudgetOfOneSource(t *testing.T) {
	b := NewBudget(PinBounds{})
	source, now := netip.MustParseAddr("::ffff:192.0.2.1"), uint64(1e12)
	taken := func() (n int) {
		for range 1000 {
			if ok, _ := b.Take(source, 1e8, now); ok {
				n++
			}
		}
		return n
	}
	if n := taken(); n != 100 {
		t.Errorf("%d at once, want ten seconds' worth, 100", n)
	}
	now += 1e9
	if n := taken(); n != 10 {
		t.Errorf("%d a second later, want 10", n)
	}
	if ok, why := b.Take(netip.MustParseAddr("192.0.2.1"), 1e8, now); ok || why != DirectOverSource {
		t.Errorf("the same source, unmapped: %v, %v", ok, why)
	}
	if ok, _ := b.Take(netip.MustParseAddr("192.0.2.2"), 1e8, now); !ok {
		t.Error("another source was refused")
	}
}

func TestBudgetOfAllSources(t *testing.T) {
	const size = 1024
	b, n := NewBudget(BoundsFor(size, 40e9)), 0
	for i := range 4 * maxSources {
		source := netip.MustParseAddr(fmt.Sprintf("2001:db8:%x:%x::1", i>>16, i&0xffff))
		if ok, why := b.Take(source, 1, 1e12); ok {
			n++
		} else if why != DirectOverAll {
			t.Fatalf("refused for %v", why)
		}
	}
	if n != size/8 {
		t.Errorf("%d pins at once, want %d", n, size/8)
	}
	if len(b.sources) > maxSources {
		t.Errorf("%d sources are remembered", len(b.sources))
	}
}
