// SPDX-License-Identifier: Apache-2.0

package location

import (
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// ErrBusy is given for a change when too many wait already, for this address of
// record or for the journal. Nothing was changed; the client may try again.
var ErrBusy = errors.New("location: too many changes are waiting")

// Journal makes changes durable.
type Journal interface {
	// Submit takes a change and returns at once. done is called once, from
	// another goroutine, when the change is durable or has failed. When Submit
	// returns an error, which wraps ErrBusy if it is overload, done is never
	// called.
	Submit(c Change, done func(error)) error
}

const (
	shards     = 64
	maxWaiting = 32 // changes waiting for one address of record
	sweepBatch = 4096
)

// Table holds all bindings in memory. It is safe for concurrent use. Changes of
// one address of record happen one after the other, in the order of the calls; a
// reader sees the last one that is durable.
type Table struct {
	journal Journal
	seed    maphash.Seed
	count   atomic.Int64
	shards  [shards]shard
}

type shard struct {
	mu       sync.RWMutex
	bindings map[string][]Binding // sorted by preference; the slices never change
	inFlight map[string][]update  // an AOR that is being changed, and what waits for it
}

// update is a change that has not been made yet.
type update struct {
	change func(current []Binding) (next []Binding, ok bool)
	done   func(error)
}

// New makes an empty table over a journal.
func New(j Journal) *Table {
	t := &Table{journal: j, seed: maphash.MakeSeed()}
	for i := range t.shards {
		t.shards[i].bindings = map[string][]Binding{}
		t.shards[i].inFlight = map[string][]update{}
	}
	return t
}

// Load fills an empty table with the bindings that a store kept. Call it before
// the table is used.
func (t *Table) Load(bindings iter.Seq2[Binding, error]) error {
	for b, err := range bindings {
		if err != nil {
			return fmt.Errorf("loading bindings: %w", err)
		}
		s := t.shard(b.AOR)
		s.mu.Lock()
		set := append(s.bindings[b.AOR], b)
		slices.SortStableFunc(set, byPreference)
		s.bindings[b.AOR] = set
		s.mu.Unlock()
		t.count.Add(1)
	}
	return nil
}

func (t *Table) shard(aor string) *shard {
	return &t.shards[maphash.String(t.seed, aor)%shards]
}

// Lookup gives the bindings of an address of record that have not expired, the
// highest q first, then the latest update. The slice must not be changed.
func (t *Table) Lookup(aor string, now time.Time) []Binding {
	s := t.shard(aor)
	s.mu.RLock()
	set := s.bindings[aor]
	s.mu.RUnlock()
	return live(set, now)
}

// Count is how many bindings there are, expired ones that were not swept yet
// included.
func (t *Table) Count() int { return int(t.count.Load()) }

// All gives every binding that has not expired, in no order. Changes made
// meanwhile may or may not be seen.
func (t *Table) All(now time.Time) iter.Seq[Binding] {
	return func(yield func(Binding) bool) {
		var sets [][]Binding
		for i := range t.shards {
			s := &t.shards[i]
			sets = sets[:0]
			s.mu.RLock()
			for _, set := range s.bindings {
				sets = append(sets, set)
			}
			s.mu.RUnlock()
			for _, set := range sets {
				for i := range set {
					if !set[i].Expired(now) && !yield(set[i]) {
						return
					}
				}
			}
		}
	}
}

// Remove drops all bindings of an address of record. done gets how many there
// were, once they are gone for good; it may be called before Remove returns.
func (t *Table) Remove(aor string, done func(removed int, err error)) {
	n := 0
	t.Update(aor, func(current []Binding) ([]Binding, bool) {
		n = len(current)
		return nil, true
	}, func(err error) {
		if err != nil {
			n = 0
		}
		done(n, err)
	})
}

// Sweep removes expired bindings, at most a few thousand users' in one call, and
// returns for how many users it asked that. What the journal has no room for is
// left for the next call.
func (t *Table) Sweep(now time.Time) int {
	var due []string
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.RLock()
		for aor, set := range s.bindings {
			if len(live(set, now)) < len(set) {
				due = append(due, aor)
			}
			if len(due) == sweepBatch {
				break
			}
		}
		s.mu.RUnlock()
		if len(due) == sweepBatch {
			break
		}
	}
	for _, aor := range due {
		t.Update(aor, func(current []Binding) ([]Binding, bool) {
			return live(current, now), true
		}, func(error) {}) // a failure shows itself again at the next sweep
	}
	return len(due)
}
