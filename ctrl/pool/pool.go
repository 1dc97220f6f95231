// SPDX-License-Identifier: Apache-2.0

// Package pool knows the workers and chooses one for each new call: Maglev over
// the Call-ID's key, so that every node of a cluster chooses the same and a
// worker's coming or going moves few of the others' calls.
package pool

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sipsteer/sipsteer/userspace/steer"

	"encoding/binary"
)

// State is what a worker may get.
type State uint8

// Up takes new calls, Draining only keeps its old ones, Down has no known way
// to it.
const (
	Down State = iota
	Up
	Draining
)

// String is the state's name in the API.
func (s State) String() string { return [...]string{"down", "up", "draining"}[s] }

// ErrUnknown is a worker name that is not in the pool.
var ErrUnknown = errors.New("no such worker")

// Worker is one worker as the pool sees it. ID is never 0 and belongs to the
// name for ever, since pins outlive a restart.
type Worker struct {
	ID      uint32
	Name    string
	Forward string // local | l2
	Address netip.Addr
	Weight  int
	State   State
}

// Pool is a set of workers. It is safe for concurrent use; Choose takes no lock.
type Pool struct {
	mu       sync.Mutex
	workers  []Worker
	drained  map[string]bool
	slots    atomic.Pointer[table]
	reaching atomic.Pointer[map[uint32]bool] // workers that are not down
}

// New makes a pool in which every worker is down until SetReachable says otherwise.
func New(workers []Worker) *Pool {
	p := &Pool{workers: slices.Clone(workers), drained: map[string]bool{}}
	for i := range p.workers {
		p.workers[i].State = Down
	}
	p.rebuild()
	return p
}

// Choose gives the worker for a new call; ok is false when none is up.
func (p *Pool) Choose(key steer.Key) (id uint32, ok bool) {
	t := p.slots.Load()
	if t == nil {
		return 0, false
	}
	return t[binary.LittleEndian.Uint64(key[:8])%TableSize], true
}

// Reachable tells whether a worker that has a call can still be given its packets.
func (p *Pool) Reachable(id uint32) bool { return (*p.reaching.Load())[id] }

// SetReachable marks a worker up or down. A draining worker stays draining.
func (p *Pool) SetReachable(name string, reachable bool) error {
	return p.change(name, func(w *Worker) {
		switch {
		case !reachable:
			w.State = Down
		case p.drained[name]:
			w.State = Draining
		default:
			w.State = Up
		}
	})
}

// Drain stops new calls to a worker, or lets them come again.
func (p *Pool) Drain(name string, drain bool) error {
	return p.change(name, func(w *Worker) {
		p.drained[name] = drain
		switch {
		case w.State == Down:
		case drain:
			w.State = Draining
		default:
			w.State = Up
		}
	})
}

func (p *Pool) change(name string, apply func(*Worker)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.workers, func(w Worker) bool { return w.Name == name })
	if i < 0 {
		return fmt.Errorf("changing worker %q: %w", name, ErrUnknown)
	}
	before := p.workers[i].State
	apply(&p.workers[i])
	if p.workers[i].State != before {
		p.rebuild()
	}
	return nil
}

// rebuild publishes a new table and set of reachable workers; mu is held, or the
// pool is not shared yet.
func (p *Pool) rebuild() {
	var shares []share
	reach := map[uint32]bool{}
	for _, w := range p.workers {
		if w.State == Up {
			shares = append(shares, share{w.ID, w.Name, w.Weight})
		}
		reach[w.ID] = w.State != Down
	}
	p.reaching.Store(&reach)
	p.slots.Store(build(shares))
}

// Workers lists the workers as they are now, in the order of the config.
func (p *Pool) Workers() []Worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.workers)
}
