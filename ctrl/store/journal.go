// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/location"
)

const (
	maxWaiting = 1 << 16 // writes that wait for the disk; about 1 kB each
	maxBatch   = 1 << 12 // writes in one transaction

	// pace is the least time between two groups of bindings. Waiting for the disk
	// costs far more CPU than writing a row, so a busy registrar is better off
	// with a few milliseconds of delay and groups; an idle one never waits.
	pace = 5 * time.Millisecond
)

// journal gathers writes and commits them in groups.
type journal struct {
	mu      sync.Mutex
	waiting []write
	closed  bool
	wake    chan struct{} // holds a token when something waits
	hurry   chan struct{} // holds a token when it shall not wait for its time
	ended   chan struct{}
}

// write is one change. apply runs inside the transaction, on the journal's
// goroutine; its error fails the whole group. done is called after the commit.
type write struct {
	apply func() error
	done  func(error)
}

// Submit takes a change of bindings and returns at once; done is called from
// another goroutine when the change is on disk (nil) or is not (the cause). done
// must not wait for the store. The error is ErrClosed or wraps
// location.ErrBusy; done is then never called.
func (s *Store) Submit(c location.Change, done func(error)) error {
	return s.journal.submit(write{func() error { return s.applyChange(&c) }, done})
}

func (j *journal) submit(w write) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.closed:
		return ErrClosed
	case len(j.waiting) >= maxWaiting:
		return fmt.Errorf("%d writes wait for the disk: %w", len(j.waiting), location.ErrBusy)
	}
	j.waiting = append(j.waiting, w)
	if len(j.waiting) == 1 {
		signal(j.wake)
	}
	return nil
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (j *journal) start(s *Store) {
	j.wake, j.hurry, j.ended = make(chan struct{}, 1), make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(j.ended)
		var last time.Time
		for range j.wake {
			j.await(last.Add(pace))
			last = time.Now()
			group, closed := j.take()
			if len(group) > 0 {
				s.commit(group)
			} else if closed {
				return
			}
		}
	}()
}

// await returns when it is time, or somebody is in a hurry.
func (j *journal) await(at time.Time) {
	wait := time.Until(at)
	if wait <= 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-j.hurry:
	}
}

// take gets the writes that wait, the oldest first, as many as go in one group,
// and sees to it that the rest, or the end, is not forgotten.
func (j *journal) take() (group []write, closed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.waiting) <= maxBatch {
		group, j.waiting = j.waiting, nil
	} else {
		group, j.waiting = j.waiting[:maxBatch:maxBatch], j.waiting[maxBatch:]
	}
	if len(j.waiting) > 0 || j.closed {
		signal(j.wake)
	}
	return group, j.closed
}

// stop refuses further writes and waits until all others are done. It is false
// when the journal was stopped before.
func (j *journal) stop() bool {
	j.mu.Lock()
	if j.closed {
		j.mu.Unlock()
		return false
	}
	j.closed = true
	signal(j.wake)
	signal(j.hurry)
	j.mu.Unlock()
	<-j.ended
	return true
}

// commit writes a group in one transaction and tells each how it went.
func (s *Store) commit(group []write) {
	err := s.transact(group)
	for _, w := range group {
		w.done(err)
	}
}

func (s *Store) transact(group []write) (err error) {
	ctx := context.Background()
	if _, err = s.stmt.begin.ExecContext(ctx); err != nil {
		return fmt.Errorf("writing to the store: %w", err)
	}
	for _, w := range group {
		if err = w.apply(); err != nil {
			break
		}
	}
	if err == nil {
		_, err = s.stmt.commit.ExecContext(ctx)
	}
	if err != nil {
		// SQLite may have rolled back by itself; that this then fails is no news.
		_, _ = s.stmt.rollback.ExecContext(ctx)
		return fmt.Errorf("writing to the store: %w", err)
	}
	return nil
}

// do submits a write and waits for it. committed, which may be nil, runs after
// the commit and before the caller goes on, in the order of the commits. When ctx
// ends first the write may still happen.
func (s *Store) do(ctx context.Context, apply func() error, committed func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	result := make(chan error, 1)
	err := s.journal.submit(write{apply, func(err error) {
		if err == nil && committed != nil {
			committed()
		}
		result <- err
	}})
	if err != nil {
		return err
	}
	signal(s.journal.hurry)
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
