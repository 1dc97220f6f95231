// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func newLab(t *testing.T, names ...string) []*Host {
	t.Helper()
	needRoot(t)
	lab, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	var hosts []*Host
	for i, name := range names {
		h, err := lab.Host(name, uint8(i+1))
		if err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, h)
	}
	return hosts
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
}

// exchange sends one datagram from a to addr, where b listens, and returns what b reads.
func exchange(t *testing.T, a, b *Host, from, to netip.Addr) string {
	t.Helper()
	in, err := b.ListenUDP(netip.AddrPortFrom(to, 5060))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := a.ListenUDP(netip.AddrPortFrom(from, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := out.WriteToUDPAddrPort([]byte("ping"), netip.AddrPortFrom(to, 5060)); err != nil {
		t.Fatal(err)
	}
	_ = in.SetReadDeadline(time.Now().Add(3 * time.Second))
	buf := make([]byte, 100)
	n, _, err := in.ReadFromUDPAddrPort(buf)
	if err != nil {
		t.Fatalf("%s -> %s: %v", from, to, err)
	}
	return string(buf[:n])
}

func TestHostsReachEachOtherAndTheVIP(t *testing.T) {
	hosts := newLab(t, "client", "lb")
	client, lb := hosts[0], hosts[1]
	for _, vip := range []string{"192.0.2.10", "2001:db8::10"} {
		vip := netip.MustParseAddr(vip)
		gw, own := lb.Addr4(), client.Addr4()
		if vip.Is6() {
			gw, own = lb.Addr6(), client.Addr6()
		}
		if err := lb.Own(vip); err != nil {
			t.Fatal(err)
		}
		if err := client.Route(vip, gw); err != nil {
			t.Fatal(err)
		}
		for _, to := range []netip.Addr{gw, vip} {
			if got := exchange(t, client, lb, own, to); got != "ping" {
				t.Errorf("%s received %q", to, got)
			}
		}
	}
}

func TestXDPTransmitArrives(t *testing.T) {
	hosts := newLab(t, "client", "lb", "worker")
	client, lb, worker := hosts[0], hosts[1], hosts[2]
	vip := netip.MustParseAddr("192.0.2.10")
	for _, h := range []*Host{lb, worker} {
		if err := h.Own(vip); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.Route(vip, lb.Addr4()); err != nil {
		t.Fatal(err)
	}
	// Let the client resolve lb before lb bounces every frame to the worker.
	exchange(t, client, lb, client.Addr4(), vip)
	bounce(t, lb, worker)
	if got := exchange(t, client, worker, client.Addr4(), vip); got != "ping" {
		t.Errorf("worker received %q", got)
	}
}

// bounce makes lb send every frame on to the worker's MAC address by XDP_TX, in native mode.
func bounce(t *testing.T, lb, worker *Host) {
	t.Helper()
	to, err := worker.space.net.LinkByName(Interface)
	if err != nil {
		t.Fatal(err)
	}
	via, err := lb.space.net.LinkByName(Interface)
	if err != nil {
		t.Fatal(err)
	}
	ins := asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, 0, asm.Word),
		asm.LoadMem(asm.R3, asm.R1, 4, asm.Word),
		asm.Mov.Reg(asm.R4, asm.R2),
		asm.Add.Imm(asm.R4, 14),
		asm.JGT.Reg(asm.R4, asm.R3, "out"),
	}
	for i := range 6 {
		ins = append(ins,
			asm.StoreImm(asm.R2, int16(i), int64(to.Attrs().HardwareAddr[i]), asm.Byte),
			asm.StoreImm(asm.R2, int16(6+i), int64(via.Attrs().HardwareAddr[i]), asm.Byte))
	}
	ins = append(ins, asm.Mov.Imm(asm.R0, 3).WithSymbol("out"), asm.Return())
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.XDP, License: "Apache-2.0", Instructions: ins})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { prog.Close() })
	err = lb.Do(func() error { return netlink.LinkSetXdpFdWithFlags(via, prog.FD(), unix.XDP_FLAGS_DRV_MODE) })
	if err != nil {
		t.Fatal(err)
	}
	if on, err := lb.XDPAttached(Interface); err != nil || !on {
		t.Fatalf("XDPAttached = %v, %v", on, err)
	}
}

func TestProcessRunsInTheNamespaceWithTheCallersMounts(t *testing.T) {
	h := newLab(t, "one")[0]
	out, err := h.Run(Command{Path: "/bin/sh", Args: []string{"-c", "readlink /proc/self/ns/net /proc/self/ns/mnt"}}, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(out)
	ourNet, _ := os.Readlink("/proc/self/ns/net")
	ourMnt, _ := os.Readlink("/proc/self/ns/mnt")
	if len(got) != 2 || got[0] == ourNet || got[1] != ourMnt {
		t.Errorf("child sees %q; caller has %s %s", got, ourNet, ourMnt)
	}
}

func TestCloseEndsProcessGroups(t *testing.T) {
	needRoot(t)
	lab, err := New()
	if err != nil {
		t.Fatal(err)
	}
	h, err := lab.Host("one", 1)
	if err != nil {
		t.Fatal(err)
	}
	p, err := h.Start(Command{Path: "/bin/sh", Args: []string{"-c", "sleep 60 & echo started; wait"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.WaitOutput("started", 5*time.Second); err != nil {
		t.Fatal(err)
	}
	lab.Close()
	// The grandchild is init's to reap, which may take a moment.
	for range 200 {
		if err = unix.Kill(-p.PID(), 0); err == unix.ESRCH {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != unix.ESRCH {
		t.Errorf("process group after Close: %v", err)
	}
	if err := h.Do(func() error { return nil }); err != errClosed {
		t.Errorf("Do after Close: %v", err)
	}
}
