// SPDX-License-Identifier: Apache-2.0

package health

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

// worker answers as its mood says.
type worker struct {
	answers *Answers
	code    atomic.Int64 // 0: silent, -1: cannot be reached, -2: cannot be asked
}

func (w *worker) deliver(d transport.Datagram) error {
	code := int(w.code.Load())
	switch {
	case code == 0:
		return nil
	case code < 0:
		return errors.New("no next hop")
	}
	var m sip.Message
	if err := sip.Parse(d.Data, &m); err != nil {
		return err
	}
	w.answers.Receive(sip.AppendResponse(nil, &m, d.Remote, code, "Whatever", "tag"))
	return nil
}

func (w *worker) address() (own, vip netip.AddrPort, err error) {
	if w.code.Load() == -2 {
		err = fmt.Errorf("no address: %w", ErrCannotAsk)
	}
	return addr("10.66.0.1:40000"), addr("192.0.2.10:5060"), err
}

func TestAWorkerThatFallsSilentIsDownInTime(t *testing.T) {
	for _, mood := range []int64{0, -1, 503} {
		synctest.Test(t, func(t *testing.T) {
			a := NewAnswers()
			w := &worker{answers: a}
			changes := make(chan State, 10)
			fast := Settings{Interval: 100 * time.Millisecond, Timeout: 200 * time.Millisecond, Down: 3, Up: 2}
			c := a.New(fast, Target{Deliver: w.deliver, Address: w.address, Changed: func(s State) { changes <- s }})
			w.code.Store(200)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go c.Run(ctx)
			time.Sleep(10 * time.Second)
			if n := c.Counts().Answered; n < 90 || n > 112 || len(changes) != 0 {
				t.Fatalf("%d answers in 10 s, %d changes", n, len(changes))
			}
			w.code.Store(mood)
			died := time.Now()
			if s := <-changes; s.Healthy || s.Why == "" {
				t.Errorf("changed to %+v", s)
			}
			if took := time.Since(died); took > 600*time.Millisecond {
				t.Errorf("down after %v", took)
			}
			w.code.Store(483)
			if s := <-changes; !s.Healthy {
				t.Errorf("changed to %+v", s)
			}
			time.Sleep(5 * time.Second)
			if len(changes) != 0 || !c.State().Healthy {
				t.Errorf("%d more changes, %+v", len(changes), c.State())
			}
			if len(a.waiting) > 3 {
				t.Errorf("%d questions are remembered", len(a.waiting))
			}
		})
	}
}

func TestOneLostQuestionInThreeChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAnswers()
		w := &worker{answers: a}
		w.code.Store(200)
		asked := 0
		c := a.New(set, Target{Address: w.address, Changed: func(s State) { t.Errorf("changed to %+v", s) },
			Deliver: func(d transport.Datagram) error {
				if asked++; asked%3 == 0 {
					return nil
				}
				return w.deliver(d)
			}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c.Run(ctx)
		if n := c.Counts(); n.Lost < 15 || n.Answered < 30 {
			t.Errorf("%+v", n)
		}
	})
}

func TestAWorkerThatCannotBeAskedStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAnswers()
		w := &worker{answers: a}
		w.code.Store(-2)
		told := 0
		c := a.New(set, Target{Deliver: w.deliver, Address: w.address, Changed: func(s State) {
			if told++; !s.Healthy || !strings.Contains(s.Why, "no address") {
				t.Errorf("changed to %+v", s)
			}
		}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c.Run(ctx)
		if told != 1 || !c.State().Healthy {
			t.Errorf("told %d times, %+v", told, c.State())
		}
	})
}

// After a pause of this process its own unread answers must not speak against the worker.
func TestAPauseOfOursIsNotTheWorkers(t *testing.T) {
	a := NewAnswers()
	c := a.New(set, Target{})
	for _, branch := range []string{"1", "2", "3"} {
		c.m.sent(branch, start)
		a.expect(branch, c)
	}
	c.in <- answer{"2", 503}
	c.catchUp(set.Timeout)
	c.expire(start.Add(time.Hour))
	if n := c.Counts(); n != (Counts{Refused: 1}) || len(a.waiting) != 0 {
		t.Errorf("%+v, %d remembered", n, len(a.waiting))
	}
	c.m.sent("4", start)
	c.catchUp(set.Timeout/2 - 1)
	if len(c.m.waiting) != 1 {
		t.Error("a short delay made the worker's silence unseen")
	}
}
