// SPDX-License-Identifier: Apache-2.0

package pool

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// DefaultSize is the prime number of slots in a Maglev table where none is
// asked for. With 65,537 slots the shares of up to a few hundred workers differ
// by about 1 %.
const DefaultSize = 65537

// table maps a slot to a worker's id. It is built aside and never changed
// afterwards; nil without workers that take calls.
type table []uint32

// share is a worker's part in a table.
type share struct {
	id     uint32
	name   string
	weight int
	takes  bool // takes new calls now
}

// build fills a table in two rounds of Maglev's rule (Eisenbud et al., NSDI 2016,
// §3.4). The first gives each worker its slots, whether it takes calls now or
// not. The second gives the slots of those that do not to those that do. So a
// worker's death or drain moves its own slots and no others, and its return
// brings back the table of before; and every balancer with the same workers up
// has the same table, whatever happened in which order.
func build(shares []share, size int) table {
	shares = slices.DeleteFunc(slices.Clone(shares), func(s share) bool { return s.weight <= 0 })
	if !slices.ContainsFunc(shares, takes) {
		return nil
	}
	// The table must not depend on the order in the config file.
	slices.SortFunc(shares, func(a, b share) int { return strings.Compare(a.name, b.name) })
	t := make(table, size)
	fill(t, shares, size)

	freed := 0
	away := map[uint32]bool{}
	for _, s := range shares {
		away[s.id] = !s.takes
	}
	for i, id := range t {
		if away[id] {
			t[i] = 0
			freed++
		}
	}
	fill(t, slices.DeleteFunc(shares, func(s share) bool { return !s.takes }), freed)
	return t
}

func takes(s share) bool { return s.takes }

// fill gives the free slots of a table to workers, who take turns, each taking
// the next free slot of a permutation of its own. A worker of weight w takes w
// turns where the heaviest takes all.
func fill(t table, shares []share, free int) {
	heaviest := slices.MaxFunc(shares, func(a, b share) int { return a.weight - b.weight }).weight
	walks := make([]walk, len(shares))
	for i, s := range shares {
		walks[i] = newWalk(s.name, uint32(len(t)))
	}
	credit := make([]int, len(shares))
	for free > 0 {
		for i, s := range shares {
			if credit[i] += s.weight; credit[i] < heaviest {
				continue
			}
			credit[i] -= heaviest
			t[walks[i].nextFree(t)] = s.id
			if free--; free == 0 {
				return
			}
		}
	}
}

// walk steps through a worker's permutation of the slots, whose number is prime.
type walk struct{ at, skip, size uint32 }

func newWalk(name string, size uint32) walk {
	h := sha256.Sum256([]byte("sipsteer maglev " + name))
	return walk{
		at:   uint32(binary.BigEndian.Uint64(h[:8]) % uint64(size)),
		skip: uint32(binary.BigEndian.Uint64(h[8:16])%uint64(size-1)) + 1,
		size: size,
	}
}

func (w *walk) nextFree(t table) uint32 {
	for t[w.at] != 0 {
		w.at = (w.at + w.skip) % w.size
	}
	return w.at
}
