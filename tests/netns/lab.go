// SPDX-License-Identifier: Apache-2.0

// Package netns builds small networks of namespaces for tests, benchmarks and the demo.
//
// A Lab is one Ethernet segment: a bridge in a namespace of its own, and hosts that are each plugged into it by one veth
// pair. Host number n has the addresses 10.66.0.n and fd66::n. Namespaces are held by file descriptor and never named,
// so that nothing is left behind, not even when the process is killed.
package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
)

const bridgeName = "br0"

// Lab is one Ethernet segment and the hosts on it.
type Lab struct {
	segment *space // the bridge lives here, apart from every host
	bridge  netlink.Link

	mu    sync.Mutex
	hosts []*Host
}

// New makes an empty segment. It needs root.
func New() (*Lab, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("making network namespaces: needs root")
	}
	segment, err := newSpace()
	if err != nil {
		return nil, fmt.Errorf("making the segment's namespace: %w", err)
	}
	lab := &Lab{segment: segment}
	if err := lab.addBridge(); err != nil {
		segment.close()
		return nil, err
	}
	return lab, nil
}

func (l *Lab) addBridge() error {
	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridgeName}}
	// The segment only switches frames: no address of its own, and no multicast snooping, which would hold back
	// neighbour discovery for the first seconds.
	off := false
	bridge.MulticastSnooping = &off
	if err := l.segment.net.LinkAdd(bridge); err != nil {
		return fmt.Errorf("adding the bridge: %w", err)
	}
	if err := l.segment.net.LinkSetUp(bridge); err != nil {
		return fmt.Errorf("setting the bridge up: %w", err)
	}
	l.bridge = bridge
	return nil
}

// Host plugs a new host into the segment: eth0 with 10.66.0.n/24 and fd66::n/64, checksums made in software, and
// lo up. The bridge's end of the cable passes frames through an XDP program, without which a frame that the host sends
// by XDP_TX or redirect would be dropped by veth.
func (l *Lab) Host(name string, n uint8) (*Host, error) {
	sp, err := newSpace()
	if err != nil {
		return nil, fmt.Errorf("making host %s: %w", name, err)
	}
	h := &Host{Name: name, n: n, space: sp}
	l.mu.Lock()
	l.hosts = append(l.hosts, h)
	l.mu.Unlock()
	if err := l.plug(h); err != nil {
		return nil, fmt.Errorf("making host %s: %w", name, err)
	}
	return h, nil
}

func (l *Lab) plug(h *Host) error {
	if err := h.quieten(); err != nil {
		return err
	}
	port := "to-" + h.Name
	pair := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: port, MasterIndex: l.bridge.Attrs().Index},
		PeerName:      Interface,
		PeerNamespace: netlink.NsFd(h.space.handle),
	}
	if err := l.segment.net.LinkAdd(pair); err != nil {
		return fmt.Errorf("adding the veth pair: %w", err)
	}
	if err := l.segment.run(func() error { return preparePort(port) }); err != nil {
		return err
	}
	if err := h.space.run(func() error { return checksumsInSoftware(Interface) }); err != nil {
		return err
	}
	if err := h.configure(); err != nil {
		return err
	}
	if err := waitUp(l.segment, port); err != nil {
		return err
	}
	return waitUp(h.space, Interface)
}

// waitUp waits until the interface carries frames. The kernel tells the bridge up to a second after the cable is in,
// and drops what comes before.
func waitUp(s *space, name string) error {
	for range 300 {
		link, err := s.net.LinkByName(name)
		if err != nil {
			return fmt.Errorf("finding %s: %w", name, err)
		}
		if link.Attrs().OperState == netlink.OperUp {
			return nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("waiting for %s: it does not come up", name)
}

// preparePort runs in the segment's namespace and readies the bridge's end of a cable.
func preparePort(name string) error {
	if err := checksumsInSoftware(name); err != nil {
		return err
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("finding port %s: %w", name, err)
	}
	if err := attachPass(link); err != nil {
		return err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("setting port %s up: %w", name, err)
	}
	return nil
}

// Close ends every process that was started in the lab and lets the namespaces go.
func (l *Lab) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.hosts) - 1; i >= 0; i-- {
		l.hosts[i].close()
	}
	l.hosts = nil
	l.segment.close()
}

// Addr4 returns the IPv4 address of host number n on the segment.
func Addr4(n uint8) netip.Addr { return netip.AddrFrom4([4]byte{10, 66, 0, n}) }

// Addr6 returns the IPv6 address of host number n on the segment.
func Addr6(n uint8) netip.Addr {
	a := netip.MustParseAddr("fd66::").As16()
	a[15] = n
	return netip.AddrFrom16(a)
}
