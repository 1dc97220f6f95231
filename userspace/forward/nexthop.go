// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
)

const (
	// pokeEvery is how often a next hop is looked at again without an event.
	pokeEvery = time.Second
	// settle is how long a worker may take to be found before it is said to be
	// gone: what an earlier daemon knew of it stands that long.
	settle = time.Second
	// usable are the neighbour states in which the kernel itself would send.
	usable = netlink.NUD_REACHABLE | netlink.NUD_STALE | netlink.NUD_DELAY |
		netlink.NUD_PROBE | netlink.NUD_PERMANENT | netlink.NUD_NOARP
)

// ResolveHop finds the next hop to addr in the route and neighbour tables. It
// returns ErrNoHop while the neighbour has not answered.
func ResolveHop(addr netip.Addr) (Hop, error) {
	ip := net.IP(addr.AsSlice())
	routes, err := netlink.RouteGet(ip)
	if err != nil || len(routes) == 0 {
		return Hop{}, fmt.Errorf("finding the route to %s: %w", addr, errors.Join(ErrNoHop, err))
	}
	link, err := netlink.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return Hop{}, fmt.Errorf("finding the interface to %s: %w", addr, err)
	}
	via := ip
	if gw := routes[0].Gw; gw != nil {
		via = gw
	}
	attrs := link.Attrs()
	hop := Hop{IfIndex: attrs.Index, MTU: attrs.MTU}
	src, ok := hardware(attrs.HardwareAddr)
	if !ok {
		return Hop{}, fmt.Errorf("worker %s is behind %s, which is no Ethernet interface: %w", addr, attrs.Name, ErrNoHop)
	}
	hop.Src = src
	if hop.Dst, ok = neighbour(attrs.Index, via); !ok {
		return Hop{}, fmt.Errorf("neighbour %s on %s does not answer: %w", via, attrs.Name, ErrNoHop)
	}
	return hop, nil
}

func neighbour(ifindex int, ip net.IP) (mac [6]byte, ok bool) {
	family := netlink.FAMILY_V6
	if ip.To4() != nil {
		family = netlink.FAMILY_V4
	}
	list, err := netlink.NeighList(ifindex, family)
	if err != nil {
		return mac, false
	}
	for _, n := range list {
		if n.IP.Equal(ip) && n.State&usable != 0 {
			return hardware(n.HardwareAddr)
		}
	}
	return mac, false
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

// Watch keeps the next hop to addr current until ctx ends: it calls set when the
// hop is found or has not been after a second, and whenever it changes, with nil
// while there is none.
func Watch(ctx context.Context, addr netip.Addr, set func(*Hop)) {
	var last *Hop
	first, begun := true, time.Now()
	tick := time.NewTicker(pokeEvery)
	defer tick.Stop()
	for {
		hop, err := ResolveHop(addr)
		switch {
		case err != nil && (last != nil || first && time.Since(begun) > settle):
			last, first = nil, false
			set(nil)
		case err == nil && (last == nil || *last != hop):
			last, first = &hop, false
			set(last)
		}
		poke(addr)
		wait := tick.C
		if last == nil {
			wait = time.After(100 * time.Millisecond)
		}
		select {
		case <-ctx.Done():
			return
		case <-wait:
		}
	}
}
