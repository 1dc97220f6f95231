// SPDX-License-Identifier: Apache-2.0

// Package dialog keeps the pins: it writes one before a call's first request is
// handed over, lists them, and removes them by the dialog's state. A dialog's
// record is the pin itself; this package remembers nothing besides it.
package dialog

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Pins is the table of pins: BPF maps, or memory where XDP is off.
type Pins interface {
	Put(steer.Key, steer.Pin) error // steer.ErrFull when the table is full
	Get(steer.Key) (steer.Pin, bool)
	Delete(steer.Key)
	// Merge adds to a pin, unless its last packet came at another time than
	// unlessSeen (above 0); false when it did not.
	Merge(k steer.Key, more steer.Pin, unlessSeen uint64) bool
	Each(func(steer.Key, steer.Pin) bool) error
}

// Call is what a pin has no room for. Texts longer than the table takes are cut.
type Call struct {
	CallID   string
	From, To string // URIs
	Cut      bool   // the Call-ID is the beginning of a longer one
}

// Calls keeps Call records beside the pins, and as long as they.
type Calls interface {
	PutCall(steer.Key, Call) error
	GetCall(steer.Key) (Call, bool)
	DeleteCall(steer.Key)
}

// Timeouts say how long a pin stands after its last packet, by the dialog's
// state.
type Timeouts struct {
	Early     time.Duration // ringing; above Timer C, 3 min (RFC 3261 §16.6)
	Confirmed time.Duration // a call in which nobody says anything
	Ended     time.Duration // retransmissions of BYE, above 64*T1, 32 s
	// Crowd is the number of pins above which an early dialog that nobody has
	// answered is kept no longer than an ended one: a flood leaves those behind. 0
	// means never.
	Crowd int
}

// Dialogs is the control plane's view of the pins. It is safe for concurrent use.
type Dialogs struct {
	// mu keeps a sweep from deleting a pin that is just being written anew. No
	// packet waits for it.
	mu       sync.Mutex
	pins     Pins
	calls    Calls
	timeouts Timeouts
	clock    func() uint64 // as Monotonic
	recent   atomic.Pointer[Counts]
	crowded  atomic.Bool // the last sweep found more than Timeouts.Crowd
	// Calls that ended up to recorded have their records; up to cutoff, somebody
	// may be writing them.
	recorded, cutoff uint64
}

// New makes the view. clock is Monotonic outside tests.
func New(p Pins, c Calls, t Timeouts, clock func() uint64) *Dialogs {
	// What ended under an earlier daemon may have its record or not.
	return &Dialogs{pins: p, calls: c, timeouts: t, clock: clock, cutoff: clock()}
}

// Start describes a request that begins something.
type Start struct {
	Worker  uint32
	Service uint16
	Method  steer.Method
	CSeq    uint32
	Caller  uint64 // steer.Tail of From
	Call    Call
}

// Pin writes the pin for an initial request. A live dialog keeps its pin: of a
// confirmed one nothing changes, whatever else comes under its Call-ID; an early
// one follows a new attempt (RFC 3261 §22.2: same Call-ID, higher CSeq).
func (d *Dialogs) Pin(key steer.Key, s Start) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock()
	start := now
	if old, ok := d.pins.Get(key); ok {
		if keeps(old, s) {
			return nil
		}
		var err error
		if start, err = d.follow(key, old, now); err != nil {
			return err
		}
	}
	if err := d.calls.PutCall(key, s.Call); err != nil {
		return fmt.Errorf("recording the call: %w", err)
	}
	err := d.pins.Put(key, steer.Pin{
		Worker: s.Worker, State: steer.StateEarly, CSeq: s.CSeq, Caller: s.Caller,
		Service: s.Service, Method: s.Method, StartNS: start, SeenNS: now,
	})
	if err != nil {
		d.calls.DeleteCall(key)
		return fmt.Errorf("pinning the call: %w", err)
	}
	return nil
}

func keeps(old steer.Pin, s Start) bool {
	switch old.State {
	case steer.StateConfirmed:
		return true
	case steer.StateEarly:
		return old.Method == steer.MethodInvite && s.Method != steer.MethodInvite
	}
	return false
}

// follow makes room for a new attempt under a Call-ID and returns when its call
// began. A call that nobody answered goes on with the next attempt; one that is
// over moves aside until its record is written.
func (d *Dialogs) follow(key steer.Key, old steer.Pin, now uint64) (start uint64, err error) {
	switch {
	case old.Method != steer.MethodInvite || old.State == steer.StateEnded && old.EndNS <= d.recorded:
		return now, nil
	case old.AnswerNS == 0 && (old.State != steer.StateEnded || old.EndNS > d.cutoff):
		return old.StartNS, nil
	}
	aside := besides(key, old.StartNS)
	old.Moved = true
	call, _ := d.calls.GetCall(key)
	if err := d.calls.PutCall(aside, call); err != nil {
		return 0, fmt.Errorf("keeping the call before: %w", err)
	}
	if err := d.pins.Put(aside, old); err != nil {
		d.calls.DeleteCall(aside)
		return 0, fmt.Errorf("keeping the call before: %w", err)
	}
	return now, nil
}

// besides is where a call of that key and start moves to, and back.
func besides(k steer.Key, start uint64) steer.Key {
	binary.LittleEndian.PutUint64(k[:8], binary.LittleEndian.Uint64(k[:8])^start)
	return k
}

// Repin writes a pin for a dialog that stands but lost its own or its worker, as
// after a failover. What a pin that stands has recorded stays.
func (d *Dialogs) Repin(key steer.Key, s Start) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock()
	if old, ok := d.pins.Get(key); ok {
		old.Worker, old.SeenNS = s.Worker, now
		if err := d.pins.Put(key, old); err != nil {
			return fmt.Errorf("moving the call: %w", err)
		}
		return nil
	}
	if err := d.calls.PutCall(key, s.Call); err != nil {
		return fmt.Errorf("recording the call: %w", err)
	}
	err := d.pins.Put(key, steer.Pin{
		Worker: s.Worker, State: steer.StateConfirmed, CSeq: s.CSeq,
		Service: s.Service, Method: s.Method, StartNS: now, AnswerNS: now, SeenNS: now,
	})
	if err != nil {
		d.calls.DeleteCall(key)
		return fmt.Errorf("pinning the call again: %w", err)
	}
	return nil
}

// Holder is the worker that has the call, if it is pinned and has not ended.
func (d *Dialogs) Holder(key steer.Key) (worker uint32, ok bool) {
	p, ok := d.pins.Get(key)
	return p.Worker, ok && p.State != steer.StateEnded
}

// Dialog is one dialog as it is shown to people. Times that have not come are
// zero.
type Dialog struct {
	Key                      string // hexadecimal
	Call                     Call
	State                    steer.State
	Worker                   uint32
	Service                  uint16
	Start, Ring, Answer, End time.Time
	FinalCode                uint16
	Requests, Responses      uint64
}

// List yields the dialogs as long as yield returns true.
func (d *Dialogs) List(now time.Time, yield func(Dialog) bool) error {
	nowNS := d.clock()
	err := d.pins.Each(func(k steer.Key, p steer.Pin) bool {
		call, _ := d.calls.GetCall(k)
		return yield(Dialog{
			Key: hex.EncodeToString(k[:]), Call: call, State: p.State, Worker: p.Worker, Service: p.Service,
			Start: wall(p.StartNS, nowNS, now), Ring: wall(p.RingNS, nowNS, now),
			Answer: wall(p.AnswerNS, nowNS, now), End: wall(p.EndNS, nowNS, now),
			FinalCode: p.FinalCode, Requests: p.Requests, Responses: p.Responses,
		})
	})
	if err != nil {
		return fmt.Errorf("listing dialogs: %w", err)
	}
	return nil
}
