// SPDX-License-Identifier: Apache-2.0

package node

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/ctrl/dialog"
	"github.com/sipsteer/sipsteer/userspace/datapath"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// memoryTable is the table without a kernel datapath.
type memoryTable struct {
	table   *steer.Table
	records *dialog.CallTable
	budget  *steer.Budget

	events [steer.DirectEvents]atomic.Uint64

	mu    sync.RWMutex // of what follows
	slots map[uint16][]uint32
	alive map[uint32]bool
}

func newMemory(cfg *config.Config) *memoryTable {
	return &memoryTable{
		table: steer.NewTable(cfg.Datapath.MaxPins, dialog.Monotonic), records: dialog.NewCallTable(), budget: steer.NewBudget(newPins(cfg)),
		slots: map[uint16][]uint32{}, alive: map[uint32]bool{},
	}
}

func (m *memoryTable) setWorker(id uint32, w steer.Worker) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alive[id] = w.Forward != steer.ForwardNone
	return nil
}

func (m *memoryTable) setSlots(service uint16, slots []uint32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.slots[service] = slots
	return nil
}

// choose does what the kernel would.
func (m *memoryTable) choose(key steer.Key, msg steer.Message, source netip.Addr, s steer.Service) (uint32, error) {
	return m.table.Direct(key, msg, source, s, steer.DirectTables{
		Choose: m.slot, Alive: m.isAlive, Count: m.count,
		MayPin: func(source netip.Addr, s steer.Service, nowNS uint64) (bool, steer.DirectEvent) {
			return m.budget.Take(source, s.NewPinNS, nowNS)
		},
	}), nil
}

func (m *memoryTable) slot(s steer.Service, key steer.Key) uint32 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	slots := m.slots[s.ID]
	if len(slots) == 0 {
		return 0
	}
	return slots[key.Slot(uint32(len(slots)))]
}

func (m *memoryTable) isAlive(id uint32) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.alive[id]
}

func (m *memoryTable) count(e steer.DirectEvent) { m.events[e].Add(1) }

func (m *memoryTable) directEvents() (map[steer.DirectEvent]uint64, error) {
	all := make(map[steer.DirectEvent]uint64, len(m.events))
	for e := range m.events {
		all[steer.DirectEvent(e)] = m.events[e].Load()
	}
	return all, nil
}

func (m *memoryTable) pins() pins                                         { return m.table }
func (m *memoryTable) calls() dialog.Calls                                { return m.records }
func (m *memoryTable) sources() *datapath.Sources                         { return nil }
func (m *memoryTable) setServices(map[netip.AddrPort]steer.Service) error { return nil }
func (m *memoryTable) attach() error                                      { return nil }
func (m *memoryTable) detach() error                                      { return nil }
func (m *memoryTable) close() error                                       { return nil }
func (m *memoryTable) mode() string                                       { return config.ModeOff }
func (m *memoryTable) fresh() bool                                        { return true }
func (m *memoryTable) kernel() bool                                       { return false }
func (m *memoryTable) counters() (map[steer.Outcome]uint64, error)        { return nil, nil }
func (m *memoryTable) workerPackets() (map[uint32]uint64, error)          { return nil, nil }
