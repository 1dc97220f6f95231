// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// openDirect loads the program with the service with policy direct and these bounds.
func openDirect(t *testing.T, maxPins int, newPinNS uint64, all steer.PinBounds) *Datapath {
	t.Helper()
	needRoot(t)
	d, err := Open(Config{Mode: ModeGeneric, MaxPins: maxPins, NewPins: all})
	must(t, err)
	t.Cleanup(func() { must(t, d.Close()) })
	service := steertest.Services()[steertest.Direct]
	service.NewPinNS = newPinNS
	must(t, d.SetService(steertest.Direct, service))
	must(t, d.SetService(steertest.Direct6, service))
	for id, w := range steertest.Workers() {
		if w.Forward != steer.ForwardNone {
			must(t, d.SetWorker(id, w))
		}
	}
	must(t, d.SetSlots(steertest.DirectID, []uint32{steertest.WorkerTX, steertest.WorkerLocal, steertest.WorkerRedirect}))
	must(t, d.SetService(steertest.Direct, withSlots(service, 3)))
	must(t, d.SetService(steertest.Direct6, withSlots(service, 3)))
	return d
}

func withSlots(s Service, n uint32) Service {
	s.Slots = n
	return s
}

// send runs an INVITE with a Call-ID through the program and fails unless it is steered.
func send(t *testing.T, d *Datapath, src, dst netip.AddrPort, callID string) {
	t.Helper()
	text := steertest.Request("INVITE").Set("To", "<sip:bob@example.com>").Set("Call-ID", callID).String()
	frame := steertest.Packet{Src: src, Dst: dst, Payload: text}.Frame()
	opts := ebpf.RunOptions{Data: frame, DataOut: make([]byte, len(frame)+256)}
	if _, err := d.objs.Sipsteer.Run(&opts); err != nil {
		t.Fatal(err)
	}
}

func countPins(t *testing.T, d *Datapath) (n int) {
	t.Helper()
	must(t, d.Pins().Each(func(steer.Key, steer.Pin) bool { n++; return true }))
	return n
}

func events(t *testing.T, d *Datapath) map[steer.DirectEvent]uint64 {
	t.Helper()
	all, err := d.DirectEvents()
	must(t, err)
	return all
}

func steered(t *testing.T, d *Datapath) (n uint64) {
	t.Helper()
	for o, count := range counters(t, d) {
		if o.Action() == steer.ActionSteer {
			n += count
		}
	}
	return n
}

func client(n int) netip.AddrPort {
	var a [4]byte
	binary.BigEndian.PutUint32(a[:], 0x0a000000+uint32(n))
	return netip.AddrPortFrom(netip.AddrFrom4(a), 5060)
}

// One source gets its burst and no more, and what comes beyond is steered all the same.
func TestOneSourceCannotFillTheTable(t *testing.T) {
	const rate = 10 // new pins a second: 100 in a burst
	d := openDirect(t, 4096, 1e9/rate, steer.PinBounds{})
	const n = 300
	for i := range n {
		send(t, d, steertest.Client, steertest.Direct, fmt.Sprintf("flood-%d", i))
	}
	e := events(t, d)
	if pins := countPins(t, d); pins < 10*rate || pins > 10*rate+20 || e[steer.DirectPinned] != uint64(pins) || e[steer.DirectOverSource] != n-uint64(pins) {
		t.Errorf("%d pins of %d new calls, events %v", pins, n, e)
	}
	if got := steered(t, d); got != n {
		t.Errorf("%d of %d steered", got, n)
	}
	// The neighbours are not the worse for it, and a /64 is one source.
	send(t, d, client(1), steertest.Direct, "neighbour")
	if got := events(t, d)[steer.DirectPinned]; got != e[steer.DirectPinned]+1 {
		t.Errorf("a neighbour's call was not pinned")
	}
	before := countPins(t, d)
	for i := range n {
		src := netip.MustParseAddr(fmt.Sprintf("2001:db8:1::%x", i+1))
		send(t, d, netip.AddrPortFrom(src, 5060), steertest.Direct6, fmt.Sprintf("flood6-%d", i))
	}
	if pins := countPins(t, d) - before; pins < 10*rate || pins > 10*rate+20 {
		t.Errorf("%d pins made from one /64", pins)
	}
}

// Sources without number together leave room.
func TestManySourcesCannotFillTheTable(t *testing.T) {
	const size = 512
	d := openDirect(t, size, 1e6, steer.BoundsFor(size, 40e9))
	const n = 3 * size
	for i := range n {
		send(t, d, client(i), steertest.Direct, fmt.Sprintf("flood-%d", i))
	}
	pins := countPins(t, d)
	if e := events(t, d); pins < size/8 || pins > size/4 || e[steer.DirectOverAll] != n-uint64(pins) {
		t.Errorf("%d pins of a table of %d, events %v", pins, size, e)
	}
	if got := steered(t, d); got != n {
		t.Errorf("%d of %d steered", got, n)
	}
}

func TestAFullTableSteersWithoutAPin(t *testing.T) {
	d := openDirect(t, 64, 1, steer.PinBounds{})
	for i := range 200 {
		send(t, d, client(i), steertest.Direct, fmt.Sprintf("call-%d", i))
	}
	if e := events(t, d); e[steer.DirectPinned] != 64 || e[steer.DirectTableFull] != 136 {
		t.Errorf("events %v", e)
	}
	if got := steered(t, d); got != 200 {
		t.Errorf("%d of 200 steered", got)
	}
}

// What user space judges goes where the program sends it, whichever of both sees the call first.
func TestUserSpaceChoosesTheSameWorker(t *testing.T) {
	d := openDirect(t, 4096, 1, steer.PinBounds{})
	service := withSlots(steertest.Services()[steertest.Direct], 3)
	for i := range 50 {
		callID := fmt.Sprintf("call-%d", i)
		key := steertest.DirectSecret.Key([]byte(callID))
		invite := steer.Message{Request: true, Method: steer.MethodInvite, CallID: []byte(callID), CSeq: 7}
		first, err := d.ChooseWorker(key, invite, client(i).Addr(), service)
		must(t, err)
		pin, ok := d.Pins().Get(key)
		if !ok || pin.Worker != first || pin.CSeq != 7 || pin.Requests != 1 || pin.Method != steer.MethodInvite || pin.Service != steertest.DirectID {
			t.Fatalf("worker %d, pin %+v, %v", first, pin, ok)
		}
		send(t, d, client(i), steertest.Direct, callID)
		if after, _ := d.Pins().Get(key); after.Worker != first {
			t.Fatalf("the program sent it to worker %d, user space to %d", after.Worker, first)
		}
		bye := steer.Message{Request: true, Method: steer.MethodBye, HasToTag: true, CallID: []byte(callID)}
		again, err := d.ChooseWorker(key, bye, client(i).Addr(), service)
		must(t, err)
		if pin, _ := d.Pins().Get(key); again != first || pin.State != steer.StateEnded {
			t.Fatalf("BYE to worker %d, pin %+v", again, pin)
		}
	}
}

// Tables are swapped whole while all CPUs steer by them: no message goes up for want of a worker, and the packets of a
// call all go to the one worker that its pin names.
func TestTablesAreSwappedUnderLoad(t *testing.T) {
	d := openDirect(t, 65536, 1, steer.PinBounds{})
	var senders, swaps sync.WaitGroup
	stop := make(chan struct{})
	swaps.Add(1)
	go func() {
		defer swaps.Done()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			slots := []uint32{steertest.WorkerTX, steertest.WorkerRedirect, steertest.WorkerTX}
			if i%2 == 0 {
				slots = []uint32{steertest.WorkerRedirect, steertest.WorkerTX, steertest.WorkerRedirect}
			}
			if err := d.SetSlots(steertest.DirectID, slots); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	const calls = 400
	for range max(2, runtime.NumCPU()) {
		senders.Add(1)
		go func() {
			defer senders.Done()
			for i := range calls {
				send(t, d, client(i), steertest.Direct, fmt.Sprintf("race-%d", i)) // the same calls on every CPU
			}
		}()
	}
	senders.Wait()
	close(stop)
	swaps.Wait()
	if c := counters(t, d); c[steer.PassNoWorker] != 0 {
		t.Errorf("%d messages found no worker", c[steer.PassNoWorker])
	}
	if e := events(t, d); e[steer.DirectPinned] != calls || countPins(t, d) != calls {
		t.Errorf("%d pins of %d calls, events %v", countPins(t, d), calls, e)
	}
}

func TestAServiceWithoutATableGoesUp(t *testing.T) {
	d := openDirect(t, 64, 1, steer.PinBounds{})
	must(t, d.SetSlots(steertest.DirectID, nil))
	must(t, d.SetSlots(steertest.DirectID, nil))
	send(t, d, steertest.Client, steertest.Direct, "call")
	if c := counters(t, d); c[steer.PassNoWorker] != 1 || countPins(t, d) != 0 {
		t.Errorf("counted %v, %d pins", c[steer.PassNoWorker], countPins(t, d))
	}
}
