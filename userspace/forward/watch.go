// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

const (
	// pokeEvery is how often the kernel is made to care for the neighbour: XDP
	// uses the entry without its knowing.
	pokeEvery = time.Second
	// lookEvery is how often the tables are read without any news, in case some
	// were lost.
	lookEvery = 10 * time.Second
	// coalesce is how long news wait for more of the same change.
	coalesce = 5 * time.Millisecond
	// settle is how long a worker may take to be found before it is said to be
	// gone: what an earlier daemon knew of it stands that long.
	settle = time.Second
)

// Watch keeps the way to a worker current until ctx ends: it calls set when the
// way is found or has not been after a second, and whenever it changes, with nil
// and the reason while there is none.
func (m *Monitor) Watch(ctx context.Context, t Target, set func(*steer.Worker, error)) {
	w := m.add()
	defer m.remove(w)
	state := watch{target: t, set: set, begun: time.Now()}
	poked, looked := time.NewTicker(pokeEvery), time.NewTicker(lookEvery)
	defer poked.Stop()
	defer looked.Stop()
	first := time.After(settle)
	for {
		// News of a neighbour that is new to us may have come while the tables were read.
		if via := state.look(); via != state.via {
			state.via = via
			m.setVia(w, via)
			state.look()
		}
		if !state.wait(ctx, w.dirty, poked.C, looked.C, first) {
			return
		}
	}
}

// wait pokes the neighbour until there is reason to look again; false at the end.
func (w *watch) wait(ctx context.Context, dirty <-chan struct{}, poked, looked, first <-chan time.Time) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-dirty:
			time.Sleep(coalesce)
			return true
		case <-poked:
			poke(w.target.Address)
		case <-looked:
			return true
		case <-first:
			return true
		}
	}
}

// watch is what one Watch knows.
type watch struct {
	target Target
	set    func(*steer.Worker, error)
	begun  time.Time
	via    netip.Addr
	last   *steer.Worker
	why    string // what set was told last; "" for nothing or a way
	told   bool
}

// look reads the tables, tells of a change, and returns the neighbour on the way.
func (w *watch) look() netip.Addr {
	way, via, err := Find(w.target)
	switch {
	case err == nil && (w.last == nil || *w.last != way):
		w.last, w.why, w.told = &way, "", true
		w.set(&way, nil)
	case err != nil && (w.last != nil || w.told && w.why != err.Error() || !w.told && time.Since(w.begun) >= settle):
		w.last, w.why, w.told = nil, err.Error(), true
		w.set(nil, err)
	}
	if err != nil {
		poke(w.target.Address)
	}
	return via
}

// poke makes the kernel resolve addr, as any packet to it would: a byte to the
// discard port.
func poke(addr netip.Addr) {
	conn, err := net.Dial("udp", netip.AddrPortFrom(addr, 9).String())
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte{0})
	_ = conn.Close()
}
