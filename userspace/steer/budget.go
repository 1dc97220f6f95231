// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"net/netip"
	"sync"
	"time"
)

// SourceBurstNS is how much a source may use up at once of the new pins that it may have made: ten seconds' worth.
const SourceBurstNS = uint64(10 * time.Second)

const maxSources = 16384

// PinBounds says how many pins all sources together may have made by policy direct.
type PinBounds struct {
	StepNS  uint64 // one pin in this time; 0 = no bound
	BurstNS uint64 // and as many at once as fit in this
}

// BoundsFor returns the bounds for a pin table of that size: an eighth of it at once, and a quarter in the time after
// which, when the table is half full, an unanswered pin is removed. So a flood from any number of sources leaves room.
func BoundsFor(maxPins int, unansweredNS uint64) PinBounds {
	step := unansweredNS * 4 / uint64(maxPins)
	return PinBounds{StepNS: step, BurstNS: step * uint64(maxPins/8)}
}

// Budget keeps account of the pins that sources have made: may_pin in C. It is safe for concurrent use.
type Budget struct {
	bounds  PinBounds
	mu      sync.Mutex
	sources map[netip.Addr]uint64
	all     uint64
}

// NewBudget returns one in which nobody has used up anything.
func NewBudget(b PinBounds) *Budget {
	return &Budget{bounds: b, sources: map[netip.Addr]uint64{}}
}

// Take counts one new pin against what the source may have made, one in stepNS, and against what all may.
func (b *Budget) Take(source netip.Addr, stepNS, nowNS uint64) (ok bool, refused DirectEvent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	source = sourceOf(source)
	paid, known := b.sources[source]
	if !known {
		b.makeRoom(nowNS)
		paid = nowNS + stepNS
	} else if !take(&paid, nowNS, stepNS, SourceBurstNS) {
		return false, DirectOverSource
	}
	b.sources[source] = paid
	if b.bounds.StepNS != 0 && !take(&b.all, nowNS, b.bounds.StepNS, b.bounds.BurstNS) {
		return false, DirectOverAll
	}
	return true, 0
}

// makeRoom forgets sources that owe nothing, and where that is not enough any, half of them at a time: the bound of all
// holds besides.
func (b *Budget) makeRoom(nowNS uint64) {
	if len(b.sources) < maxSources {
		return
	}
	for a, paid := range b.sources {
		if paid <= nowNS {
			delete(b.sources, a)
		}
	}
	for a := range b.sources {
		if len(b.sources) <= maxSources/2 {
			return
		}
		delete(b.sources, a)
	}
}

// sourceOf is the address that is counted: an IPv6 host has a whole /64 to send from.
func sourceOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is4() {
		return a
	}
	p, _ := a.Prefix(64) // 64 bits are in every IPv6 address
	return p.Addr()
}

// take takes one token from a bucket: bucket_take in C.
func take(paidUntil *uint64, nowNS, stepNS, burstNS uint64) bool {
	if *paidUntil > nowNS && *paidUntil-nowNS+stepNS > burstNS {
		return false
	}
	*paidUntil = max(*paidUntil, nowNS) + stepNS
	return true
}
