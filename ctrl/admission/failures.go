// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"net/netip"
	"sync"
	"time"
)

// BanRule says when a source is banned by itself, and for how long.
type BanRule struct {
	Failures int           // so many within Within; 0: never
	Within   time.Duration // counted from the first of them
	For      time.Duration // the first ban; each that follows soon is twice as long
	AtMost   time.Duration // no ban is longer; and after so long without a failure a source counts as new
}

// maxSources bounds the sources whose failures are remembered, per half.
const maxSources = 1 << 15

// Failures counts the failures of sources by a rule. Two halves take turns, so that forgetting costs nothing. It is safe
// for concurrent use.
type Failures struct {
	rule BanRule

	mu       sync.Mutex
	now, old map[netip.Prefix]*record
	turned   time.Time
}

// record is what is remembered of one source.
type record struct {
	count int
	first time.Time     // of those counted
	last  time.Duration // length of the last ban; 0 = none yet
}

// NewFailures counts by a rule.
func NewFailures(rule BanRule) *Failures {
	return &Failures{rule: rule, now: map[netip.Prefix]*record{}}
}

// Failed counts one failure of a source. When it is one too many, the source is to be banned for a time, and counts
// anew.
func (f *Failures) Failed(source netip.Prefix, at time.Time) (ban time.Duration) {
	if f.rule.Failures <= 0 {
		return 0
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.record(source, at)
	if r.count == 0 || at.Sub(r.first) > f.rule.Within {
		r.count, r.first = 0, at
	}
	r.count++
	if r.count < f.rule.Failures {
		return 0
	}
	r.count = 0
	r.last = min(max(2*r.last, f.rule.For), f.rule.AtMost)
	return r.last
}

// Forget forgets a source, such as one whose ban somebody lifted.
func (f *Failures) Forget(source netip.Prefix) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.now, source)
	delete(f.old, source)
}

func (f *Failures) record(source netip.Prefix, at time.Time) *record {
	if len(f.now) >= maxSources || at.Sub(f.turned) > f.rule.Within+f.rule.AtMost {
		f.now, f.old, f.turned = map[netip.Prefix]*record{}, f.now, at
	}
	r := f.now[source]
	if r == nil {
		if r = f.old[source]; r == nil {
			r = &record{}
		}
		f.now[source] = r
	}
	return r
}
