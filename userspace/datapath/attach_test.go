// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cilium/ebpf/link"

	"github.com/vishvananda/netlink"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

var testKey = steertest.Secret.Key([]byte(steertest.CallID))

func TestRealFramesReachTheLocalWorker(t *testing.T) {
	for mode, want := range map[Mode]string{ModeNative: "native", ModeGeneric: "generic", ModeAuto: "native"} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWire(t)
			d, err := w.open(t, Config{Mode: mode})
			must(t, err)
			conn := listen(t)
			must(t, d.Attach())
			if got := d.Mode(); got != want {
				t.Errorf("mode is %q, want %q", got, want)
			}
			must(t, d.Pins().Put(testKey, steertest.Pin(steertest.WorkerLocal)))
			bye := steertest.Request("BYE").String()
			w.send(t, bye)
			buf := make([]byte, 2048)
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil || string(buf[:n]) != bye || from != steertest.Client {
				t.Fatalf("worker got %q from %v (%v)", buf[:n], from, err)
			}
			if p, ok := d.Pins().Get(testKey); !ok || p.State != steer.StateEnded || p.EndNS == 0 || p.EndNS > Now() {
				t.Errorf("pin is %+v", p)
			}
			must(t, d.Detach())
			gone(t, w.pinPath)
			if attached(t, near) {
				t.Error("XDP is still attached")
			}
		})
	}
}

func TestFramesGoBackOutByL2(t *testing.T) {
	for _, mode := range []Mode{ModeNative, ModeGeneric} {
		t.Run(string(mode), func(t *testing.T) {
			w := newWire(t)
			peer, err := link.AttachXDP(link.XDPOptions{Program: passAll(t), Interface: w.far.Attrs().Index})
			must(t, err)
			defer peer.Close()
			d, err := w.open(t, Config{Mode: mode})
			must(t, err)
			defer d.Detach()
			must(t, d.SetWorker(steertest.WorkerTX, Worker{
				Forward: steer.ForwardL2, IfIndex: uint32(w.near.Attrs().Index), DstMAC: steertest.WorkerMAC, SrcMAC: steertest.OwnMAC,
			}))
			must(t, d.Pins().Put(testKey, steertest.Pin(steertest.WorkerTX)))
			must(t, d.Attach())
			bye := steertest.Request("BYE").String()
			w.send(t, bye)
			frame := w.receive(t, steertest.WorkerMAC)
			if [6]byte(frame[6:12]) != steertest.OwnMAC || !bytes.HasSuffix(frame, []byte(bye)) {
				t.Errorf("worker got %q", frame)
			}
		})
	}
}

func TestRestartKeepsLinkPinsAndCounters(t *testing.T) {
	w := newWire(t)
	first, err := w.open(t, Config{Mode: ModeNative})
	must(t, err)
	must(t, first.Attach())
	must(t, first.Pins().Put(testKey, steertest.Pin(steertest.WorkerLocal)))
	must(t, first.Pins().PutCall(testKey, CallInfo{CallID: steertest.CallID, From: "sip:bob@biloxi.example.com"}))
	info, err := first.links[near].link.Info()
	must(t, err)
	must(t, first.Close())

	// Nobody runs, and a call goes on.
	conn := listen(t)
	w.send(t, steertest.Request("INFO").String())
	_, _, err = conn.ReadFromUDPAddrPort(make([]byte, 2048))
	must(t, err)

	second, err := w.open(t, Config{Mode: ModeAuto})
	must(t, err)
	must(t, second.Attach())
	now, err := second.links[near].link.Info()
	must(t, err)
	if now.ID != info.ID || now.Program == info.Program {
		t.Errorf("link %d with program %d became link %d with program %d; want another program on the same link", info.ID, info.Program, now.ID, now.Program)
	}
	if p, ok := second.Pins().Get(testKey); !ok || p.Requests != 1 {
		t.Errorf("pin is %+v (%v), want one request", p, ok)
	}
	if c, ok := second.Pins().GetCall(testKey); !ok || c.CallID != steertest.CallID || c.From != "sip:bob@biloxi.example.com" || c.To != "" {
		t.Errorf("call is %+v (%v)", c, ok)
	}
	if counters(t, second)[steer.SteerLocal] != 1 {
		t.Error("the counter started again")
	}
	must(t, second.Detach())
	gone(t, w.pinPath)
}

func TestAnotherModeAttachesAnew(t *testing.T) {
	w := newWire(t)
	for _, mode := range []Mode{ModeGeneric, ModeAuto, ModeNative, ModeGeneric} {
		d, err := w.open(t, Config{Mode: mode})
		must(t, err)
		must(t, d.Attach())
		want := string(mode)
		if mode == ModeAuto {
			want = "generic" // as the pinned link is
		}
		if got := d.Mode(); got != want {
			t.Errorf("asked for %s, got %s", mode, got)
		}
		must(t, d.Close())
	}
}

func TestAttachFailsInWordsAndUndoes(t *testing.T) {
	w := newWire(t)
	other, err := link.AttachXDP(link.XDPOptions{Program: passAll(t), Interface: w.far.Attrs().Index})
	must(t, err)
	defer other.Close()
	for _, c := range []struct {
		name       string
		interfaces []string
		mode       Mode
		want       error
		word       string
	}{
		{"no such interface", []string{near, "none0"}, ModeAuto, ErrInterface, "none0"},
		{"no native XDP", []string{near, "lo"}, ModeNative, ErrNoNative, "generic"},
		{"another program", []string{near, far}, ModeAuto, ErrBusy, "xdp off"},
	} {
		// No subtest: it would run on a thread outside the namespace.
		d, err := w.open(t, Config{Interfaces: c.interfaces, Mode: c.mode})
		must(t, err)
		err = d.Attach()
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
		if attached(t, near) || d.Mode() != "off" {
			t.Errorf("%s: the first interface was not undone", c.name)
		}
		must(t, d.Close())
		gone(t, w.pinPath)
	}
}

func TestFailedTakeoverLeavesTheOldProgram(t *testing.T) {
	w := newWire(t)
	first, err := w.open(t, Config{Mode: ModeAuto})
	must(t, err)
	must(t, first.Attach())
	must(t, first.Close())
	defer Remove(w.pinPath)
	before := running(t, near)
	second, err := w.open(t, Config{Mode: ModeAuto, Interfaces: []string{near, "none0"}})
	must(t, err)
	if err := second.Attach(); !errors.Is(err, ErrInterface) {
		t.Fatalf("got %v", err)
	}
	must(t, second.Close())
	if now := running(t, near); now != before || now == 0 {
		t.Errorf("program %d runs, want %d", now, before)
	}
	if _, err := os.Stat(w.pinPath); err != nil {
		t.Error("the pins of the daemon before are gone")
	}
}

// running is the number of the program on an interface.
func running(t *testing.T, name string) uint32 {
	t.Helper()
	dev, err := netlink.LinkByName(name)
	must(t, err)
	if x := dev.Attrs().Xdp; x != nil {
		return x.ProgId
	}
	return 0
}

func TestOneDaemonADirectory(t *testing.T) {
	w := newWire(t)
	first, err := w.open(t, Config{Mode: ModeAuto})
	must(t, err)
	must(t, first.Attach())
	if _, err := w.open(t, Config{Mode: ModeAuto}); !errors.Is(err, ErrInUse) {
		t.Errorf("a second daemon: got %v", err)
	}
	if err := Remove(w.pinPath); !errors.Is(err, ErrInUse) || !attached(t, near) {
		t.Errorf("removing what a daemon uses: got %v", err)
	}
	must(t, first.Close())
	must(t, Remove(w.pinPath))
	if attached(t, near) {
		t.Error("still attached")
	}
}

func TestGenericOnLoopback(t *testing.T) {
	w := newWire(t)
	d, err := w.open(t, Config{Mode: ModeAuto, Interfaces: []string{"lo", near}})
	must(t, err)
	must(t, d.Attach())
	if got := d.Mode(); got != "mixed (lo generic, "+near+" native)" {
		t.Errorf("mode is %q", got)
	}
	must(t, d.Detach())
	if attached(t, "lo") || attached(t, near) {
		t.Error("XDP is still attached")
	}
}

func TestPinPathOffTheBPFFileSystemIsRefused(t *testing.T) {
	needRoot(t)
	if _, err := Open(Config{Mode: ModeAuto, PinPath: t.TempDir()}); !errors.Is(err, ErrBPFFS) {
		t.Errorf("got %v, want ErrBPFFS", err)
	}
}

func TestNoDescriptorIsLeaked(t *testing.T) {
	w := newWire(t)
	descriptors := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		return len(entries)
	}
	cycle := func() {
		for range 2 { // the second takes over from the first
			d, err := w.open(t, Config{Mode: ModeNative})
			must(t, err)
			must(t, d.Attach())
			must(t, d.Close())
		}
		must(t, Remove(w.pinPath))
	}
	cycle()
	before := descriptors()
	cycle()
	if after := descriptors(); after != before {
		t.Errorf("%d descriptors before, %d after", before, after)
	}
}
