// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// Sockets of the same host leave the checksum to the device, so that XDP meets half of one; the packet must still
// arrive when its port was rewritten.
func TestPacketsWithPartialChecksumsArrive(t *testing.T) {
	bye := steertest.Request("BYE").String()
	for _, c := range []struct {
		name string
		mode Mode
		on   string
		vip  netip.AddrPort
	}{
		{"loopback", ModeGeneric, "lo", netip.MustParseAddrPort("127.0.0.1:5060")},
		{"loopback, IPv6", ModeGeneric, "lo", netip.MustParseAddrPort("[::1]:5060")},
		{"veth native", ModeNative, near, steertest.VIP},
		{"veth generic", ModeGeneric, near, steertest.VIP},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWire(t)
			d, err := w.open(t, Config{Mode: c.mode, Interfaces: []string{c.on}})
			must(t, err)
			defer d.Detach()
			must(t, d.SetService(c.vip, Service{ID: 1, Kind: steer.ServiceVIP, Secret: steertest.Secret}))
			must(t, d.Pins().Put(testKey, steertest.Pin(steertest.WorkerLocal)))
			must(t, d.Attach())

			conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.vip.Addr(), steertest.LocalPort)))
			must(t, err)
			defer conn.Close()
			must(t, conn.SetReadDeadline(time.Now().Add(3*time.Second)))
			if c.on == near {
				enterFarSide(t, w)
			}
			client, err := net.Dial("udp", c.vip.String())
			must(t, err)
			defer client.Close()
			_, err = client.Write([]byte(bye))
			must(t, err)
			buf := make([]byte, 2048)
			if n, _, err := conn.ReadFromUDPAddrPort(buf); err != nil || string(buf[:n]) != bye {
				t.Fatalf("worker got %q (%v)", buf[:n], err)
			}
			if got := counters(t, d)[steer.SteerLocal]; got != 1 {
				t.Errorf("steered %d packets, want 1", got)
			}
		})
	}
}

// enterFarSide takes the far end, and the test with it, into a namespace of its own. newWire's cleanup leads home.
func enterFarSide(t *testing.T, w *wire) {
	t.Helper()
	back, err := netns.Get()
	must(t, err)
	other, err := netns.New()
	must(t, err)
	must(t, netns.Set(back))
	must(t, netlink.LinkSetNsFd(w.far, int(other)))
	must(t, netns.Set(other))
	t.Cleanup(func() {
		must(t, netns.Set(back))
		_ = other.Close()
		_ = back.Close()
	})
	dev := linkNamed(t, far)
	must(t, netlink.AddrAdd(dev, mustAddr(t, "192.0.2.77/24")))
	must(t, netlink.LinkSetUp(dev))
}

// To another host such a packet would arrive with half a checksum: it goes up instead, where the hand-over makes a new one.
func TestPacketsWithPartialChecksumsGoUpBeforeTheyLeave(t *testing.T) {
	for _, mode := range []Mode{ModeNative, ModeGeneric} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWire(t)
			d, err := w.open(t, Config{Mode: mode})
			must(t, err)
			defer d.Detach()
			worker := steertest.Workers()[steertest.WorkerIPIP4]
			worker.IfIndex = uint32(w.near.Attrs().Index)
			must(t, d.SetWorker(steertest.WorkerIPIP4, worker))
			must(t, d.Pins().Put(testKey, steertest.Pin(steertest.WorkerIPIP4)))
			must(t, d.Attach())
			conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(steertest.VIP))
			must(t, err)
			defer conn.Close()
			must(t, conn.SetReadDeadline(time.Now().Add(3*time.Second)))
			enterFarSide(t, w)
			client, err := net.Dial("udp", steertest.VIP.String())
			must(t, err)
			defer client.Close()
			bye := steertest.Request("BYE").String()
			_, err = client.Write([]byte(bye))
			must(t, err)
			buf := make([]byte, 2048)
			if n, _, err := conn.ReadFromUDPAddrPort(buf); err != nil || string(buf[:n]) != bye {
				t.Fatalf("the control plane got %q (%v)", buf[:n], err)
			}
			if got := counters(t, d)[steer.PassPartialChecksum]; got != 1 {
				t.Errorf("%d packets passed up for their checksum, want 1", got)
			}
		})
	}
}
