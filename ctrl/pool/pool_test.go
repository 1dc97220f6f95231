// SPDX-License-Identifier: Apache-2.0

package pool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

func shares(n int, weight func(int) int) []share {
	s := make([]share, n)
	for i := range s {
		s[i] = share{uint32(i + 1), fmt.Sprintf("w%d", i+1), weight(i)}
	}
	return s
}

func count(t *table) map[uint32]int {
	c := map[uint32]int{}
	for _, id := range t {
		c[id]++
	}
	return c
}

func TestTableFollowsWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "workers")
		s := shares(n, func(i int) int { return rapid.IntRange(1, 10).Draw(t, "weight") })
		total := 0
		for _, w := range s {
			total += w.weight
		}
		got := count(build(s))
		for _, w := range s {
			want := float64(TableSize) * float64(w.weight) / float64(total)
			if d := float64(got[w.id]) - want; d > 0.02*want+11 || d < -0.02*want-11 {
				t.Fatalf("worker %d of weight %d has %d slots, want about %.0f", w.id, w.weight, got[w.id], want)
			}
		}
	})
}

func TestRemovalMovesFewOtherSlots(t *testing.T) {
	all := shares(10, func(int) int { return 1 })
	before, after := build(all), build(all[1:])
	moved := 0
	for i := range before {
		if before[i] != 1 && before[i] != after[i] {
			moved++
		}
	}
	if limit := TableSize / 20; moved > limit {
		t.Fatalf("%d slots of workers that stayed moved, want at most %d", moved, limit)
	}
}

func TestTableDoesNotDependOnOrder(t *testing.T) {
	a := shares(5, func(i int) int { return i + 1 })
	b := []share{a[3], a[0], a[4], a[2], a[1]}
	if *build(a) != *build(b) {
		t.Fatal("tables of the same workers in another order differ")
	}
}

func TestNoWorkerNoTable(t *testing.T) {
	if build(nil) != nil || build([]share{{1, "w1", 0}}) != nil {
		t.Fatal("a table without workers")
	}
}

func key(n uint64) (k steer.Key) {
	binary.LittleEndian.PutUint64(k[:], n)
	return k
}

func TestDrainingWorkerGetsNoNewCalls(t *testing.T) {
	p := New([]Worker{{ID: 1, Name: "w1", Weight: 1}, {ID: 2, Name: "w2", Weight: 1}})
	if _, ok := p.Choose(key(1)); ok {
		t.Fatal("a worker was chosen while all are down")
	}
	for _, n := range []string{"w1", "w2"} {
		if err := p.SetReachable(n, true); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Drain("w1", true); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(1000) {
		if id, ok := p.Choose(key(i)); !ok || id != 2 {
			t.Fatalf("key %d went to worker %d, %v", i, id, ok)
		}
	}
	if !p.Reachable(1) {
		t.Fatal("a draining worker must still get the packets of its calls")
	}
	// Losing and finding it again does not end the drain.
	_ = p.SetReachable("w1", false)
	_ = p.SetReachable("w1", true)
	if got := p.Workers()[0].State; got != Draining {
		t.Fatalf("state after coming back is %s, want draining", got)
	}
	if err := p.Drain("w3", true); !errors.Is(err, ErrUnknown) {
		t.Fatalf("draining an unknown worker: %v", err)
	}
}
