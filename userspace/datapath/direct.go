// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/sipsteer/sipsteer/bpf"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// slotTables are the Maglev tables in the kernel, by service. The lock keeps one from going while choose_worker reads
// it: that program may sleep, as the XDP program may not, and before Linux 6.8 the kernel does not wait for it.
type slotTables struct {
	mu     sync.RWMutex
	tables map[uint16]*ebpf.Map
}

// SetSlots publishes the Maglev table of a service: built aside and swapped in whole, so that no packet meets a part of
// it. Without slots messages that have no pin go up.
func (d *Datapath) SetSlots(service uint16, slots []uint32) error {
	var table *ebpf.Map
	if len(slots) > 0 {
		var err error
		if table, err = newSlots(slots); err != nil {
			return fmt.Errorf("building the Maglev table of service %d: %w", service, err)
		}
	}
	d.slots.mu.Lock()
	defer d.slots.mu.Unlock()
	if err := d.swapSlots(uint32(service), table); err != nil {
		return errors.Join(fmt.Errorf("publishing the Maglev table of service %d: %w", service, err), table.Close())
	}
	_ = d.slots.tables[service].Close() // nil is fine
	d.slots.tables[service] = table
	return nil
}

func (d *Datapath) swapSlots(service uint32, table *ebpf.Map) error {
	if table != nil {
		return d.objs.Maglev.Put(service, table)
	}
	err := d.objs.Maglev.Delete(service)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil
	}
	return err
}

func newSlots(slots []uint32) (*ebpf.Map, error) {
	table, err := ebpf.NewMap(&ebpf.MapSpec{
		Name: "maglev_slots", Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: uint32(len(slots)), Flags: unix.BPF_F_INNER_MAP,
	})
	if err != nil {
		return nil, err
	}
	keys := make([]uint32, len(slots))
	for i := range keys {
		keys[i] = uint32(i)
	}
	if _, err := table.BatchUpdate(keys, slots, nil); err != nil {
		return nil, errors.Join(err, table.Close())
	}
	return table, nil
}

func (t *slotTables) close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, table := range t.tables {
		errs = append(errs, table.Close())
	}
	clear(t.tables)
	return errors.Join(errs...)
}

// ChooseWorker does with a message of a service with policy direct that came to user space what the program does with
// those that it judges itself: it gives it the same worker, and notes or makes the pin. 0 when no worker can have it.
func (d *Datapath) ChooseWorker(key steer.Key, m steer.Message, source netip.Addr, s Service) (uint32, error) {
	var args bpf.SteerDirectArgs
	a := &args.Direct
	a.Key.Hash, a.Source = key, source.As16()
	a.StepNs, a.Service, a.Slots = s.NewPinNS, uint32(s.ID), s.Slots
	a.Makes = bpf.SteerMethod(m.Makes())
	if m.Initial() {
		a.Initial = 1
	}
	a.Note.Status, a.Note.Method, a.Note.Cseq, a.Note.Now = uint32(m.Status), bpf.SteerMethod(m.Method), m.CSeq, Now()
	a.From, a.To, a.Note.Leg = m.From, m.To, m.Leg()
	if !m.Request {
		a.Note.Method = bpf.SteerMethod(m.CSeqMethod)
	}
	out := args
	d.slots.mu.RLock()
	defer d.slots.mu.RUnlock()
	if _, err := d.objs.ChooseWorker.Run(&ebpf.RunOptions{Context: args, ContextOut: &out}); err != nil {
		return 0, fmt.Errorf("choosing a worker in the kernel: %w", err)
	}
	return out.Worker, nil
}

// DirectEvents returns how often each event of policy direct happened, since the maps were made.
func (d *Datapath) DirectEvents() (map[steer.DirectEvent]uint64, error) {
	totals, err := perCPUTotals(d.objs.DirectEvents)
	if err != nil {
		return nil, fmt.Errorf("reading the counters of policy direct: %w", err)
	}
	all := map[steer.DirectEvent]uint64{}
	for e, n := range totals {
		all[steer.DirectEvent(e)] = n
	}
	return all, nil
}
