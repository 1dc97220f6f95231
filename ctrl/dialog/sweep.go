// SPDX-License-Identifier: Apache-2.0

package dialog

import (
	"fmt"
	"time"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

const (
	// grace is how long after its end a call is recorded, so that the answer to
	// the BYE is counted.
	grace = 2 * time.Second
	// unacknowledged is how long a refused call waits for its ACK: 64*T1
	// (RFC 3261 §17.2.1).
	unacknowledged = 32 * time.Second
	// unrecorded is how long an ended pin stands when its record cannot be
	// written; then new calls matter more.
	unrecorded = 10 * time.Minute

	// batch is how many records go in one transaction at most.
	batch = 4096
	// stride is how many pins are looked at before the sweep may rest.
	stride = 4096
)

// Ended is a call that is over. Times that never came are zero.
type Ended struct {
	Key                      steer.Key // of its Call-ID
	Pin                      steer.Pin
	Call                     Call
	Start, Ring, Answer, End time.Time
}

// Sweeper is what a sweep needs from outside.
type Sweeper struct {
	Now time.Time
	// Last records calls that ended just now too: no sweep follows.
	Last bool
	// Record writes the records of calls that have ended. It gets some of them
	// again after a restart; the start of a call and its key tell.
	Record func([]Ended) error
	// Rest is called again and again between pins.
	Rest func()
}

// Swept tells what a sweep did.
type Swept struct {
	Removed int
	Lost    int // of these, calls that got no record
}

// Sweep looks at every pin once: it records calls that have ended, ends those
// whose time is over, and removes pins that nobody needs any more. Sweeps do not
// run at the same time.
func (d *Dialogs) Sweep(s Sweeper) (Swept, error) {
	w := sweep{Dialogs: d, Sweeper: s, now: d.clock(), counts: newCounts()}
	w.until = w.now - min(w.now, uint64(grace))
	if s.Last {
		w.until = w.now
	}
	d.mu.Lock()
	d.cutoff = max(d.cutoff, w.until)
	d.mu.Unlock()
	err := d.pins.Each(func(k steer.Key, p steer.Pin) bool {
		w.look(k, p)
		return w.failed == nil
	})
	if err == nil {
		w.flush()
		err = w.failed
	}
	if err != nil {
		return w.Swept, fmt.Errorf("sweeping pins: %w", err)
	}
	d.mu.Lock()
	d.recorded = max(d.recorded, w.until)
	d.mu.Unlock()
	c := &w.counts
	d.crowded.Store(d.timeouts.Crowd > 0 && c.Early+c.Confirmed+c.Ended > d.timeouts.Crowd)
	d.recent.Store(c)
	return w.Swept, nil
}

// sweep is one pass over the pins.
type sweep struct {
	*Dialogs
	Sweeper
	Swept
	now, until uint64
	seen       int
	counts     Counts
	ended      []Ended
	failed     error
}

func (w *sweep) look(k steer.Key, p steer.Pin) {
	if w.seen++; w.seen%stride == 0 {
		w.Rest()
	}
	w.counts.add(p)
	over := w.expired(p, w.now)
	switch {
	case over && w.flood(p):
		w.remove(k)
	case p.Method != steer.MethodInvite:
		if over {
			w.remove(k)
		}
	case p.State != steer.StateEnded:
		if over {
			w.giveUp(k, p)
		}
	case p.EndNS > w.recorded && p.EndNS <= w.until:
		w.record(k, p)
	case over:
		w.remove(k)
	}
}

// giveUp ends a call that did not end by itself. It is recorded like any other.
func (w *sweep) giveUp(k steer.Key, p steer.Pin) {
	end := steer.Pin{State: steer.StateEnded, EndNS: w.now, EndedBy: steer.ByTimeout}
	if refused(p) {
		end.EndedBy = steer.ByUnknown // the final code tells
	}
	w.pins.Merge(k, end, p.SeenNS)
}

func (w *sweep) record(k steer.Key, p steer.Pin) {
	call, _ := w.calls.GetCall(k)
	if p.Moved {
		k = besides(k, p.StartNS)
	}
	w.ended = append(w.ended, Ended{
		Key: k, Pin: p, Call: call, Start: wall(p.StartNS, w.now, w.Now), Ring: wall(p.RingNS, w.now, w.Now),
		Answer: wall(p.AnswerNS, w.now, w.Now),
		// Of a call that was given up, nobody knows more than its last packet.
		End: wall(min(p.EndNS, p.SeenNS), w.now, w.Now),
	})
	if len(w.ended) == batch {
		w.flush()
	}
}

func (w *sweep) flush() {
	if len(w.ended) > 0 && w.failed == nil {
		w.failed = w.Record(w.ended)
		w.ended = w.ended[:0]
	}
}

// remove deletes a pin unless a packet or a new attempt came since it was read.
func (w *sweep) remove(k steer.Key) {
	d := w.Dialogs
	d.mu.Lock()
	defer d.mu.Unlock()
	p, ok := d.pins.Get(k)
	if !ok || !d.expired(p, d.clock()) || p.Method == steer.MethodInvite && p.State != steer.StateEnded && !d.flood(p) {
		return
	}
	d.pins.Delete(k)
	d.calls.DeleteCall(k)
	w.Removed++
	if p.Method == steer.MethodInvite && p.EndNS > d.recorded {
		w.Lost++
	}
}

// flood says whether a dialog is one of those that make the table crowded: begun, and answered by nobody. It is no
// call, and gets no record.
func (d *Dialogs) flood(p steer.Pin) bool {
	return p.State == steer.StateEarly && p.Responses == 0 && d.crowded.Load()
}

// refused says whether a call got a failure for an answer and rings nowhere any
// more: an ACK is all that is missing.
func refused(p steer.Pin) bool {
	return p.State == steer.StateEarly && p.FinalCode >= 300 && p.Ringing == 0
}

// expired says whether a dialog's time is over. d.recorded only grows, and only
// by the sweep itself.
func (d *Dialogs) expired(p steer.Pin, now uint64) bool {
	idle, last := d.timeouts.Early, p.SeenNS
	switch {
	case p.State == steer.StateConfirmed:
		idle = d.timeouts.Confirmed
	case p.State == steer.StateEnded:
		idle, last = d.timeouts.Ended, max(p.SeenNS, p.EndNS)
		if p.Method == steer.MethodInvite && p.EndNS > d.recorded {
			idle = max(idle, unrecorded)
		}
	case p.Method == steer.MethodOther:
		idle = d.timeouts.Ended
	case d.flood(p):
		idle = min(idle, d.timeouts.Ended)
	case p.Method == steer.MethodInvite && refused(p):
		idle = min(idle, unacknowledged)
	}
	return now > last && now-last > uint64(idle)
}
