// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// ErrNoOwnAddress is a host that has none but service addresses towards a worker.
var ErrNoOwnAddress = errors.New("this host has no address of its own towards the worker")

// OwnAddress finds an address of this host that a worker can answer to: of the family of like, on the interface that
// leads to the worker, and none that taken reports, since the worker would take that for itself.
func OwnAddress(worker, like netip.Addr, taken func(netip.Addr) bool) (netip.Addr, error) {
	routes, err := netlink.RouteGet(net.IP(worker.AsSlice()))
	if err != nil || len(routes) == 0 {
		return netip.Addr{}, fmt.Errorf("finding the route to %s: %w", worker, errors.Join(ErrNoHop, err))
	}
	candidates := []net.IP{routes[0].Src}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("finding the interface to %s: %w", worker, err)
	}
	family := netlink.FAMILY_V4
	if like.Is6() {
		family = netlink.FAMILY_V6
	}
	list, err := netlink.AddrList(link, family)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("reading the addresses of %s: %w", link.Attrs().Name, err)
	}
	for _, a := range list {
		if a.Scope == int(netlink.SCOPE_UNIVERSE) {
			candidates = append(candidates, a.IP)
		}
	}
	for _, ip := range candidates {
		a, ok := netip.AddrFromSlice(ip)
		a = a.Unmap()
		if ok && a.Is4() == like.Is4() && !a.IsLinkLocalUnicast() && !taken(a) {
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%w: give %s one beside the service address", ErrNoOwnAddress, link.Attrs().Name)
}
