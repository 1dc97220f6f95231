// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"net/netip"
	"sync"
	"sync/atomic"
)

const tableShards = 64

// Table holds pins in memory, for when there is no kernel datapath. It is safe for concurrent use.
type Table struct {
	max    int64
	now    func() uint64
	count  atomic.Int64
	shards [tableShards]tableShard
}

type tableShard struct {
	mu   sync.Mutex
	pins map[Key]Pin
}

// NewTable returns an empty table for at most maxPins pins. now gives the time that Note writes, in nanoseconds.
func NewTable(maxPins int, now func() uint64) *Table {
	t := &Table{max: int64(maxPins), now: now}
	for i := range t.shards {
		t.shards[i].pins = make(map[Key]Pin)
	}
	return t
}

func (t *Table) shard(k Key) *tableShard { return &t.shards[k[0]%tableShards] }

// Put adds a pin or replaces it. It returns ErrFull when the table is full.
func (t *Table) Put(k Key, p Pin) error {
	s := t.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.pins[k]; !ok {
		if t.count.Add(1) > t.max {
			t.count.Add(-1)
			return ErrFull
		}
	}
	s.pins[k] = p
	return nil
}

// Get returns the pin of a key.
func (t *Table) Get(k Key) (Pin, bool) {
	s := t.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pins[k]
	return p, ok
}

// Note applies a message to the pin of a key; false when there is none.
func (t *Table) Note(k Key, m Message) bool {
	s := t.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pins[k]
	if ok {
		p.Note(m, t.now())
		s.pins[k] = p
	}
	return ok
}

// Merge adds to a pin what the control plane knows of its dialog; it is left alone when unlessSeen, above 0, is not the
// time of its last packet. False when there is no such pin.
func (t *Table) Merge(k Key, more Pin, unlessSeen uint64) bool {
	s := t.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pins[k]
	if !ok || unlessSeen != 0 && p.SeenNS != unlessSeen {
		return false
	}
	p.Merge(more)
	s.pins[k] = p
	return true
}

// Direct is Direct with the pins of this table.
func (t *Table) Direct(k Key, m Message, source netip.Addr, s Service, d DirectTables) (worker uint32) {
	sh := t.shard(k)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	pin, pinned := sh.pins[k]
	d.Pin = func(Key) *Pin {
		if pinned {
			return &pin
		}
		return nil
	}
	d.Add = func(k Key, made Pin) bool {
		if t.count.Add(1) > t.max {
			t.count.Add(-1)
			return false
		}
		sh.pins[k] = made
		return true
	}
	d.NowNS = t.now()
	worker = Direct(k, m, source, s, d)
	if pinned {
		sh.pins[k] = pin
	}
	return worker
}

// Delete removes the pin of a key, if there is one.
func (t *Table) Delete(k Key) {
	s := t.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.pins[k]; ok {
		delete(s.pins, k)
		t.count.Add(-1)
	}
}

// Each calls fn with each pin until it returns false. fn may change the table; pins that come or go meanwhile may be
// seen or not. The error is always nil: kernel tables have the same method and can fail.
func (t *Table) Each(fn func(Key, Pin) bool) error {
	type entry struct {
		k Key
		p Pin
	}
	for i := range t.shards {
		s := &t.shards[i]
		s.mu.Lock()
		entries := make([]entry, 0, len(s.pins))
		for k, p := range s.pins {
			entries = append(entries, entry{k, p})
		}
		s.mu.Unlock()
		for _, e := range entries {
			if !fn(e.k, e.p) {
				return nil
			}
		}
	}
	return nil
}
