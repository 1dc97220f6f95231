// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// The interface that the datapath sits on, and its other end, from where frames come.
const (
	near = "sip0.1" // with a dot, as VLAN interfaces have
	far  = "wire0"
)

// wire is a network namespace of the test's own with a veth pair in it.
type wire struct {
	near, far netlink.Link
	socket    int // AF_PACKET on far
	pinPath   string
}

// newWire moves the test's thread into a new network namespace; everything in it goes with the test.
func newWire(t *testing.T) *wire {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread()
	home, err := netns.Get()
	if err != nil {
		t.Fatal(err)
	}
	inside, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{pinPath: filepath.Join(bpffsRoot, fmt.Sprintf("sipsteer-test-%d-%s", os.Getpid(), strings.NewReplacer("/", "-", ".", "-").Replace(t.Name())))}
	t.Cleanup(func() {
		if err := Remove(w.pinPath); err != nil {
			t.Error(err)
		}
		_ = inside.Close()
		if err := netns.Set(home); err != nil {
			t.Fatal(err)
		}
		_ = home.Close()
		runtime.UnlockOSThread()
	})
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: near}, PeerName: far}))
	for _, name := range []string{"lo", near, far} {
		must(t, netlink.LinkSetUp(linkNamed(t, name)))
	}
	w.near, w.far = linkNamed(t, near), linkNamed(t, far)
	must(t, netlink.AddrAdd(w.near, mustAddr(t, steertest.VIP.Addr().String()+"/24")))
	must(t, netlink.RouteAdd(&netlink.Route{LinkIndex: w.near.Attrs().Index, Scope: netlink.SCOPE_LINK, Dst: mustAddr(t, "198.51.100.0/24").IPNet}))
	w.openSocket(t)
	return w
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustAddr(t *testing.T, s string) *netlink.Addr {
	t.Helper()
	a, err := netlink.ParseAddr(s)
	must(t, err)
	return a
}

func linkNamed(t *testing.T, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	must(t, err)
	return l
}

func (w *wire) openSocket(t *testing.T) {
	t.Helper()
	all := int(networkOrder(unix.ETH_P_ALL))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
	must(t, err)
	t.Cleanup(func() { _ = unix.Close(fd) })
	must(t, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: w.far.Attrs().Index}))
	must(t, unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 2}))
	w.socket = fd
}

// send puts a SIP message for the VIP on the wire.
func (w *wire) send(t *testing.T, payload string) {
	t.Helper()
	frame := steertest.Packet{Src: steertest.Client, Dst: steertest.VIP, Payload: payload}.Frame()
	copy(frame, w.near.Attrs().HardwareAddr)
	_, err := unix.Write(w.socket, frame)
	must(t, err)
}

// receive waits for a frame to the MAC address on the far end.
func (w *wire) receive(t *testing.T, to [6]byte) []byte {
	t.Helper()
	buf := make([]byte, 1<<16)
	for {
		n, err := unix.Read(w.socket, buf)
		if err != nil {
			t.Fatalf("waiting for a frame to %x: %v", to, err)
		}
		if n >= 14 && [6]byte(buf[:6]) == to {
			return buf[:n]
		}
	}
}

// listen opens the local worker's socket.
func listen(t *testing.T) *net.UDPConn {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: steertest.VIP.Addr().AsSlice(), Port: steertest.LocalPort})
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	must(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
	return conn
}

// passAll attaches a program that passes everything: a veth needs one where frames of XDP_TX arrive.
func passAll(t *testing.T) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type:         ebpf.XDP,
		AttachType:   ebpf.AttachXDP,
		Flags:        unix.BPF_F_XDP_HAS_FRAGS,
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 2), asm.Return()},
		License:      "Dual BSD/GPL",
	})
	must(t, err)
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// open opens the datapath on the near end with the tables of steertest.
func (w *wire) open(t *testing.T, cfg Config) (*Datapath, error) {
	t.Helper()
	if cfg.Interfaces == nil {
		cfg.Interfaces = []string{near}
	}
	if cfg.MaxPins == 0 {
		cfg.MaxPins = 64
	}
	cfg.PinPath = w.pinPath
	d, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	must(t, d.ReplaceServices(steertest.Services()))
	must(t, d.SetWorker(steertest.WorkerLocal, steertest.Workers()[steertest.WorkerLocal]))
	return d, nil
}

// attached reports whether any XDP program is on the near end.
func attached(t *testing.T, name string) bool {
	t.Helper()
	return modeOf(linkNamed(t, name)) != ""
}

func gone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there (%v)", path, err)
	}
}
