// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"github.com/vishvananda/netlink"

	"github.com/sipsteer/sipsteer/bpf"
)

// DecapConfig says which tunnels a Decap ends.
type DecapConfig struct {
	Interface string
	Mode      Mode           // ModeNative, ModeGeneric or ModeAuto
	IPIP      bool           // end IP in IP, of all four family pairs
	GUEPort   uint16         // end GUE on this UDP port; 0 for none
	VIPs      []netip.Addr   // what packets inside may be for; none: the addresses of this host
	From      []netip.Prefix // where tunnel packets may come from; none: anywhere
}

// DecapCounters are the packets by what became of them.
type DecapCounters struct {
	Other   uint64 `json:"other"`    // no tunnel packets for this host
	IPIP    uint64 `json:"ipip"`     // taken out of an IP packet
	GUE     uint64 `json:"gue"`      // taken out of a UDP packet
	NotFrom uint64 `json:"not_from"` // tunnel packets from somebody else than the balancers
	NotVIP  uint64 `json:"not_vip"`  // packets inside were for none of the addresses
	Odd     uint64 `json:"odd"`      // fragments, options, GUE headers with fields of their own
}

// Decap ends tunnels on one interface, as long as it is open: nothing is pinned, and when the process is gone the
// program is.
type Decap struct {
	cfg  DecapConfig
	objs bpf.DecapObjects
	link link.Link
}

// OpenDecap loads the program and attaches it. Tunnels end at the addresses that the host has then, and at those that
// Refresh finds later.
func OpenDecap(cfg DecapConfig) (*Decap, error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, hint("raising the limit of locked memory", err)
	}
	dev, err := netlink.LinkByName(cfg.Interface)
	if err != nil {
		return nil, fmt.Errorf("attaching XDP to %s: %w", cfg.Interface, ErrInterface)
	}
	d, err := loadDecap(cfg)
	if err != nil {
		return nil, err
	}
	if d.link, err = attachNew(d.objs.Decap, dev, cfg.Mode); err != nil {
		return nil, errors.Join(fmt.Errorf("attaching XDP to %s: %w", cfg.Interface, err), d.objs.Close())
	}
	return d, nil
}

func loadDecap(cfg DecapConfig) (*Decap, error) {
	spec, err := bpf.LoadDecap()
	if err != nil {
		return nil, fmt.Errorf("reading the built-in BPF object: %w", err)
	}
	for name, value := range map[string]any{
		"gue_port": networkOrder(cfg.GUEPort), "end_ipip": cfg.IPIP, "any_source": len(cfg.From) == 0,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return nil, fmt.Errorf("setting %s: %w", name, err)
		}
	}
	d := &Decap{cfg: cfg}
	if err := spec.LoadAndAssign(&d.objs, nil); err != nil {
		return nil, hint("loading the XDP program", err)
	}
	if err := d.fill(); err != nil {
		return nil, errors.Join(err, d.objs.Close())
	}
	return d, nil
}

func (d *Decap) fill() error {
	for _, p := range d.cfg.From {
		bits := p.Bits()
		if p.Addr().Is4() {
			bits += 96
		}
		key := bpf.DecapPrefix{Length: uint32(bits), Address: bpf.DecapAddress{V: p.Masked().Addr().As16()}}
		if err := d.objs.Sources.Put(key, uint8(1)); err != nil {
			return fmt.Errorf("allowing %s: %w", p, err)
		}
	}
	if err := setAddresses(d.objs.DecapMaps.Vips, d.cfg.VIPs); err != nil {
		return err
	}
	return d.Refresh()
}

// Refresh reads the host's addresses again.
func (d *Decap) Refresh() error {
	list, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return fmt.Errorf("reading the addresses of this host: %w", err)
	}
	var own []netip.Addr
	for _, a := range list {
		if ip, ok := netip.AddrFromSlice(a.IP); ok {
			own = append(own, ip.Unmap())
		}
	}
	if err := setAddresses(d.objs.Ends, own); err != nil {
		return err
	}
	if len(d.cfg.VIPs) > 0 {
		return nil
	}
	return setAddresses(d.objs.DecapMaps.Vips, own)
}

// setAddresses makes a map hold these addresses and no others.
func setAddresses(m *ebpf.Map, wanted []netip.Addr) error {
	keep := map[bpf.DecapAddress]bool{}
	for _, a := range wanted {
		key := bpf.DecapAddress{V: a.As16()}
		keep[key] = true
		if err := m.Put(key, uint8(1)); err != nil {
			return fmt.Errorf("setting address %s: %w", a, err)
		}
	}
	var stale []bpf.DecapAddress
	var key bpf.DecapAddress
	var value uint8
	it := m.Iterate()
	for it.Next(&key, &value) {
		if !keep[key] {
			stale = append(stale, key)
		}
	}
	for _, key := range stale {
		if err := m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("removing an address: %w", err)
		}
	}
	return it.Err()
}

// Counters returns what became of the packets since the start.
func (d *Decap) Counters() (DecapCounters, error) {
	n, err := perCPUTotals(d.objs.DecapOutcomes)
	if err != nil {
		return DecapCounters{}, fmt.Errorf("reading counters: %w", err)
	}
	return DecapCounters{
		Other: n[bpf.DecapDecapOutcomeDECAP_OTHER], IPIP: n[bpf.DecapDecapOutcomeDECAP_IPIP], GUE: n[bpf.DecapDecapOutcomeDECAP_GUE],
		NotFrom: n[bpf.DecapDecapOutcomeDECAP_NOT_FROM], NotVIP: n[bpf.DecapDecapOutcomeDECAP_NOT_VIP], Odd: n[bpf.DecapDecapOutcomeDECAP_ODD],
	}, nil
}

// Close takes the program off the interface.
func (d *Decap) Close() error { return errors.Join(d.link.Close(), d.objs.Close()) }
