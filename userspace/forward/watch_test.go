// SPDX-License-Identifier: Apache-2.0

package forward

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// alone moves the test's thread into a network namespace with one cable, up and with addresses. The thread ends with
// the test, and the namespace with it.
func alone(t *testing.T) netlink.Link {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not supported here: needs root")
	}
	runtime.LockOSThread()
	ns, err := netns.New()
	must(t, err)
	t.Cleanup(func() { _ = ns.Close() })
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "near", MTU: 1400}, PeerName: "far"}))
	for _, name := range []string{"far", "near"} {
		dev, err := netlink.LinkByName(name)
		must(t, err)
		must(t, netlink.LinkSetUp(dev))
	}
	dev, err := netlink.LinkByName("near")
	must(t, err)
	addr, err := netlink.ParseAddr("10.0.0.1/24")
	must(t, err)
	must(t, netlink.AddrAdd(dev, addr))
	return dev
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func setNeighbour(t *testing.T, dev netlink.Link, addr string, mac steer.MAC) {
	t.Helper()
	must(t, netlink.NeighSet(&netlink.Neigh{
		LinkIndex: dev.Attrs().Index, IP: net.ParseIP(addr), HardwareAddr: mac[:], State: netlink.NUD_PERMANENT,
	}))
}

func TestFindsTheWay(t *testing.T) {
	dev := alone(t)
	first := steer.MAC{2, 0, 0, 0, 0, 9}
	setNeighbour(t, dev, "10.0.0.2", first)
	_, remote, err := net.ParseCIDR("203.0.113.0/24")
	must(t, err)
	must(t, netlink.RouteAdd(&netlink.Route{Dst: remote, Gw: net.ParseIP("10.0.0.2"), MTU: 1300}))

	direct, _, err := Find(Target{Forward: steer.ForwardL2, Address: netip.MustParseAddr("10.0.0.2")})
	if err != nil || direct.DstMAC != first || direct.MTU != 1400 || direct.IfIndex != uint32(dev.Attrs().Index) {
		t.Errorf("l2 on the link: %+v, %v", direct, err)
	}
	far := netip.MustParseAddr("203.0.113.5")
	if _, _, err := Find(Target{Forward: steer.ForwardL2, Address: far}); !errors.Is(err, ErrNotOnLink) {
		t.Errorf("l2 behind a router: %v", err)
	}
	tunnel, via, err := Find(Target{Forward: steer.ForwardIPIP, Address: far, Source: netip.MustParsePrefix("10.9.0.0/20")})
	if err != nil || tunnel.DstMAC != first || tunnel.MTU != 1300 || tunnel.Spread != 0xfff || tunnel.Dst != far ||
		tunnel.Src != netip.MustParseAddr("10.9.0.0") || via != netip.MustParseAddr("10.0.0.2") {
		t.Errorf("ipip behind a router: %+v by %s, %v", tunnel, via, err)
	}
	own, _, err := Find(Target{Forward: steer.ForwardGUE, Address: far, Port: 6080})
	if err != nil || own.Src != netip.MustParseAddr("10.0.0.1") || own.Spread != 0 || own.Port != 6080 {
		t.Errorf("gue without a source: %+v, %v", own, err)
	}
	if _, _, err := Find(Target{Forward: steer.ForwardL2, Address: netip.MustParseAddr("10.0.0.3")}); !errors.Is(err, ErrNoHop) {
		t.Errorf("a neighbour that is not there: %v", err)
	}
}

// The neighbour's new address has to be known before the slow look could find it.
func TestWatchFollowsTheNeighbour(t *testing.T) {
	dev := alone(t)
	macs := []steer.MAC{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}
	setNeighbour(t, dev, "10.0.0.2", macs[0])
	m, err := OpenMonitor()
	must(t, err)
	defer m.Close()
	ways := make(chan steer.MAC, 16)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	here, err := netns.Get()
	must(t, err)
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock: the thread stays in this namespace
		if err := netns.Set(here); err != nil {
			t.Error(err)
			return
		}
		m.Watch(ctx, Target{Forward: steer.ForwardL2, Address: netip.MustParseAddr("10.0.0.2")}, func(w *steer.Worker, _ error) {
			if w != nil {
				ways <- w.DstMAC
			} else {
				ways <- steer.MAC{}
			}
		})
	}()
	expect := func(want steer.MAC, within time.Duration) {
		t.Helper()
		begun := time.Now()
		select {
		case got := <-ways:
			if got != want {
				t.Fatalf("told of %x, want %x", got, want)
			}
			t.Logf("told after %s", time.Since(begun))
		case <-time.After(within):
			t.Fatalf("not told of %x within %s", want, within)
		}
	}
	expect(macs[0], time.Second)
	for i := range 6 {
		setNeighbour(t, dev, "10.0.0.2", macs[(i+1)%2])
		expect(macs[(i+1)%2], 100*time.Millisecond)
	}
	must(t, netlink.LinkSetDown(dev))
	expect(steer.MAC{}, 500*time.Millisecond)
	cancel()
	<-done
}
