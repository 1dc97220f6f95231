// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"

	"github.com/cilium/ebpf"

	"github.com/sipsteer/sipsteer/bpf"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Observer reads the tables of a datapath that runs, and cannot change them.
type Observer struct {
	services, workers *ebpf.Map
	pins              *Pins
}

// Observe opens the maps pinned in a directory. The error wraps fs.ErrNotExist where nothing runs, and ErrPrivileges or
// ErrLayout where these are the cause.
func Observe(pinPath string) (*Observer, error) {
	spec, err := bpf.LoadSteer()
	if err != nil {
		return nil, fmt.Errorf("reading the built-in BPF object: %w", err)
	}
	o := &Observer{pins: &Pins{}}
	for _, wanted := range []struct {
		name, file string
		m          **ebpf.Map
	}{
		{"services", "services", &o.services}, {"workers", "workers", &o.workers}, {"pins", present().pins, &o.pins.pins},
	} {
		path := filepath.Join(pinPath, wanted.file)
		opened, err := ebpf.LoadPinnedMap(path, &ebpf.LoadPinOptions{ReadOnly: true})
		if err != nil {
			return nil, errors.Join(hint("opening the pinned map "+path, err), o.Close())
		}
		*wanted.m = opened
		if m := spec.Maps[wanted.name]; m.ValueSize != opened.ValueSize() || m.KeySize != opened.KeySize() {
			return nil, errors.Join(fmt.Errorf("reading %s: %w", path, ErrLayout), o.Close())
		}
	}
	return o, nil
}

// Close lets go of the maps.
func (o *Observer) Close() error {
	return errors.Join(o.services.Close(), o.workers.Close(), o.pins.pins.Close()) // nil maps are fine
}

// Services returns what the program looks for.
func (o *Observer) Services() (map[netip.AddrPort]Service, error) {
	all := map[netip.AddrPort]Service{}
	var k bpf.SteerServiceKey
	var v bpf.SteerService
	it := o.services.Iterate()
	for it.Next(&k, &v) {
		all[keyAddr(k)] = serviceFromC(v)
	}
	if err := it.Err(); err != nil {
		return nil, fmt.Errorf("reading services: %w", err)
	}
	return all, nil
}

// Pin returns the pin of a key.
func (o *Observer) Pin(k steer.Key) (steer.Pin, bool) { return o.pins.Get(k) }

// Worker returns the way to a worker; ForwardNone when there is none.
func (o *Observer) Worker(id uint32) Worker {
	var v bpf.SteerWorker
	if err := o.workers.Lookup(id, &v); err != nil {
		return Worker{}
	}
	return workerFromC(v)
}

func serviceFromC(v bpf.SteerService) Service {
	return Service{
		ID: uint16(v.Id), Kind: steer.ServiceKind(v.Kind), Policy: steer.Policy(v.Policy),
		Secret: steer.SecretOf(v.Secret[0], v.Secret[1]), Slots: v.Slots, NewPinNS: v.NewPinNs,
	}
}

// workerFromC is the way back from kernelWorker.
func workerFromC(v bpf.SteerWorker) Worker {
	w := Worker{
		Forward: steer.Forward(v.Forward), Port: networkOrder(v.Port), MTU: v.Mtu, IfIndex: v.Ifindex, DstMAC: v.DstMac, SrcMAC: v.SrcMac,
		Spread: uint16(v.Spread[0])<<8 | uint16(v.Spread[1]),
	}
	for i, t := range v.Tags {
		w.Tags[i] = steer.VLANTag{Protocol: networkOrder(t.Protocol), Tag: networkOrder(t.Tag)}
	}
	if w.Overhead() > 0 {
		w.Src, w.Dst = netip.AddrFrom16(v.OuterSrc).Unmap(), netip.AddrFrom16(v.OuterDst).Unmap()
	}
	return w
}
