// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

// resubscribe is how long a broken subscription waits for the next.
const resubscribe = time.Second

// Monitor tells watchers what the kernel says of routes, links and neighbours.
type Monitor struct {
	done   chan struct{}
	closed sync.Once

	mu       sync.Mutex
	watchers map[*watcher]struct{}
}

// watcher is one worker's interest in the monitor.
type watcher struct {
	via   netip.Addr    // the neighbour that its way leads over; guarded by Monitor.mu
	dirty chan struct{} // holds one token when something may have changed
}

// news are the channels of one set of subscriptions, and what ends them.
type news struct {
	routes     chan netlink.RouteUpdate
	links      chan netlink.LinkUpdate
	neighbours chan netlink.NeighUpdate
	end        chan struct{}
}

// OpenMonitor subscribes to the kernel's news.
func OpenMonitor() (*Monitor, error) {
	m := &Monitor{done: make(chan struct{}), watchers: map[*watcher]struct{}{}}
	n, err := subscribe()
	if err != nil {
		return nil, err
	}
	go m.run(n)
	return m, nil
}

func subscribe() (*news, error) {
	n := &news{
		make(chan netlink.RouteUpdate), make(chan netlink.LinkUpdate), make(chan netlink.NeighUpdate), make(chan struct{}),
	}
	err := errors.Join(
		netlink.RouteSubscribe(n.routes, n.end),
		netlink.LinkSubscribe(n.links, n.end),
		netlink.NeighSubscribe(n.neighbours, n.end),
	)
	if err != nil {
		close(n.end)
		return nil, fmt.Errorf("subscribing to routes, links and neighbours: %w", err)
	}
	return n, nil
}

// Close ends the subscriptions. Watches go on with their slow looks.
func (m *Monitor) Close() error {
	m.closed.Do(func() { close(m.done) })
	return nil
}

// run serves subscriptions, and new ones where one broke off: that happens when
// news come faster than they are read.
func (m *Monitor) run(n *news) {
	for {
		m.serve(n)
		for n = nil; n == nil; n, _ = subscribe() {
			select {
			case <-m.done:
				return
			case <-time.After(resubscribe):
			}
		}
		m.wake(func(*watcher) bool { return true })
	}
}

// serve passes news on until one of the subscriptions or the monitor ends.
func (m *Monitor) serve(n *news) {
	defer n.drain()
	for {
		concerned := func(*watcher) bool { return true }
		ok := true
		select {
		case <-m.done:
			return
		case _, ok = <-n.routes:
		case _, ok = <-n.links:
		case about, more := <-n.neighbours:
			ip, _ := netip.AddrFromSlice(about.IP)
			ok, concerned = more, func(w *watcher) bool { return !w.via.IsValid() || w.via == ip.Unmap() }
		}
		if !ok {
			return
		}
		m.wake(concerned)
	}
}

// drain ends subscriptions and reads what they still have to say, without which
// they would not end.
func (n *news) drain() {
	close(n.end)
	go discard(n.routes)
	go discard(n.links)
	go discard(n.neighbours)
}

func discard[T any](c <-chan T) {
	for range c {
	}
}

func (m *Monitor) wake(concerned func(*watcher) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for w := range m.watchers {
		if !concerned(w) {
			continue
		}
		select {
		case w.dirty <- struct{}{}:
		default: // it will look anyway
		}
	}
}

func (m *Monitor) add() *watcher {
	w := &watcher{dirty: make(chan struct{}, 1)}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.watchers[w] = struct{}{}
	return w
}

func (m *Monitor) remove(w *watcher) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.watchers, w)
}

func (m *Monitor) setVia(w *watcher, via netip.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w.via = via
}
