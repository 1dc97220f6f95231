// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/ctrl/health"
	"github.com/sipsteer/sipsteer/userspace/forward"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

// standing is what is known of one worker of one service. It gets packets while there is a way to it and it is healthy.
type standing struct {
	mu     sync.Mutex
	way    *steer.Worker // as the kernel has it; nil when there is none
	noWay  string        // why not
	health health.State
	told   bool // whether anything has been published yet
	up     bool // what was published
}

// wayChanged takes a new way to a worker, or that there is none and why.
func (n *Node) wayChanged(s *service, w *worker, way *steer.Worker, why error) error {
	w.now.mu.Lock()
	defer w.now.mu.Unlock()
	w.now.way, w.now.noWay = way, ""
	if way == nil {
		w.now.noWay = fmt.Sprint(why)
	}
	return n.settle(s, w)
}

// healthChanged takes what the checker found.
func (n *Node) healthChanged(s *service, w *worker, state health.State) {
	w.now.mu.Lock()
	defer w.now.mu.Unlock()
	w.now.health = state
	if state.Healthy && w.now.up { // what cannot be asked
		n.log.Warn("worker is not watched", "worker", w.spec.Name, "cause", state.Why)
	}
	if err := n.settle(s, w); err != nil {
		n.log.Error("worker cannot be changed", "cause", err)
	}
}

// settle publishes whether a worker gets packets: to the pool for new calls, to the datapath for those that stand. Calls
// of a worker that is down come up to the control plane, which gives another what can prove itself.
func (n *Node) settle(s *service, w *worker) error {
	now := &w.now
	up := now.way != nil && now.health.Healthy
	way := now.way
	if !up {
		way = nil
	}
	if err := n.changeWay(s, w, way); err != nil {
		return fmt.Errorf("telling the datapath the way to worker %s: %w", w.spec.Name, err)
	}
	if now.told && now.up == up {
		return nil
	}
	now.told, now.up = true, up
	if up {
		n.log.Info("worker is up", "worker", w.spec.Name, "service", s.config.Name)
		return nil
	}
	cause := now.health.Why
	if now.way == nil {
		cause = now.noWay
	}
	n.log.Warn("worker is down", "worker", w.spec.Name, "service", s.config.Name, "cause", cause)
	return nil
}

// watch asks a worker by OPTIONS until ctx ends.
func (n *Node) watch(ctx context.Context, s *service, w *worker) {
	if w.spec.Health == config.HealthOff {
		return
	}
	set := health.Settings{
		Interval: n.cfg.Health.Interval, Timeout: n.cfg.Health.Timeout, Down: n.cfg.Health.Down, Up: n.cfg.Health.Up,
	}
	w.check = n.answers.New(set, health.Target{
		Deliver: func(d transport.Datagram) error { return w.deliver(d) },
		Address: func() (own, vip netip.AddrPort, err error) { return n.addresses(s, w) },
		Changed: func(state health.State) { n.healthChanged(s, w, state) },
	})
	n.goRun(func() error { w.check.Run(ctx); return nil })
}

// addresses says from where to ask a worker, and which service address.
func (n *Node) addresses(s *service, w *worker) (own, vip netip.AddrPort, err error) {
	w.now.mu.Lock()
	way := w.now.way
	w.now.mu.Unlock()
	if way == nil {
		return own, vip, forward.ErrNoHop
	}
	for _, l := range s.config.Listen {
		if own, err = n.ears.near(n, w.spec, l.Addr.Addr()); err == nil {
			return own, l.Addr, nil
		}
	}
	if errors.Is(err, forward.ErrNoHop) {
		return own, vip, err
	}
	return own, vip, fmt.Errorf("%w: %w", health.ErrCannotAsk, err)
}

// ear is a port of this host that answers come to.
type ear interface {
	Local() netip.AddrPort
	Close() error
}

// ears are opened when they are needed first, one for each address.
type ears struct {
	mu     sync.Mutex
	at     map[netip.Addr]ear
	closed bool
}

// near finds the port that a worker can answer to when it is asked as vip.
func (e *ears) near(n *Node, spec config.WorkerSpec, vip netip.Addr) (netip.AddrPort, error) {
	own := vip // a worker in this process answers through this host's own sockets
	if spec.Forward != config.ForwardLocal {
		var err error
		if own, err = forward.OwnAddress(spec.Address, vip, n.isService); err != nil {
			return netip.AddrPort{}, err
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if have := e.at[own]; have != nil {
		return have.Local(), nil
	}
	if e.closed {
		return netip.AddrPort{}, context.Canceled
	}
	open := n.openEar
	if own == vip {
		open = n.openLocalEar
	}
	ear, err := open(own)
	if err != nil {
		return netip.AddrPort{}, err
	}
	e.at[own] = ear
	return ear.Local(), nil
}

func (e *ears) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed = true
	var errs []error
	for _, ear := range e.at {
		errs = append(errs, ear.Close())
	}
	return errors.Join(errs...)
}

func (n *Node) openEar(own netip.Addr) (ear, error) {
	a, err := forward.ListenAnswers(own)
	if err != nil {
		return nil, err
	}
	n.goRun(func() error { return a.Serve(n.answers.Receive) })
	return a, nil
}

func (n *Node) openLocalEar(vip netip.Addr) (ear, error) {
	sock, err := transport.Listen(netip.AddrPortFrom(vip, 0))
	if err != nil {
		return nil, err
	}
	n.goRun(func() error {
		return transport.Serve(sock, func(d transport.Datagram) { n.answers.Receive(d.Data) })
	})
	return sock, nil
}

// isService tells whether an address is that of a service.
func (n *Node) isService(a netip.Addr) bool {
	for _, s := range n.cfg.Services {
		for _, l := range s.Listen {
			if l.Addr.Addr() == a {
				return true
			}
		}
	}
	return false
}

// addHealth fills in how a worker does. With several services the one that it fails speaks for it.
func (n *Node) addHealth(status *api.WorkerStatus) {
	failing := false
	status.Health = "in no service"
	found := false
	for _, w := range n.workers {
		if w.spec.Name != status.Name {
			continue
		}
		up, why := w.health()
		if !found || !up && !failing {
			status.Health, found, failing = why, true, !up
		}
		if w.check != nil {
			c := w.check.Counts()
			status.Probes.Answered += c.Answered
			status.Probes.Refused += c.Refused
			status.Probes.Lost += c.Lost
		}
	}
}

// health tells whether a worker gets packets, and in words how it does.
func (w *worker) health() (up bool, why string) {
	w.now.mu.Lock()
	defer w.now.mu.Unlock()
	switch {
	case w.now.way == nil:
		why = w.now.noWay
	case w.check == nil:
		why = "not asked"
	default:
		why = w.check.State().Why
	}
	return w.now.up, why
}
