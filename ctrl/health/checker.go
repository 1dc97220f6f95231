// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/sipsteer/sipsteer/userspace/transport"
)

// ErrCannotAsk is for a worker that cannot be asked on this host, which says nothing about the worker.
var ErrCannotAsk = errors.New("cannot be asked by OPTIONS")

// Target is one worker and the way to it.
type Target struct {
	// Deliver hands a datagram to the worker, as any initial request.
	Deliver func(transport.Datagram) error
	// Address says from where to ask and which service address to ask. With ErrCannotAsk for an error the worker counts
	// as healthy, because nothing can be known; with any other it is not asked this time and the judgement stays.
	Address func() (own, vip netip.AddrPort, err error)
	// Changed is told of each change, on Run's goroutine.
	Changed func(State)
}

// State is what is known of a worker.
type State struct {
	Healthy bool
	Why     string // in words
}

// Counts are the questions since the start, by what became of them.
type Counts struct {
	Answered, Refused, Lost uint64 // good answers; 503; silence, or no way to send
}

// Checker asks one worker. State and Counts are safe for concurrent use.
type Checker struct {
	target  Target
	answers *Answers
	in      chan answer

	mu     sync.Mutex
	m      *monitor
	counts Counts
	cannot error // why the worker cannot be asked; nil when it can
	asked  uint32
}

type answer struct {
	branch string
	code   int
}

// backlog is how many answers may wait for Run; more than there are questions would be copies.
const backlog = 64

// Answers brings the responses that arrive to the checkers that wait for them.
type Answers struct {
	mu      sync.Mutex
	waiting map[string]*Checker // by branch
}

// NewAnswers makes a place that responses come to.
func NewAnswers() *Answers { return &Answers{waiting: map[string]*Checker{}} }

// New makes a checker; Run starts it.
func (a *Answers) New(set Settings, t Target) *Checker {
	return &Checker{target: t, answers: a, in: make(chan answer, backlog), m: newMonitor(set, time.Now())}
}

// Receive takes a datagram that may be an answer. Anything else is passed over.
func (a *Answers) Receive(data []byte) {
	branch, code, ok := readAnswer(data)
	if !ok {
		return
	}
	a.mu.Lock()
	c := a.waiting[branch]
	a.mu.Unlock()
	if c == nil {
		return
	}
	select {
	case c.in <- answer{branch, code}:
	default:
	}
}

// Run asks until ctx ends.
func (c *Checker) Run(ctx context.Context) {
	next := time.Now()
	wake := next
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case a := <-c.in:
			c.take(a.branch, a.code)
			continue
		case <-timer.C:
		}
		now := time.Now()
		c.catchUp(now.Sub(wake))
		c.expire(now)
		if !now.Before(next) {
			c.ask(now)
			next = now.Add(jitter(c.m.set.Interval))
		}
		wake = c.wake(next)
		timer.Reset(time.Until(wake))
	}
}

// catchUp sees to it that a delay of this process is not taken for the worker's: answers that have arrived count first,
// and after a long delay those may be missing that the process had no time to read.
func (c *Checker) catchUp(late time.Duration) {
	for len(c.in) > 0 {
		a := <-c.in
		c.take(a.branch, a.code)
	}
	if late < c.m.set.Timeout/2 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.m.waiting {
		c.answers.forget(q.branch)
	}
	c.m.waiting = nil
}

// jitter keeps the questions to many workers, and of many balancers, apart.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()-0.5)/5*float64(d))
}

func (c *Checker) wake(next time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at, ok := c.m.deadline(); ok && at.Before(next) {
		return at
	}
	return next
}

// ask sends one question.
func (c *Checker) ask(now time.Time) {
	own, vip, err := c.target.Address()
	if errors.Is(err, ErrCannotAsk) {
		c.unable(err)
	}
	if err != nil {
		return
	}
	c.mu.Lock()
	c.cannot = nil
	c.asked++
	branch, text := compose(own, vip, c.asked)
	c.m.sent(branch, now)
	c.mu.Unlock()
	// Noted before it is sent, so that no answer can overtake.
	c.answers.expect(branch, c)
	if c.target.Deliver(transport.Datagram{Remote: own, Local: vip, Data: text}) != nil {
		c.take(branch, 0)
	}
}

// unable takes the worker for healthy and remembers why.
func (c *Checker) unable(err error) {
	c.mu.Lock()
	first := c.cannot == nil
	c.cannot = err
	c.m.healthy, c.m.streak = true, 0
	state := c.state()
	c.mu.Unlock()
	if first {
		c.target.Changed(state)
	}
}

func (c *Checker) expire(now time.Time) {
	c.judge(func() {
		var over []string
		for _, q := range c.m.waiting {
			over = append(over, q.branch)
		}
		lost := c.m.expire(now)
		c.counts.Lost += uint64(lost)
		c.answers.forget(over[:lost]...)
	})
}

// take counts an answer; code 0 stands for a question that could not be sent.
func (c *Checker) take(branch string, code int) {
	c.judge(func() {
		switch {
		case code == 0:
			c.m.withdraw(branch)
			c.m.failed()
			c.counts.Lost++
		case !c.m.answered(branch, code, time.Now()), code < 200:
			return
		case code == unavailable:
			c.counts.Refused++
		default:
			c.counts.Answered++
		}
		c.answers.forget(branch)
	})
}

// judge applies results and tells of a change.
func (c *Checker) judge(apply func()) {
	c.mu.Lock()
	before := c.m.healthy
	apply()
	state := c.state()
	c.mu.Unlock()
	if state.Healthy != before {
		c.target.Changed(state)
	}
}

// State is what is known now.
func (c *Checker) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state()
}

func (c *Checker) state() State {
	if c.cannot != nil {
		return State{Healthy: true, Why: c.cannot.Error()}
	}
	return State{Healthy: c.m.healthy, Why: c.m.why(time.Now())}
}

// Counts are the results so far.
func (c *Checker) Counts() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts
}

func (a *Answers) expect(branch string, c *Checker) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting[branch] = c
}

func (a *Answers) forget(branches ...string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, b := range branches {
		delete(a.waiting, b)
	}
}
