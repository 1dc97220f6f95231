// SPDX-License-Identifier: Apache-2.0

package pool

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// TableSize is the prime number of slots in a Maglev table. With 65,537 slots the
// shares of up to a few hundred workers differ by about 1 %.
const TableSize = 65537

// table maps a slot to a worker. It is built aside and never changed afterwards.
type table [TableSize]uint32

// share is a worker's part in a table.
type share struct {
	id     uint32
	name   string
	weight int
}

// build fills a table by Maglev's rule (Eisenbud et al., NSDI 2016, §3.4): the
// workers take turns, each taking the next free slot of a permutation of its
// own. A worker of weight w takes w turns where the heaviest takes all. nil
// without workers.
func build(shares []share) *table {
	shares = slices.DeleteFunc(slices.Clone(shares), func(s share) bool { return s.weight <= 0 })
	if len(shares) == 0 {
		return nil
	}
	// The table must not depend on the order in the config file.
	slices.SortFunc(shares, func(a, b share) int { return strings.Compare(a.name, b.name) })
	heaviest := slices.MaxFunc(shares, func(a, b share) int { return a.weight - b.weight }).weight
	walks := make([]walk, len(shares))
	for i, s := range shares {
		walks[i] = newWalk(s.name)
	}
	t := &table{}
	credit := make([]int, len(shares))
	for filled := 0; ; {
		for i, s := range shares {
			if credit[i] += s.weight; credit[i] < heaviest {
				continue
			}
			credit[i] -= heaviest
			t[walks[i].nextFree(t)] = s.id
			if filled++; filled == TableSize {
				return t
			}
		}
	}
}

// walk steps through a worker's permutation of the slots.
type walk struct{ at, skip uint32 }

func newWalk(name string) walk {
	h := sha256.Sum256([]byte("sipsteer maglev " + name))
	return walk{
		at:   uint32(binary.BigEndian.Uint64(h[:8]) % TableSize),
		skip: uint32(binary.BigEndian.Uint64(h[8:16])%(TableSize-1)) + 1,
	}
}

func (w *walk) nextFree(t *table) uint32 {
	for t[w.at] != 0 {
		w.at = (w.at + w.skip) % TableSize
	}
	return w.at
}
