// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Interface is the name of every host's cable into the segment.
const Interface = "eth0"

// Host is one machine of the lab.
type Host struct {
	Name string

	n     uint8
	space *space

	mu    sync.Mutex
	procs []*Process
}

// Addr4 returns the host's IPv4 address on the segment.
func (h *Host) Addr4() netip.Addr { return Addr4(h.n) }

// Addr6 returns the host's IPv6 address on the segment.
func (h *Host) Addr6() netip.Addr { return Addr6(h.n) }

// Do runs f on a thread inside the host's namespace. Sockets that f opens stay in it.
func (h *Host) Do(f func() error) error { return h.space.run(f) }

// ListenUDP opens a UDP socket in the host's namespace.
func (h *Host) ListenUDP(addr netip.AddrPort) (*net.UDPConn, error) {
	var conn *net.UDPConn
	err := h.Do(func() (err error) {
		conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
		return err
	})
	return conn, err
}

// Sysctl sets one value under /proc/sys/net of the host, as in Sysctl("ipv4/ip_forward", "1").
func (h *Host) Sysctl(key, value string) error {
	return h.Do(func() error {
		if err := os.WriteFile("/proc/sys/net/"+key, []byte(value), 0o644); err != nil {
			return fmt.Errorf("setting sysctl %s: %w", key, err)
		}
		return nil
	})
}

// quieten sets what has to be set before the first interface appears: addresses are usable at once, answers may leave
// by another way than the questions came, and an address on lo is not answered for on the segment.
func (h *Host) quieten() error {
	for _, s := range [][2]string{
		{"ipv6/conf/default/accept_dad", "0"},
		{"ipv6/conf/all/accept_dad", "0"},
		{"ipv6/conf/default/accept_ra", "0"},
		{"ipv4/conf/default/rp_filter", "0"},
		{"ipv4/conf/all/rp_filter", "0"},
		{"ipv4/conf/all/arp_ignore", "1"},
		{"ipv4/conf/all/arp_announce", "2"},
	} {
		if err := h.Sysctl(s[0], s[1]); err != nil {
			return err
		}
	}
	return nil
}

func (h *Host) configure() error {
	lo, err := h.space.net.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding lo: %w", err)
	}
	eth, err := h.space.net.LinkByName(Interface)
	if err != nil {
		return fmt.Errorf("finding %s: %w", Interface, err)
	}
	for _, link := range []netlink.Link{lo, eth} {
		if err := h.space.net.LinkSetUp(link); err != nil {
			return fmt.Errorf("setting %s up: %w", link.Attrs().Name, err)
		}
	}
	if err := h.addAddr(eth, netip.PrefixFrom(h.Addr4(), 24)); err != nil {
		return err
	}
	return h.addAddr(eth, netip.PrefixFrom(h.Addr6(), 64))
}

func (h *Host) addAddr(link netlink.Link, p netip.Prefix) error {
	a := &netlink.Addr{IPNet: ipNet(p), Flags: unix.IFA_F_NODAD}
	if err := h.space.net.AddrAdd(link, a); err != nil {
		return fmt.Errorf("adding %s to %s: %w", p, link.Attrs().Name, err)
	}
	return h.waitLocal(p.Addr())
}

// waitLocal waits until the host takes packets for its new address: for IPv6 a kernel worker makes it so, later.
func (h *Host) waitLocal(addr netip.Addr) error {
	for range 300 {
		routes, err := h.space.net.RouteGet(addr.AsSlice())
		if err == nil && len(routes) > 0 && routes[0].Type == unix.RTN_LOCAL {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("waiting for %s on %s: it does not become usable", addr, h.Name)
}

// Own puts an address on the host's loopback, as a balancer or a direct-server-return worker owns the VIP.
func (h *Host) Own(vip netip.Addr) error {
	lo, err := h.space.net.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("finding lo: %w", err)
	}
	return h.addAddr(lo, netip.PrefixFrom(vip, vip.BitLen()))
}

// Route sends the traffic for one address by way of another host.
func (h *Host) Route(to netip.Addr, via netip.Addr) error {
	r := &netlink.Route{Dst: ipNet(netip.PrefixFrom(to, to.BitLen())), Gw: via.AsSlice()}
	if err := h.space.net.RouteAdd(r); err != nil {
		return fmt.Errorf("routing %s by %s: %w", to, via, err)
	}
	return nil
}

// XDPAttached tells whether an XDP program is attached to the host's interface of that name.
func (h *Host) XDPAttached(name string) (bool, error) {
	id, err := h.XDPProgram(name)
	return id != 0, err
}

// XDPProgram returns the id of the XDP program on the host's interface of that name, 0 when there is none.
func (h *Host) XDPProgram(name string) (uint32, error) {
	link, err := h.space.net.LinkByName(name)
	if err != nil {
		return 0, fmt.Errorf("finding %s: %w", name, err)
	}
	if xdp := link.Attrs().Xdp; xdp != nil && xdp.Attached {
		return xdp.ProgId, nil
	}
	return 0, nil
}

func (h *Host) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.procs) - 1; i >= 0; i-- {
		h.procs[i].Kill()
	}
	h.procs = nil
	h.space.close()
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
