// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"fmt"
	"net/netip"
)

// DirectEvent is what policy direct does besides forwarding; enum direct_event in C, where it stands which are normal.
type DirectEvent uint32

// The events.
const (
	DirectPinned DirectEvent = iota
	DirectMoved
	DirectOverSource
	DirectOverAll
	DirectTableFull
	DirectEvents // how many there are
)

// String returns the name used in API, metrics and docs.
func (e DirectEvent) String() string {
	if e < DirectEvents {
		return [...]string{"pinned", "moved", "over_source", "over_all", "table_full"}[e]
	}
	return fmt.Sprintf("direct_event_%d", uint32(e))
}

// DirectTables is what Direct looks things up in and writes to.
type DirectTables struct {
	// Pin gives the pin of the key, to be changed in place; nil when there is none.
	Pin func(Key) *Pin
	// Add adds a pin where there is none; false when the table is full.
	Add func(Key, Pin) bool
	// Choose is the worker that the service's Maglev table gives to the key; 0 for none.
	Choose func(Service, Key) uint32
	// Alive tells whether there is a way to a worker.
	Alive func(worker uint32) bool
	// MayPin counts one new pin against what a source, and all of them, may have made.
	MayPin func(source netip.Addr, s Service, nowNS uint64) (ok bool, refused DirectEvent)
	// Count counts an event.
	Count func(DirectEvent)
	NowNS uint64
}

// Direct returns the worker that gets a message of a service with policy direct, and notes the message in its pin; 0
// when no worker can have it. It is the twin of direct_worker in C:
//
// The pin's worker gets it. Without a pin, the one that the Maglev table gives to the Call-ID: of an initial INVITE,
// SUBSCRIBE or REFER that is pinned, unless too many were; all else goes by the table alone, which gives the same
// worker as long as the same workers take calls. A pin whose worker is gone moves to the one that the table gives.
func Direct(key Key, m Message, source netip.Addr, s Service, t DirectTables) (worker uint32) {
	if pin := t.Pin(key); pin != nil {
		return t.pinned(key, pin, m, s)
	}
	id := t.choose(s, key)
	if id == 0 || m.Makes() == MethodNone {
		return id
	}
	if ok, refused := t.MayPin(source, s, t.NowNS); !ok {
		t.Count(refused)
		return id
	}
	made := Pin{
		Worker: id, State: StateEarly, CSeq: m.CSeq, Service: s.ID, Method: m.Makes(), Caller: m.From,
		StartNS: t.NowNS, SeenNS: t.NowNS, Requests: 1,
	}
	if t.Add(key, made) {
		t.Count(DirectPinned)
	} else {
		t.Count(DirectTableFull)
	}
	return id
}

func (t *DirectTables) choose(s Service, key Key) uint32 {
	if id := t.Choose(s, key); id != 0 && t.Alive(id) {
		return id
	}
	return 0
}

func (t *DirectTables) pinned(key Key, pin *Pin, m Message, s Service) uint32 {
	if !t.Alive(pin.Worker) {
		next := t.choose(s, key)
		if next == 0 {
			return 0
		}
		pin.Worker = next
		t.Count(DirectMoved)
	}
	if m.Initial() {
		pin.noteInitial(m, t.NowNS)
	} else {
		pin.Note(m, t.NowNS)
	}
	return pin.Worker
}

// Makes returns the kind of pin that the message makes under policy direct: one of an initial request that can begin a
// dialog (RFC 3261, 6665, 3515), else MethodNone.
func (m *Message) Makes() Method {
	switch {
	case !m.Initial():
		return MethodNone
	case m.Method == MethodInvite:
		return MethodInvite
	case m.Subscribes:
		return MethodSubscribe
	}
	return MethodNone
}

// noteInitial applies an initial request whose Call-ID has a pin: the same attempt again, or the next one (RFC 3261
// section 22.2).
func (p *Pin) noteInitial(m Message, nowNS uint64) {
	p.SeenNS = nowNS
	makes := m.Makes()
	if makes == MethodNone || m.CSeq == p.CSeq || p.State == StateConfirmed ||
		p.State == StateEarly && p.Method == MethodInvite && makes != MethodInvite {
		p.Requests++
		return
	}
	*p = Pin{
		Worker: p.Worker, State: StateEarly, CSeq: m.CSeq, Service: p.Service, Method: makes, Caller: m.From, Moved: p.Moved,
		StartNS: nowNS, SeenNS: nowNS, Requests: 1,
	}
}
