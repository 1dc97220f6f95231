// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
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
		Id: uint32(s.ID), Kind: bpf.SteerServiceKind(s.Kind), Policy: bpf.SteerPolicy(s.Policy), Secret: [2]uint64{k0, k1},
		Keys: s.Secret.HashKeys(), Slots: s.Slots, NewPinNs: s.NewPinNS,
	}
	k := serviceKey(addr)
	if err := d.objs.Services.Put(k, v); err != nil {
		return fmt.Errorf("setting service %s: %w", addr, err)
	}
	if err := openPort(d.objs.ServicePorts, k.Port); err != nil {
		return fmt.Errorf("setting the port of service %s: %w", addr, err)
	}
	return nil
}

// DeleteService makes the program leave packets for addr alone. It is no error when it did before. Its port stays among
// those that the program looks up, for other services may have it too, until ReplaceServices.
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
	if err := closePorts(d.objs.ServicePorts, wanted); err != nil {
		return fmt.Errorf("closing the ports of other services: %w", err)
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
	if err := checkWorker(w); err != nil {
		return fmt.Errorf("setting worker %d: %w", id, err)
	}
	v := kernelWorker(w)
	if err := d.objs.Workers.Put(id, v); err != nil {
		return fmt.Errorf("setting worker %d: %w", id, err)
	}
	return nil
}

func checkWorker(w Worker) error {
	switch w.Forward {
	case steer.ForwardNone:
		return nil
	case steer.ForwardLocal:
		if w.Port == 0 {
			return errors.New("a local worker needs a port")
		}
		return nil
	case steer.ForwardL2, steer.ForwardIPIP, steer.ForwardGUE:
	default:
		return fmt.Errorf("there is no way number %d to a worker", w.Forward)
	}
	if w.IfIndex == 0 {
		return fmt.Errorf("%s needs an interface", w.Forward)
	}
	if w.Overhead() > 0 && (!w.Dst.IsValid() || w.Src.Is4() != w.Dst.Is4() || !w.Src.IsValid()) {
		return fmt.Errorf("%s needs two addresses of one family, not %s and %s", w.Forward, w.Src, w.Dst)
	}
	return nil
}

func kernelWorker(w Worker) bpf.SteerWorker {
	v := bpf.SteerWorker{
		Forward: bpf.SteerForward(w.Forward),
		Ifindex: w.IfIndex,
		Port:    networkOrder(w.Port),
		Mtu:     w.MTU,
		DstMac:  w.DstMAC,
		SrcMac:  w.SrcMAC,
		Spread:  [2]uint8{uint8(w.Spread >> 8), uint8(w.Spread)},
	}
	if w.MTU == 0 {
		v.Mtu = math.MaxUint16
	}
	for i, t := range w.Tags {
		if t.Protocol != 0 {
			v.Tags[i] = bpf.SteerVlanTag{Protocol: networkOrder(t.Protocol), Tag: networkOrder(t.Tag)}
			v.TagsLength += 4
		}
	}
	if w.Overhead() > 0 {
		v.OuterSrc, v.OuterDst = w.Src.As16(), w.Dst.As16()
	}
	if w.Overhead() > 0 && w.Dst.Is6() {
		v.OuterV6 = 1
	}
	return v
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
