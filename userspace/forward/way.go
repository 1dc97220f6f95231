// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Errors of Find.
var (
	// ErrNoHop is a worker whose address has no known next hop (yet).
	ErrNoHop = errors.New("no next hop is known")
	// ErrNotOnLink is an l2 worker behind a router.
	ErrNotOnLink = errors.New("an l2 worker has to be in the same segment; use forward: ipip or gue")
)

// usable are the neighbour states in which the kernel itself would send.
const usable = netlink.NUD_REACHABLE | netlink.NUD_STALE | netlink.NUD_DELAY |
	netlink.NUD_PROBE | netlink.NUD_PERMANENT | netlink.NUD_NOARP

// Target is a worker on another host, as the configuration has it.
type Target struct {
	Forward steer.Forward // ForwardL2, ForwardIPIP or ForwardGUE
	Address netip.Addr
	Source  netip.Prefix // tunnels: outer source; its host bits differ by call. Not valid: the route's own
	Port    uint16       // gue: where the tunnel ends
}

// Find looks the way to a worker up in the kernel's tables of routes, links and
// neighbours. via is the neighbour that the way leads over, also when the error
// is ErrNoHop because it has not answered.
func Find(t Target) (way steer.Worker, via netip.Addr, err error) {
	routes, err := netlink.RouteGet(net.IP(t.Address.AsSlice()))
	if err != nil || len(routes) == 0 {
		return way, via, fmt.Errorf("finding the route to %s: %w", t.Address, errors.Join(ErrNoHop, err))
	}
	route := routes[0]
	via = t.Address
	if gw, ok := netip.AddrFromSlice(route.Gw); ok {
		via = gw.Unmap()
	}
	if t.Forward == steer.ForwardL2 && via != t.Address {
		return way, via, fmt.Errorf("worker %s is behind router %s: %w", t.Address, via, ErrNotOnLink)
	}
	link, err := netlink.LinkByIndex(route.LinkIndex)
	if err != nil {
		return way, via, fmt.Errorf("finding the interface to %s: %w", t.Address, err)
	}
	way = steer.Worker{Forward: t.Forward, Port: t.Port, MTU: mtu(link.Attrs().MTU, route.MTU)}
	if way.SrcMAC, err = hardware(link.Attrs()); err != nil {
		return way, via, fmt.Errorf("finding the way to %s: %w", t.Address, err)
	}
	if t.Forward != steer.ForwardL2 {
		t.setOuter(&way, route.Src)
	}
	if way.DstMAC, err = neighbour(link.Attrs(), via); err != nil {
		return way, via, err
	}
	return way, via, setLink(&way, link)
}

// setOuter fills in the outer addresses.
func (t Target) setOuter(way *steer.Worker, preferred net.IP) {
	way.Dst = t.Address
	way.Src = t.Source.Masked().Addr()
	if !t.Source.IsValid() {
		src, _ := netip.AddrFromSlice(preferred)
		way.Src = src.Unmap()
		return
	}
	// The kernel program writes 16 bits; a wider range has zeros before them.
	bits := min(t.Address.BitLen()-t.Source.Bits(), 16)
	way.Spread = uint16(1<<bits - 1)
}

func mtu(link, route int) uint16 {
	if route > 0 && route < link {
		link = route
	}
	return uint16(min(link, math.MaxUint16))
}

// setLink finds the interface that frames leave by: where the route's one is a
// VLAN, the one below it, with the tags that it would add.
func setLink(way *steer.Worker, link netlink.Link) error {
	var tags []steer.VLANTag
	for {
		vlan, ok := link.(*netlink.Vlan)
		if !ok {
			break
		}
		if len(tags) == len(way.Tags) {
			return fmt.Errorf("worker %s is behind more than two VLAN tags: %w", way.Dst, ErrNoHop)
		}
		tag := steer.VLANTag{Protocol: uint16(vlan.VlanProtocol), Tag: uint16(vlan.VlanId)}
		if tag.Protocol == 0 {
			tag.Protocol = uint16(netlink.VLAN_PROTOCOL_8021Q)
		}
		tags = append([]steer.VLANTag{tag}, tags...)
		below, err := netlink.LinkByIndex(vlan.Attrs().ParentIndex)
		if err != nil {
			return fmt.Errorf("finding the interface below %s: %w", vlan.Attrs().Name, err)
		}
		link = below
	}
	copy(way.Tags[:], tags)
	way.IfIndex = uint32(link.Attrs().Index)
	return nil
}

func hardware(a *netlink.LinkAttrs) (steer.MAC, error) {
	if len(a.HardwareAddr) != 6 || a.Flags&net.FlagLoopback != 0 {
		return steer.MAC{}, fmt.Errorf("%s is no Ethernet interface: %w", a.Name, ErrNoHop)
	}
	return steer.MAC(a.HardwareAddr), nil
}

func neighbour(link *netlink.LinkAttrs, addr netip.Addr) (steer.MAC, error) {
	family := netlink.FAMILY_V6
	if addr.Is4() {
		family = netlink.FAMILY_V4
	}
	list, err := netlink.NeighList(link.Index, family)
	if err != nil {
		return steer.MAC{}, fmt.Errorf("reading the neighbours on %s: %w", link.Name, err)
	}
	for _, n := range list {
		if n.IP.Equal(addr.AsSlice()) && n.State&usable != 0 && len(n.HardwareAddr) == 6 {
			return steer.MAC(n.HardwareAddr), nil
		}
	}
	return steer.MAC{}, fmt.Errorf("neighbour %s on %s does not answer: %w", addr, link.Name, ErrNoHop)
}
