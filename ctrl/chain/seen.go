// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"sync"
	"time"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// transactionLife is how long a client may repeat a request: 64*T1 (RFC 3261
// §17.1.1.2).
const transactionLife = 32 * time.Second

// maxSeen bounds the memory of remembered transactions, per half.
const maxSeen = 1 << 17

// fate is what became of an initial request, to be repeated when the request is.
type fate struct {
	answer   []byte // final answer; nil when handed over or not decided yet
	handover []byte // rewritten request
	worker   uint32
}

// seen remembers the fate of recent initial requests. Two halves take turns, so
// that forgetting costs nothing.
type seen struct {
	mu       sync.Mutex
	now, old map[steer.Key]*fate
	turned   time.Time
}

func newSeen() *seen {
	return &seen{now: map[steer.Key]*fate{}, old: map[steer.Key]*fate{}}
}

// get is the fate of a request with that key, or nil.
func (s *seen) get(k steer.Key, at time.Time) *fate {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(at)
	if f := s.now[k]; f != nil {
		return f
	}
	return s.old[k]
}

// put remembers a fate, which must not be changed afterwards.
func (s *seen) put(k steer.Key, f *fate, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn(at)
	s.now[k] = f
}

func (s *seen) turn(at time.Time) {
	if at.Sub(s.turned) < transactionLife && len(s.now) < maxSeen {
		return
	}
	if at.Sub(s.turned) >= 2*transactionLife {
		s.now = map[steer.Key]*fate{}
	}
	s.now, s.old, s.turned = map[steer.Key]*fate{}, s.now, at
}
