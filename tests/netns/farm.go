// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"fmt"
	"net/netip"
)

// Farm is the usual lab: a balancer that owns the VIPs, callers and callees that reach the VIPs by way of it, and two
// hosts for workers, which own the VIPs as well and answer past the balancer.
type Farm struct {
	*Lab
	Balancer, Callers, Callees, Worker1, Worker2 *Host
}

// NewFarm makes the hosts and their routes. Close it, whatever becomes of the rest.
func NewFarm(vips ...netip.Addr) (*Farm, error) {
	lab, err := New()
	if err != nil {
		return nil, err
	}
	f := &Farm{Lab: lab}
	if err := f.build(vips); err != nil {
		lab.Close()
		return nil, err
	}
	return f, nil
}

func (f *Farm) build(vips []netip.Addr) error {
	for _, h := range []struct {
		host **Host
		name string
		n    uint8
	}{
		{&f.Balancer, "lb", 1}, {&f.Callers, "ua", 11}, {&f.Callees, "ub", 12}, {&f.Worker1, "w1", 21}, {&f.Worker2, "w2", 22},
	} {
		host, err := f.Host(h.name, h.n)
		if err != nil {
			return err
		}
		*h.host = host
	}
	for _, vip := range vips {
		if err := f.route(vip); err != nil {
			return fmt.Errorf("bringing VIP %s in: %w", vip, err)
		}
	}
	return nil
}

func (f *Farm) route(vip netip.Addr) error {
	for _, h := range []*Host{f.Balancer, f.Worker1, f.Worker2} {
		if err := h.Own(vip); err != nil {
			return err
		}
	}
	for _, h := range []*Host{f.Callers, f.Callees} {
		if err := h.Route(vip, f.Balancer.AddrLike(vip)); err != nil {
			return err
		}
	}
	return nil
}

// AddrLike returns the host's segment address of the same IP version as another address.
func (h *Host) AddrLike(other netip.Addr) netip.Addr {
	if other.Is6() {
		return h.Addr6()
	}
	return h.Addr4()
}
