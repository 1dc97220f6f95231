// SPDX-License-Identifier: Apache-2.0

package pool

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

func key(n uint64) (k steer.Key) {
	binary.LittleEndian.PutUint64(k[:], n)
	return k
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func two() *Pool {
	return New([]Worker{{ID: 1, Name: "w1", Weight: 1}, {ID: 2, Name: "w2", Weight: 1}}, 0)
}

// chosen counts the choices among the first thousand keys.
func chosen(p *Pool) map[uint32]int {
	n := map[uint32]int{}
	for i := range uint64(1000) {
		id, _ := p.Choose(key(i))
		n[id]++
	}
	return n
}

func TestDrainingWorkerGetsNoNewCalls(t *testing.T) {
	p := two()
	if _, ok := p.Choose(key(1)); ok {
		t.Fatal("a worker was chosen while all are down")
	}
	for _, n := range []string{"w1", "w2"} {
		must(t, p.SetReachable(n, true))
	}
	must(t, p.Drain("w1", true))
	if n := chosen(p); n[2] != 1000 {
		t.Fatalf("chosen: %v", n)
	}
	if !p.Reachable(1) {
		t.Fatal("a draining worker must still get the packets of its calls")
	}
	// Losing and finding it again does not end the drain.
	must(t, p.SetReachable("w1", false))
	must(t, p.SetReachable("w1", true))
	if got := p.Workers()[0].State; got != Draining {
		t.Fatalf("state after coming back is %s, want draining", got)
	}
	if err := p.Drain("w3", true); !errors.Is(err, ErrUnknown) {
		t.Fatalf("draining an unknown worker: %v", err)
	}
}

func TestWeightsChangeShares(t *testing.T) {
	p := two()
	for _, n := range []string{"w1", "w2"} {
		must(t, p.SetReachable(n, true))
	}
	must(t, p.SetWeight("w1", 3))
	if n := chosen(p); n[1] < 700 || n[1] > 800 {
		t.Fatalf("chosen: %v, want three of four for w1", n)
	}
	if got := p.Workers()[0].Weight; got != 3 {
		t.Fatalf("weight %d", got)
	}
}

func TestTablesArePublishedOnceAllWorkersAreKnown(t *testing.T) {
	p := two()
	var published [][]uint32
	p.OnChange(func(slots []uint32) { published = append(published, slots) })
	must(t, p.SetReachable("w1", true))
	if len(published) != 0 {
		t.Fatal("a table was published before anything is known of w2")
	}
	must(t, p.SetReachable("w2", false))
	must(t, p.SetReachable("w1", false))
	if len(published) != 2 || len(published[0]) != DefaultSize || published[1] != nil {
		t.Fatalf("%d tables published", len(published))
	}
	for i := range uint64(100) {
		if published[0][i] != 1 {
			t.Fatal("a slot has a worker that is down")
		}
	}
}
