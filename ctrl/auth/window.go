// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"sync"
	"time"
)

// maxNonces bounds the nonces whose counts are remembered: about 100 bytes each.
const maxNonces = 1 << 18

// window remembers which nonce counts were used, so that nobody can send an
// overheard answer again. It is bounded without ever forgetting a use: nonces are
// kept in two generations, and when the older one is let go, every nonce no
// younger than the youngest in it counts as used up (floor).
type window struct {
	life time.Duration
	max  int // nonces in one generation

	mu       sync.Mutex
	new, old generation
	turned   time.Time // when old was closed
	floor    time.Time // nonces made up to here and not known are refused
}

type generation struct {
	counts   map[nonceID]*counts
	youngest time.Time // latest time of issue among them
}

// counts is the highest nonce count of a nonce and which of the 64 up to it were
// used: bit i stands for high-i.
type counts struct {
	high uint32
	used uint64
}

func newWindow(life time.Duration, max int) *window {
	return &window{life: life, max: max, new: generation{counts: map[nonceID]*counts{}}}
}

// use marks a count of a nonce as used. It is false when the count was used
// before, is too far behind the highest one to tell, or the nonce is forgotten:
// the client then needs a fresh nonce.
func (w *window) use(now time.Time, id nonceID, nc uint32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.turn(now)
	if c := w.new.counts[id]; c != nil {
		return c.use(nc)
	}
	if c := w.old.counts[id]; c != nil {
		return c.use(nc)
	}
	issued := id.issued()
	if !issued.After(w.floor) {
		return false
	}
	w.new.counts[id] = &counts{high: nc, used: 1}
	if issued.After(w.new.youngest) {
		w.new.youngest = issued
	}
	return true
}

func (c *counts) use(nc uint32) bool {
	if nc > c.high {
		c.used = c.used<<(nc-c.high) | 1 // a shift by 64 or more leaves 0
		c.high = nc
		return true
	}
	behind := c.high - nc
	if behind >= 64 || c.used&(1<<behind) != 0 {
		return false
	}
	c.used |= 1 << behind
	return true
}

// turn lets the older generation go when all in it are past their life, or the
// newer one is full.
func (w *window) turn(now time.Time) {
	if w.turned.IsZero() {
		w.turned = now
	}
	if now.Sub(w.turned) < w.life && len(w.new.counts) < w.max {
		return
	}
	if w.old.youngest.After(w.floor) {
		w.floor = w.old.youngest
	}
	w.old, w.new, w.turned = w.new, generation{counts: map[nonceID]*counts{}}, now
}
