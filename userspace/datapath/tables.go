// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"

	"github.com/sipsteer/sipsteer/bpf"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// The tables speak the types of the twin.
type (
	Service = steer.Service
	Worker  = steer.Worker
)

// MaxWorkers bounds worker ids: 1 to MaxWorkers-1.
const MaxWorkers = 4096

// networkOrder gives a number the bytes that it has on the wire.
func networkOrder(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

func serviceKey(addr netip.AddrPort) bpf.SteerServiceKey {
	return bpf.SteerServiceKey{Addr: addr.Addr().As16(), Port: networkOrder(addr.Port())}
}

func keyAddr(k bpf.SteerServiceKey) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(k.Addr).Unmap(), networkOrder(k.Port))
}

// SetService makes the program look at packets for addr.
func (d *Datapath) SetService(addr netip.AddrPort, s Service) error {
	k0, k1 := s.Secret.Halves()
	v := bpf.SteerService{
		Id: uint32(s.ID), Kind: bpf.SteerServiceKind(s.Kind), Policy: uint32(s.Policy), Secret: [2]uint64{k0, k1},
	}
	if err := d.objs.Services.Put(serviceKey(addr), v); err != nil {
		return fmt.Errorf("setting service %s: %w", addr, err)
	}
	return nil
}

// DeleteService makes the program leave packets for addr alone. It is no error when it did before.
func (d *Datapath) DeleteService(addr netip.AddrPort) error {
	if err := d.objs.Services.Delete(serviceKey(addr)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("deleting service %s: %w", addr, err)
	}
	return nil
}

// ReplaceServices sets the services wanted, then deletes all others, such as those of an earlier daemon.
func (d *Datapath) ReplaceServices(wanted map[netip.AddrPort]Service) error {
	for addr, s := range wanted {
		if err := d.SetService(addr, s); err != nil {
			return err
		}
	}
	var stale []netip.AddrPort
	var k bpf.SteerServiceKey
	var v bpf.SteerService
	it := d.objs.Services.Iterate()
	for it.Next(&k, &v) {
		if addr := keyAddr(k); !has(wanted, addr) {
			stale = append(stale, addr)
		}
	}
	if err := it.Err(); err != nil {
		return fmt.Errorf("reading services: %w", err)
	}
	for _, addr := range stale {
		if err := d.DeleteService(addr); err != nil {
			return err
		}
	}
	return nil
}

func has[V any](m map[netip.AddrPort]V, addr netip.AddrPort) bool {
	_, ok := m[addr]
	return ok
}

// SetWorker says how packets reach a worker; ForwardNone takes it away, and packets of its calls go up.
func (d *Datapath) SetWorker(id uint32, w Worker) error {
	if id == 0 || id >= MaxWorkers {
		return fmt.Errorf("setting worker %d: ids run from 1 to %d", id, MaxWorkers-1)
	}
	if w.Forward > steer.ForwardL2 || w.Forward == steer.ForwardLocal && w.Port == 0 || w.Forward == steer.ForwardL2 && w.IfIndex == 0 {
		return fmt.Errorf("setting worker %d: %s lacks a port or interface", id, w.Forward)
	}
	v := bpf.SteerWorker{
		Forward: bpf.SteerForward(w.Forward),
		Ifindex: w.IfIndex,
		Port:    networkOrder(w.Port),
		DstMac:  w.DstMAC,
		SrcMac:  w.SrcMAC,
	}
	if err := d.objs.Workers.Put(id, v); err != nil {
		return fmt.Errorf("setting worker %d: %w", id, err)
	}
	return nil
}

// Counters returns how many packets met each outcome, since the maps were made.
func (d *Datapath) Counters() (map[steer.Outcome]uint64, error) {
	totals, err := perCPUTotals(d.objs.Outcomes)
	if err != nil {
		return nil, fmt.Errorf("reading counters: %w", err)
	}
	all := make(map[steer.Outcome]uint64, len(totals))
	for _, o := range steer.Outcomes() {
		all[o] = totals[o]
	}
	return all, nil
}

// WorkerPackets returns how many packets were steered to each worker that got any, since the maps were made.
func (d *Datapath) WorkerPackets() (map[uint32]uint64, error) {
	totals, err := perCPUTotals(d.objs.WorkerPackets)
	if err != nil {
		return nil, fmt.Errorf("reading worker counters: %w", err)
	}
	all := make(map[uint32]uint64)
	for id, n := range totals {
		if n > 0 {
			all[uint32(id)] = n
		}
	}
	return all, nil
}

// perCPUTotals reads a per-CPU array of counters at once and adds up the CPUs; the index is the key.
func perCPUTotals(m *ebpf.Map) ([]uint64, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("counting CPUs: %w", err)
	}
	size := int(m.MaxEntries())
	keys := make([]uint32, size)
	values := make([]uint64, size*cpus)
	var cursor ebpf.MapBatchCursor
	n, err := m.BatchLookup(&cursor, keys, values, nil)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil, err
	}
	totals := make([]uint64, size)
	for i := range n {
		totals[keys[i]] = sum(values[i*cpus : (i+1)*cpus])
	}
	return totals, nil
}

func sum(values []uint64) (total uint64) {
	for _, v := range values {
		total += v
	}
	return total
}
