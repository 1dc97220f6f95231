// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// count counts the numbered frames that come back for the worker, each once.
func (w *wire) count(t *testing.T, n int) (arrived func() int) {
	t.Helper()
	must(t, unix.SetsockoptInt(w.socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20))
	must(t, unix.SetsockoptTimeval(w.socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 300_000}))
	var total atomic.Int64
	done := make(chan struct{})
	stop := make(chan struct{})
	go func() {
		defer close(done)
		seen := make([]bool, n)
		buf := make([]byte, 2048)
		for {
			size, err := unix.Read(w.socket, buf)
			if err != nil {
				select {
				case <-stop:
					return // nothing more for the time of a timeout
				default:
					continue
				}
			}
			if size < 14 || steer.MAC(buf[:6]) != steertest.WorkerMAC {
				continue
			}
			_, number, ok := strings.Cut(string(buf[:size]), "\r\nX-Number: ")
			var i int
			if _, err := fmt.Sscanf(number, "%d", &i); ok && err == nil && i < n && !seen[i] {
				seen[i] = true
				total.Add(1)
			}
		}
	}()
	return func() int { close(stop); <-done; return int(total.Load()) }
}

// load sends numbered requests of one call, about 4,000 a second, until told to stop; it returns how many.
func (w *wire) load(t *testing.T, limit int) (sent func() int) {
	t.Helper()
	stop := make(chan struct{})
	result := make(chan int)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for n := 0; ; {
			select {
			case <-stop:
				result <- n
				return
			case <-tick.C:
			}
			for i := 0; i < 4 && n < limit; i++ {
				payload := steertest.Request("INFO").Set("X-Number", fmt.Sprint(n)).String()
				frame := steertest.Packet{Src: steertest.Client, Dst: steertest.VIP, Payload: payload}.Frame()
				copy(frame, w.near.Attrs().HardwareAddr)
				if _, err := unix.Write(w.socket, frame); err == nil {
					n++
				}
			}
		}
	}()
	return func() int { close(stop); return <-result }
}

// watch looks at the interface all the time and returns how often XDP was off. It needs the test's namespace.
func watch(t *testing.T) (off func() (looks, missing int)) {
	t.Helper()
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	must(t, err)
	stop := make(chan struct{})
	result := make(chan [2]int)
	go func() {
		var looks, missing int
		for {
			select {
			case <-stop:
				result <- [2]int{looks, missing}
				return
			default:
			}
			if dev, err := h.LinkByName(near); err != nil || modeOf(dev) == "" {
				missing++
			}
			looks++
			time.Sleep(200 * time.Microsecond)
		}
	}()
	return func() (int, int) {
		close(stop)
		r := <-result
		h.Close()
		return r[0], r[1]
	}
}

// Each start loads the program anew and puts it in place of the one before; every third one has another table size.
func TestNoPacketIsLostWhileTheProgramIsReplaced(t *testing.T) {
	const most = 200_000
	w := newWire(t)
	peer, err := link.AttachXDP(link.XDPOptions{Program: passAll(t), Interface: w.far.Attrs().Index})
	must(t, err)
	defer peer.Close()
	start := func(maxPins int) *Datapath {
		d, err := w.open(t, Config{Mode: ModeNative, MaxPins: maxPins})
		must(t, err)
		must(t, d.SetWorker(steertest.WorkerTX, Worker{
			Forward: steer.ForwardL2, IfIndex: uint32(w.near.Attrs().Index), DstMAC: steertest.WorkerMAC, SrcMAC: steertest.OwnMAC,
		}))
		must(t, d.Attach())
		return d
	}
	d := start(1024)
	pin := steertest.Pin(steertest.WorkerTX)
	pin.State = steer.StateConfirmed
	must(t, d.Pins().Put(testKey, pin))
	for i := range 500 {
		must(t, d.Pins().Put(numbered(i+1), pin))
	}
	arrived, off, sent := w.count(t, most), watch(t), w.load(t, most)
	const starts = 15
	for i := range starts {
		must(t, d.Close()) // as SIGKILL leaves it: nothing is tidied up
		time.Sleep(50 * time.Millisecond)
		d = start(1024 + 1024*(i%3/2))
	}
	n := sent()
	got := arrived()
	looks, missing := off()
	if n < 2000 || looks < 500 {
		t.Errorf("%d packets and %d looks prove little", n, looks)
	}
	if got != n || missing != 0 {
		t.Errorf("%d of %d packets arrived; XDP was off in %d of %d looks", got, n, missing, looks)
	}
	if p, ok := d.Pins().Get(testKey); !ok || p.Requests != uint64(n) {
		t.Errorf("pin counts %d requests (%v), want %d", p.Requests, ok, n)
	}
	for i := range 500 {
		if _, ok := d.Pins().Get(numbered(i + 1)); !ok {
			t.Fatal("a pin was lost")
		}
	}
	t.Logf("%d packets over %d starts, all arrived; %d looks, XDP always there", n, starts, looks)
	must(t, d.Detach())
	gone(t, w.pinPath)
	if attached(t, near) {
		t.Error("XDP is still attached")
	}
}
