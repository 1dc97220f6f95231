// SPDX-License-Identifier: Apache-2.0

package location

import "fmt"

// Update changes the bindings of an address of record. change gets the current
// ones, expired ones included, best first, and returns the ones there shall be;
// ok false leaves all as it is. It must not alter the slice it is given, and
// no two bindings it returns may have the same Contact. It is called once, or never
// when done gets ErrBusy.
//
// done is called once: with nil when the new bindings are durable and visible, or
// nothing had to change; with the cause when nothing was changed. Both functions
// may be called before Update returns or later from another goroutine, never
// while a lock is held.
func (t *Table) Update(aor string, change func(current []Binding) (next []Binding, ok bool), done func(error)) {
	s := t.shard(aor)
	u := update{change, done}
	s.mu.Lock()
	waiting, busy := s.inFlight[aor]
	if busy && len(waiting) >= maxWaiting {
		s.mu.Unlock()
		done(fmt.Errorf("changing the bindings of %s: %w", aor, ErrBusy))
		return
	}
	if busy {
		s.inFlight[aor] = append(waiting, u)
		s.mu.Unlock()
		return
	}
	s.inFlight[aor] = nil
	s.mu.Unlock()
	t.run(s, aor, u)
}

// run makes one update after the other until none waits or one has gone to the
// journal, which then takes it up again. The caller has marked aor as in flight.
func (t *Table) run(s *shard, aor string, u update) {
	for more := true; more; u, more = s.next(aor) {
		s.mu.RLock()
		current := s.bindings[aor]
		s.mu.RUnlock()
		next, ok := u.change(current)
		if !ok {
			u.done(nil)
			continue
		}
		next = Sorted(next)
		c := difference(aor, current, next)
		if c.Empty() {
			u.done(nil)
			continue
		}
		err := t.journal.Submit(c, func(err error) {
			if err == nil {
				t.replace(s, aor, next)
			}
			u.done(err)
			if u, more := s.next(aor); more {
				t.run(s, aor, u)
			}
		})
		if err == nil {
			return
		}
		u.done(fmt.Errorf("changing the bindings of %s: %w", aor, err))
	}
}

// next takes the update that waits longest; none ends the time in flight.
func (s *shard) next(aor string) (u update, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting := s.inFlight[aor]
	if len(waiting) == 0 {
		delete(s.inFlight, aor)
		return update{}, false
	}
	s.inFlight[aor] = waiting[1:]
	return waiting[0], true
}

// replace makes the new bindings visible in one step.
func (t *Table) replace(s *shard, aor string, next []Binding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.count.Add(int64(len(next) - len(s.bindings[aor])))
	if len(next) == 0 {
		delete(s.bindings, aor)
		return
	}
	s.bindings[aor] = next
}
