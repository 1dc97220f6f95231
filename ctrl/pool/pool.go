// SPDX-License-Identifier: Apache-2.0

// Package pool knows the workers of a service and chooses one for each new call:
// Maglev over the Call-ID's key, so that every node of a cluster chooses the
// same and a worker's coming or going moves none of the others' calls.
package pool

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// State is what a worker may get.
type State uint8

// Up takes new calls, Draining only keeps its old ones, Down cannot be reached
// or does not answer.
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
	Forward string // local | l2 | ipip | gue
	Address netip.Addr
	Weight  int
	State   State
}

// member is a worker with what its state is made of.
type member struct {
	Worker
	known     bool // somebody has said whether it is reachable
	reachable bool // there is a way to it
	drained   bool
}

func (m *member) state() State {
	switch {
	case !m.reachable:
		return Down
	case m.drained:
		return Draining
	}
	return Up
}

// Pool is the set of workers of one service. It is safe for concurrent use;
// Choose takes no lock.
type Pool struct {
	size     int
	publish  func(slots []uint32)
	mu       sync.Mutex
	members  []member
	slots    atomic.Pointer[table]
	reaching atomic.Pointer[map[uint32]bool] // workers that are not down
}

// New makes a pool in which every worker is down until SetReachable says
// otherwise. size is the prime number of slots of its table, 0 for DefaultSize.
func New(workers []Worker, size int) *Pool {
	if size == 0 {
		size = DefaultSize
	}
	p := &Pool{size: size, publish: func([]uint32) {}}
	for _, w := range workers {
		p.members = append(p.members, member{Worker: w})
	}
	p.rebuild()
	return p
}

// OnChange sets what is told each new table, from the time on when it is known
// of every worker whether it can be reached: until then, what an earlier daemon
// published stands. publish must not call the pool; its slots are not to be
// changed, and none means that no worker takes calls.
func (p *Pool) OnChange(publish func(slots []uint32)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.publish = publish
	p.tell()
}

// Choose gives the worker for a new call; ok is false when none is up.
func (p *Pool) Choose(key steer.Key) (id uint32, ok bool) {
	t := *p.slots.Load()
	if t == nil {
		return 0, false
	}
	return t[key.Slot(uint32(len(t)))], true
}

// Reachable tells whether a worker that has a call can still be given its packets.
func (p *Pool) Reachable(id uint32) bool { return (*p.reaching.Load())[id] }

// SetReachable says whether there is a way to a worker.
func (p *Pool) SetReachable(name string, reachable bool) error {
	return p.change(name, func(m *member) { m.known, m.reachable = true, reachable })
}

// Drain stops new calls to a worker, or lets them come again.
func (p *Pool) Drain(name string, drain bool) error {
	return p.change(name, func(m *member) { m.drained = drain })
}

// SetWeight gives a worker another share of new calls, 1 or more.
func (p *Pool) SetWeight(name string, weight int) error {
	return p.change(name, func(m *member) { m.Weight = weight })
}

func (p *Pool) change(name string, apply func(*member)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.members, func(m member) bool { return m.Name == name })
	if i < 0 {
		return fmt.Errorf("changing worker %q: %w", name, ErrUnknown)
	}
	before := p.members[i]
	apply(&p.members[i])
	if after := &p.members[i]; after.state() != before.state() || after.Weight != before.Weight {
		p.rebuild()
	}
	if p.members[i] != before {
		p.tell()
	}
	return nil
}

// rebuild makes the table and the set of reachable workers anew; mu is held, or
// the pool is not shared yet.
func (p *Pool) rebuild() {
	var shares []share
	reach := map[uint32]bool{}
	for i := range p.members {
		m := &p.members[i]
		m.State = m.state()
		shares = append(shares, share{m.ID, m.Name, m.Weight, m.State == Up})
		reach[m.ID] = m.State != Down
	}
	t := build(shares, p.size)
	p.reaching.Store(&reach)
	p.slots.Store(&t)
}

func (p *Pool) tell() {
	if !slices.ContainsFunc(p.members, func(m member) bool { return !m.known }) {
		p.publish(*p.slots.Load())
	}
}

// Workers lists the workers as they are now, in the order of the config.
func (p *Pool) Workers() []Worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := make([]Worker, len(p.members))
	for i := range p.members {
		list[i] = p.members[i].Worker
	}
	return list
}
