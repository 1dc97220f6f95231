// SPDX-License-Identifier: Apache-2.0

package proxy

import "github.com/sipsteer/sipsteer/userspace/txn"

// timer is a transaction's place in the heap; it stands in the transaction, so
// that setting one allocates nothing.
type timer struct {
	at    txn.Instant
	index int // place in the heap plus one; 0 when not in it
	owner ticker
}

// ticker is a transaction that has asked to be woken.
type ticker interface{ tick(c *Core) }

// timerHeap is a binary heap with the earliest timer first.
type timerHeap []*timer

// set moves a timer to a new instant, puts it in, or takes it out at Never.
func (h *timerHeap) set(t *timer, at txn.Instant) {
	switch {
	case at == txn.Never:
		h.remove(t)
		return
	case t.index == 0:
		*h = append(*h, t)
		t.index = len(*h)
	case t.at == at:
		return
	}
	t.at = at
	h.fix(t.index - 1)
}

func (h *timerHeap) remove(t *timer) {
	if t.index == 0 {
		return
	}
	i, last := t.index-1, len(*h)-1
	h.swap(i, last)
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = 0
	if i < last {
		h.fix(i)
	}
}

// next is the earliest instant, or Never.
func (h timerHeap) next() txn.Instant {
	if len(h) == 0 {
		return txn.Never
	}
	return h[0].at
}

func (h timerHeap) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

func (h timerHeap) fix(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].at <= h[i].at {
			break
		}
		h.swap(i, parent)
		i = parent
	}
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1].at < h[child].at {
			child++
		}
		if h[i].at <= h[child].at {
			return
		}
		h.swap(i, child)
		i = child
	}
}
