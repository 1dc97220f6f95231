// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/ctrl/health"
	"github.com/sipsteer/sipsteer/ctrl/pool"
	"github.com/sipsteer/sipsteer/userspace/datapath"
	"github.com/sipsteer/sipsteer/userspace/forward"
	"github.com/sipsteer/sipsteer/userspace/proxy"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

// portTries is how often another port is tried when one is free on one service
// address and taken on the next.
const portTries = 16

// worker is one worker of one service. A local worker has a socket and a proxy
// of its own for each service, so that what it sends leaves from that service's
// address.
type worker struct {
	id      uint32
	spec    config.WorkerSpec
	service string
	deliver func(transport.Datagram) error
	ports   []netip.AddrPort // local: its own sockets, closed from outside
	check   *health.Checker  // nil when it is not asked
	now     standing
	proxy   *proxy.Worker // local
}

// deliver gives a datagram to a worker by its number in pins.
func (n *Node) deliver(id uint32, d transport.Datagram) error {
	w := n.byID[id]
	if w == nil {
		return fmt.Errorf("delivering to worker number %d: it is not in the config any more", id)
	}
	return w.deliver(d)
}

// openWorkers makes the workers of every service and tells the datapath the way
// to each; numbers that no worker has any more lose theirs.
func (n *Node) openWorkers(ctx context.Context) error {
	n.onStop(n.ears.close)
	for _, spec := range n.cfg.Workers {
		if spec.Forward != config.ForwardLocal && n.raw == nil {
			raw, err := forward.OpenRaw()
			if err != nil {
				return err
			}
			n.raw = raw
			n.onClose(raw.Close)
			if n.monitor, err = forward.OpenMonitor(); err != nil {
				return err
			}
			n.onClose(n.monitor.Close)
		}
	}
	var err error
	if n.settings, err = n.store.WorkerSettings(); err != nil {
		return err
	}
	for i, s := range n.cfg.Services {
		if err := n.openService(ctx, uint16(i+1), s); err != nil {
			return err
		}
	}
	for id := uint32(1); id < datapath.MaxWorkers; id++ {
		if n.byID[id] == nil {
			if err := n.table.setWorker(id, steer.Worker{}); err != nil {
				return err
			}
		}
	}
	return nil
}

// openService makes one service's workers and the pool that chooses among them.
func (n *Node) openService(ctx context.Context, id uint16, s config.Service) error {
	svc := &service{id: id, config: s}
	var members []pool.Worker
	for _, spec := range n.cfg.Workers {
		if !s.Serves(spec.Name) {
			continue
		}
		number, err := n.store.WorkerID(spec.Name + "@" + s.Name)
		if err != nil {
			return err
		}
		w := &worker{id: number, spec: spec, service: s.Name}
		n.byID[number] = w
		n.workers = append(n.workers, w)
		members = append(members, pool.Worker{
			ID: number, Name: spec.Name, Forward: spec.Forward, Address: spec.Address, Weight: n.weight(spec),
		})
	}
	svc.pool = pool.New(members, s.MaglevSize)
	for name, set := range n.settings {
		if s.Serves(name) && set.Drained {
			_ = svc.pool.Drain(name, true) // one that left the config has nothing to drain
		}
	}
	n.services = append(n.services, svc)
	for _, w := range n.workers[len(n.workers)-len(members):] {
		if err := n.openWorker(ctx, svc, w); err != nil {
			return err
		}
	}
	return nil
}

func (n *Node) openWorker(ctx context.Context, s *service, w *worker) error {
	w.now.health.Healthy = true // until it is found to be otherwise
	if w.spec.Forward != config.ForwardLocal {
		n.openRemote(ctx, s, w)
	} else if err := n.openLocal(ctx, s, w); err != nil {
		return err
	}
	n.watch(ctx, s, w)
	return nil
}

// forwards are the ways to workers on other hosts.
var forwards = map[string]steer.Forward{
	config.ForwardL2: steer.ForwardL2, config.ForwardIPIP: steer.ForwardIPIP, config.ForwardGUE: steer.ForwardGUE,
}

// openRemote follows the way to a worker on another host. The worker is down as
// long as none is known.
func (n *Node) openRemote(ctx context.Context, s *service, w *worker) {
	remote := forward.NewRemote(n.raw, w.spec.Address, n.keys.pins.Service(s.config.Name))
	w.deliver = remote.Deliver
	target := forward.Target{
		Forward: forwards[w.spec.Forward], Address: w.spec.Address, Source: w.spec.Source.Prefix, Port: uint16(w.spec.Port),
	}
	n.goRun(func() error {
		n.monitor.Watch(ctx, target, func(way *steer.Worker, why error) {
			remote.SetWay(way)
			if err := n.wayChanged(s, w, way, why); err != nil {
				n.log.Error("worker cannot be changed", "cause", err)
			}
		})
		return nil
	})
}

// changeWay publishes the way to a worker, nil for none, in an order in which no
// message finds the worker in the table without a way to it: first the way, then
// the table, and the other way round when it goes.
func (n *Node) changeWay(s *service, w *worker, way *steer.Worker) error {
	if way != nil {
		if err := n.table.setWorker(w.id, *way); err != nil {
			return err
		}
	}
	_ = s.pool.SetReachable(w.spec.Name, way != nil) // the pool was made of these names
	if way == nil {
		return n.table.setWorker(w.id, steer.Worker{})
	}
	return nil
}

// openLocal starts a worker in this process. With a kernel datapath it has
// sockets of its own, to which XDP steers; without, everything comes through
// deliver.
func (n *Node) openLocal(ctx context.Context, s *service, w *worker) error {
	listen := make([]netip.AddrPort, len(s.config.Listen))
	for i, l := range s.config.Listen {
		listen[i] = l.Addr
	}
	var own []*transport.Socket
	if n.table.kernel() {
		var err error
		if own, err = samePort(listen); err != nil {
			return fmt.Errorf("starting worker %s: %w", w.spec.Name, err)
		}
	}
	for _, sock := range own {
		n.onStop(sock.Close)
		w.ports = append(w.ports, sock.Local())
	}
	p, err := proxy.New(proxy.Config{
		ID: w.id, Name: w.spec.Name, Listen: listen, Signer: n.signer, Send: n.sockets.send, Sockets: own,
	})
	if err != nil {
		return fmt.Errorf("starting worker %s: %w", w.spec.Name, err)
	}
	w.proxy, w.deliver = p, func(d transport.Datagram) error { p.Deliver(d); return nil }
	n.goRun(func() error { return p.Run(ctx) })
	var kernel steer.Worker
	if len(own) > 0 {
		kernel = steer.Worker{Forward: steer.ForwardLocal, Port: own[0].Local().Port()}
	}
	return n.wayChanged(s, w, &kernel, nil)
}

// samePort binds one socket on each service address, all with the same port, as
// the kernel knows one port a worker.
func samePort(listen []netip.AddrPort) ([]*transport.Socket, error) {
	var err error
	for range portTries {
		var socks []*transport.Socket
		port := uint16(0)
		for _, l := range listen {
			var sock *transport.Socket
			if sock, err = transport.Listen(netip.AddrPortFrom(l.Addr(), port)); err != nil {
				break
			}
			socks = append(socks, sock)
			port = sock.Local().Port()
		}
		if err == nil {
			return socks, nil
		}
		for _, sock := range socks {
			_ = sock.Close()
		}
	}
	return nil, err
}
