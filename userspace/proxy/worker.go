// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/sipsteer/sipsteer/userspace/transport"
)

// smallDatagram is the size of the buffers that are kept for reuse; what does
// not fit gets memory of its own. A SIP message over UDP seldom exceeds the MTU.
const smallDatagram = 2048

// idle is how long the loop sleeps when no timer runs.
const idle = time.Hour

// Worker runs a Core: one goroutine that owns it, one more for each socket that
// it reads.
type Worker struct {
	cfg  Config
	core *Core
	in   chan transport.Datagram
	pool sync.Pool // of *[smallDatagram]byte
}

// New makes a worker. The error names what the Config lacks.
func New(cfg Config) (*Worker, error) {
	if cfg.Send == nil {
		return nil, errors.New("worker: no way to send")
	}
	core, err := NewCore(cfg)
	if err != nil {
		return nil, err
	}
	w := &Worker{cfg: core.cfg, core: core, in: make(chan transport.Datagram, core.cfg.Queue)}
	w.pool.New = func() any { return new([smallDatagram]byte) }
	return w, nil
}

// Name is the worker's name from its Config.
func (w *Worker) Name() string { return w.cfg.Name }

// Stats is a snapshot of the counters; any goroutine may ask.
func (w *Worker) Stats() Stats { return w.core.Stats() }

// Deliver puts a datagram into the worker's queue, in the order of the calls. It
// copies Data and never blocks: with the queue full the datagram is dropped and
// counted.
func (w *Worker) Deliver(d transport.Datagram) {
	d.Data = w.keep(d.Data)
	select {
	case w.in <- d:
	default:
		w.core.count.add(droppedQueue)
		w.release(d.Data)
	}
}

func (w *Worker) keep(data []byte) []byte {
	if len(data) > smallDatagram {
		return append([]byte(nil), data...)
	}
	buf := w.pool.Get().(*[smallDatagram]byte)
	return buf[:copy(buf[:], data)]
}

func (w *Worker) release(data []byte) {
	if cap(data) == smallDatagram {
		w.pool.Put((*[smallDatagram]byte)(data[:smallDatagram]))
	}
}

// Run serves until ctx ends and returns nil then, or earlier the error of a
// socket. Its sockets are closed when it returns. Transactions that are open at
// the end stay open: the next worker finds them by their branches.
func (w *Worker) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	var readers sync.WaitGroup
	for _, s := range w.cfg.Sockets {
		readers.Go(func() {
			if err := w.read(ctx, s); err != nil {
				stop(fmt.Errorf("worker %s: %w", w.cfg.Name, err))
			}
		})
	}
	w.loop(ctx)
	cause := context.Cause(ctx)
	for _, s := range w.cfg.Sockets {
		_ = s.Close()
	}
	readers.Wait()
	stop(nil)
	if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
		return nil
	}
	return cause
}

// read moves datagrams from a socket into the queue. It waits when the queue is
// full: the socket's buffer is the better place for them.
func (w *Worker) read(ctx context.Context, s *transport.Socket) error {
	buf := make([]byte, transport.MaxDatagram)
	for {
		n, from, err := s.Receive(buf)
		if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case w.in <- transport.Datagram{Local: s.Local(), Remote: from, Data: w.keep(buf[:n])}:
		case <-ctx.Done():
			return nil
		}
	}
}

func (w *Worker) loop(ctx context.Context) {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	var armed time.Time // when timer fires; zero while it is to be set
	for {
		if next, ok := w.core.NextDeadline(); ok && (armed.IsZero() || next.Before(armed)) {
			armed = next
			timer.Reset(next.Sub(w.cfg.Now()))
		}
		select {
		case <-ctx.Done():
			return
		case d := <-w.in:
			w.flush(w.core.Input(w.cfg.Now(), d))
			w.release(d.Data)
		case <-timer.C:
			armed = time.Time{}
			w.flush(w.core.Tick(w.cfg.Now()))
		}
	}
}

// flush sends in order, then tells the core what could not be sent, until all that
// it does about that is sent: a fork goes on to its next target.
func (w *Worker) flush(out []Send) {
	failed := w.sendAll(nil, out)
	for len(failed) > 0 {
		s := failed[0]
		failed = w.sendAll(failed[1:], w.core.Failed(w.cfg.Now(), s))
	}
}

// sendAll sends, and appends to failed what could not be sent.
func (w *Worker) sendAll(failed, out []Send) []Send {
	for _, s := range out {
		if w.cfg.Send(s.Datagram) != nil {
			failed = append(failed, s)
		}
	}
	return failed
}
