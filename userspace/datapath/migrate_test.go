// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"

	"github.com/sipsteer/sipsteer/bpf"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// pin1 is a pin of the first layout, as its program wrote it.
func pin1(p steer.Pin) []byte {
	raw := make([]byte, 80)
	le := binary.LittleEndian
	le.PutUint32(raw, p.Worker)
	le.PutUint32(raw[4:], uint32(p.State))
	le.PutUint32(raw[8:], p.CSeq)
	le.PutUint16(raw[12:], p.Service)
	raw[14] = byte(p.Method)
	le.PutUint16(raw[16:], p.FinalCode)
	for i, v := range []uint64{p.StartNS, p.RingNS, p.AnswerNS, p.EndNS, p.SeenNS, p.Requests, p.Responses} {
		le.PutUint64(raw[24+8*i:], v)
	}
	return raw
}

// leaveFirstLayout leaves what a daemon of the first version leaves: a link, and its maps with room for 64 pins.
func leaveFirstLayout(t *testing.T, w *wire) (pins, calls *ebpf.Map) {
	t.Helper()
	_, err := makePinPath(w.pinPath)
	must(t, err)
	made := func(name string, valueSize, flags uint32) *ebpf.Map {
		m, err := ebpf.NewMap(&ebpf.MapSpec{Name: name, Type: ebpf.Hash, KeySize: 16, ValueSize: valueSize, MaxEntries: 64, Flags: flags})
		must(t, err)
		t.Cleanup(func() { _ = m.Close() })
		must(t, m.Pin(filepath.Join(w.pinPath, name)))
		return m
	}
	l, err := link.AttachXDP(link.XDPOptions{Program: passAll(t), Interface: w.near.Attrs().Index})
	must(t, err)
	must(t, l.Pin(filepath.Join(w.pinPath, linkFile(near))))
	must(t, l.Close())
	return made("pins", 80, 0), made("calls", 512, 1)
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var list []string
	for _, e := range entries {
		if n := e.Name(); strings.HasPrefix(n, "pins") || strings.HasPrefix(n, "calls") || strings.HasPrefix(n, nextPrefix) {
			list = append(list, n)
		}
	}
	return strings.Join(list, " ")
}

func TestPinsOfTheFirstLayoutAreBroughtOver(t *testing.T) {
	w := newWire(t)
	pins, calls := leaveFirstLayout(t, w)
	old := steertest.Pin(steertest.WorkerLocal)
	old.Requests, old.Responses, old.RingNS = 5, 6, 600
	var call bpf.SteerCallInfo
	copy(call.CallId[:], "call-1")
	must(t, pins.Put(numbered(1), pin1(old)))
	must(t, calls.Put(numbered(1), call))

	d, err := w.open(t, Config{Mode: ModeAuto, Rekey: func(service uint16, id string) (steer.Key, bool) {
		return testKey, service == 1 && id == "call-1"
	}})
	must(t, err)
	// The old program goes on until the new one is put in place: an answer and a BYE pass, and a call begins.
	ended := old
	ended.State, ended.AnswerNS, ended.EndNS, ended.SeenNS, ended.FinalCode = steer.StateEnded, 800, 900, 901, 200
	ended.Requests, ended.Responses = 7, 8
	must(t, pins.Put(numbered(1), pin1(ended)))
	must(t, pins.Put(numbered(2), pin1(old)))
	before := running(t, near)
	must(t, d.Attach())
	if now := running(t, near); now == before || now == 0 {
		t.Errorf("program %d runs behind %d", now, before)
	}
	if got, ok := d.Pins().Get(testKey); !ok || got != ended {
		t.Errorf("pin came over as %+v (%v), want %+v", got, ok, ended)
	}
	if got, ok := d.Pins().GetCall(testKey); !ok || got.CallID != "call-1" {
		t.Errorf("its call as %+v (%v)", got, ok)
	}
	if got, ok := d.Pins().Get(numbered(2)); !ok || got != old {
		t.Errorf("the new call came over as %+v (%v)", got, ok)
	}
	if got := names(t, w.pinPath); got != "calls_2 pins_2" {
		t.Errorf("maps are %s", got)
	}
	must(t, d.Detach())
	gone(t, w.pinPath)
}

func TestALargerTableTakesOverThePins(t *testing.T) {
	w := newWire(t)
	first, err := w.open(t, Config{Mode: ModeAuto})
	must(t, err)
	must(t, first.Attach())
	must(t, first.Pins().Put(testKey, steertest.Pin(steertest.WorkerLocal)))
	must(t, first.Close())
	conn := listen(t)
	info := func() {
		w.send(t, steertest.Request("INFO").String())
		_, _, err := conn.ReadFromUDPAddrPort(make([]byte, 2048))
		must(t, err)
	}
	info()
	second, err := w.open(t, Config{Mode: ModeAuto, MaxPins: 128})
	must(t, err)
	info() // by the old program still
	must(t, second.Attach())
	info()
	if p, ok := second.Pins().Get(testKey); !ok || p.Requests != 3 {
		t.Errorf("pin is %+v (%v), want three requests", p, ok)
	}
	for i := range 127 {
		must(t, second.Pins().Put(numbered(i), steertest.Pin(1)))
	}
	must(t, second.Close())
	if _, err := w.open(t, Config{Mode: ModeAuto, MaxPins: 64}); !errors.Is(err, ErrLayout) || !strings.Contains(err.Error(), "max_pins") {
		t.Errorf("with less room than pins: %v", err)
	}
	if got := names(t, w.pinPath); got != "calls_2 pins_2" || !attached(t, near) {
		t.Errorf("then maps are %s, attached %v", got, attached(t, near))
	}
	info()
}

func TestAStartThatBrokeOffGoesOn(t *testing.T) {
	for _, swapped := range []bool{false, true} {
		w := newWire(t)
		first, err := w.open(t, Config{Mode: ModeAuto})
		must(t, err)
		must(t, first.Attach())
		before := steertest.Pin(steertest.WorkerLocal)
		before.Requests = 4
		must(t, first.Pins().Put(testKey, before))
		must(t, first.Close())
		// Killed with the new program in place or before, and the pins not merged.
		broken, err := w.open(t, Config{Mode: ModeAuto, MaxPins: 128})
		must(t, err)
		must(t, broken.markNext())
		broken.old.close()
		broken.old = nil
		if swapped {
			must(t, broken.Attach())
			broken.Pins().Note(testKey, steer.Judge([]byte(steertest.Request("INFO").String())))
		}
		must(t, broken.Close())

		d, err := w.open(t, Config{Mode: ModeAuto, MaxPins: 128})
		must(t, err)
		must(t, d.Attach())
		want := uint64(4)
		if swapped {
			want = 5
		}
		if p, ok := d.Pins().Get(testKey); !ok || p.Requests != want {
			t.Errorf("swapped %v: pin is %+v (%v), want %d requests", swapped, p, ok, want)
		}
		if got := names(t, w.pinPath); got != "calls_2 pins_2" {
			t.Errorf("swapped %v: maps are %s", swapped, got)
		}
		must(t, d.Detach())
	}
}

func TestLayoutsOfLaterVersionsAreRefused(t *testing.T) {
	w := newWire(t)
	leaveFirstLayout(t, w)
	must(t, os.Rename(filepath.Join(w.pinPath, "pins"), filepath.Join(w.pinPath, "pins_99")))
	if _, err := w.open(t, Config{Mode: ModeAuto}); !errors.Is(err, ErrLayout) || !strings.Contains(err.Error(), "sipsteer detach") {
		t.Errorf("got %v", err)
	}
	if !attached(t, near) {
		t.Error("the refusal detached what ran")
	}
}

// Whoever changes struct pin has to give it a new number and a reader, and then the line here.
func TestLayoutOfPinsHasItsNumber(t *testing.T) {
	spec, err := bpf.LoadSteer()
	must(t, err)
	var pin *btf.Struct
	must(t, spec.Types.TypeByName("pin", &pin))
	got := present().pins
	for _, m := range pin.Members {
		got += fmt.Sprintf(" %s@%d", m.Name, m.Offset.Bytes())
	}
	const want = "pins_2 worker@0 state@4 cseq@8 service@12 method@14 ended_by@15 final_code@16 cancelled@18 moved@19 ringing@20 " +
		"start_ns@24 ring_ns@32 answer_ns@40 end_ns@48 seen_ns@56 requests@64 responses@72 caller@80"
	if got != want || pin.Size != present().size {
		t.Errorf("struct pin is %s (%d bytes), want %s", got, pin.Size, want)
	}
}
