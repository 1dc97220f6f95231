// SPDX-License-Identifier: Apache-2.0

package pool

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func shares(n int, weight func(int) int) []share {
	s := make([]share, n)
	for i := range s {
		s[i] = share{uint32(i + 1), fmt.Sprintf("w%d", i+1), weight(i), true}
	}
	return s
}

func equal(int) int { return 1 }

// without returns the shares with one worker away.
func without(s []share, i int) []share {
	s = slices.Clone(s)
	s[i].takes = false
	return s
}

func count(t table) map[uint32]int {
	c := map[uint32]int{}
	for _, id := range t {
		c[id]++
	}
	return c
}

// spread is how far the workers' parts are from what their weights ask for, at worst, as a part of that.
func spread(got map[uint32]int, s []share) float64 {
	slots, weights, worst := 0, 0, 0.0
	for _, w := range s {
		if w.takes {
			slots, weights = slots+got[w.id], weights+w.weight
		}
	}
	for _, w := range s {
		if w.takes {
			want := float64(slots) * float64(w.weight) / float64(weights)
			worst = max(worst, math.Abs(float64(got[w.id])-want)/want)
		}
	}
	return worst
}

// moved counts the slots that changed their worker: those of the one that went, and those of the others.
func moved(before, after table, gone uint32) (its, others map[uint32]int, othersTotal int) {
	its, others = map[uint32]int{}, map[uint32]int{}
	for i := range before {
		switch {
		case before[i] == gone:
			its[after[i]]++
		case before[i] != after[i]:
			others[before[i]]++
			othersTotal++
		}
	}
	return its, others, othersTotal
}

func TestTableFollowsWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := shares(rapid.IntRange(1, 20).Draw(t, "workers"), func(int) int { return rapid.IntRange(1, 10).Draw(t, "weight") })
		if off := spread(count(build(s, DefaultSize)), s); off > 0.02 {
			t.Fatalf("a worker's part is %.1f %% off", 100*off)
		}
	})
}

// What the workers are promised: even shares, a dead worker's share spread evenly, the others left alone.
func TestADeadWorkersShareSpreadsEvenly(t *testing.T) {
	t.Logf("%8s %8s %14s %20s %14s", "workers", "slots", "shares off by", "dead's share off by", "others moved")
	for _, c := range []struct{ workers, size int }{{2, 65537}, {3, 65537}, {10, 65537}, {50, 65537}, {100, 65537}, {300, 655373}, {10, 4099}} {
		s := shares(c.workers, equal)
		before := build(s, c.size)
		off := spread(count(before), s)
		var worst float64
		var others int
		for _, gone := range []int{0, c.workers / 2, c.workers - 1} {
			left := without(s, gone)
			its, _, n := moved(before, build(left, c.size), s[gone].id)
			worst = max(worst, spread(its, left))
			others = max(others, n)
		}
		t.Logf("%8d %8d %12.2f %% %18.2f %% %12.2f %%", c.workers, c.size, 100*off, 100*worst, 100*float64(others)/float64(c.size))
		if off > 0.02 {
			t.Errorf("%d workers: a share is %.2f %% off", c.workers, 100*off)
		}
		// With n slots to share out among k, one slot is the smallest difference there can be.
		if grain := float64(c.workers*c.workers) / float64(c.size); worst > 0.02+grain {
			t.Errorf("%d workers: the dead one's share spreads with %.2f %% difference", c.workers, 100*worst)
		}
		if others > 0 {
			t.Errorf("%d workers: %d slots of workers that stayed moved", c.workers, others)
		}
	}
}

// The second death finds the first one's slots on the others.
func TestASecondDeathMovesFew(t *testing.T) {
	for _, n := range []int{4, 9, 20} {
		s := without(shares(n, equal), 0)
		left := without(s, n-1)
		before, after := build(s, DefaultSize), build(left, DefaultSize)
		_, _, others := moved(before, after, s[n-1].id)
		off := spread(count(after), left)
		t.Logf("%d workers: %.2f %% of the others' slots moved, shares off by %.2f %%", n, 100*float64(others)/DefaultSize, 100*off)
		if float64(others) > 0.01*DefaultSize || off > 0.02 {
			t.Errorf("%d workers: %d of the others' slots moved, shares off by %.1f %%", n, others, 100*off)
		}
		if !slices.Equal(build(s, DefaultSize), before) {
			t.Error("the table of before does not come back")
		}
	}
}

func TestTableDoesNotDependOnOrder(t *testing.T) {
	a := without(shares(5, func(i int) int { return i + 1 }), 2)
	b := []share{a[3], a[0], a[4], a[2], a[1]}
	if !slices.Equal(build(a, 4099), build(b, 4099)) {
		t.Fatal("tables of the same workers in another order differ")
	}
}

func TestNoWorkerNoTable(t *testing.T) {
	if build(nil, DefaultSize) != nil || build([]share{{1, "w1", 0, true}}, DefaultSize) != nil || build([]share{{1, "w1", 1, false}}, DefaultSize) != nil {
		t.Fatal("a table without workers")
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{2, 10, 100, 1000} {
		s := without(shares(n, equal), 0)
		b.Run(fmt.Sprintf("%d workers", n), func(b *testing.B) {
			for b.Loop() {
				build(s, DefaultSize)
			}
		})
	}
}
