// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"sync/atomic"
	"time"
)

// Step is a part of the way of a request whose duration is measured. What is
// steered takes none of them and is not timed.
type Step uint8

// The steps.
const (
	StepAuth     Step = iota // credentials checked, or a challenge sent
	StepRoute                // the callee looked up
	StepStore                // a REGISTER until its bindings are durable
	StepPin                  // worker chosen, pin written
	StepHandOver             // request rewritten and given to the worker
	steps
)

var stepNames = [steps]string{"auth", "route", "store", "pin", "handover"}

// String is the step's name in the metrics.
func (s Step) String() string { return stepNames[s] }

// stepBounds are the upper bounds of the buckets: memory answers within the first
// ones, a disk within the last.
var stepBounds = [...]time.Duration{
	20 * time.Microsecond, 100 * time.Microsecond, 500 * time.Microsecond, 2500 * time.Microsecond,
	10 * time.Millisecond, 50 * time.Millisecond, 250 * time.Millisecond, time.Second,
}

// histogram counts durations; it takes no lock.
type histogram struct {
	buckets [len(stepBounds) + 1]atomic.Uint64 // the last: longer than every bound
	nanos   atomic.Uint64
}

func (h *histogram) observe(d time.Duration) {
	i := 0
	for i < len(stepBounds) && d > stepBounds[i] {
		i++
	}
	h.buckets[i].Add(1)
	h.nanos.Add(uint64(max(d, 0)))
}

// Histogram is how often a step took how long. Buckets give, by upper bound in
// seconds, how many took no longer; Sum is in seconds.
type Histogram struct {
	Count   uint64
	Sum     float64
	Buckets map[float64]uint64
}

func (h *histogram) read() Histogram {
	out := Histogram{Buckets: make(map[float64]uint64, len(stepBounds))}
	for i := range h.buckets {
		out.Count += h.buckets[i].Load()
		if i < len(stepBounds) {
			out.Buckets[stepBounds[i].Seconds()] = out.Count
		}
	}
	out.Sum = time.Duration(h.nanos.Load()).Seconds()
	return out
}

// Steps reads how long each step took, by its name. It takes no lock.
func (c *Chain) Steps() map[string]Histogram {
	out := make(map[string]Histogram, steps)
	for s := range steps {
		out[s.String()] = c.count.steps[s].read()
	}
	return out
}

// took notes the end of a step that began then, and returns when that was.
func (c *Chain) took(s Step, began time.Time) (now time.Time) {
	now = c.Now()
	c.count.steps[s].observe(now.Sub(began))
	return now
}
