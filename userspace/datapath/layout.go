// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/sipsteer/sipsteer/bpf"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// layout is a form that struct pin has or had. The names of the files that its maps are pinned by have its number, so
// that no version takes another's for its own.
type layout struct {
	pins, calls string
	size        uint32 // of a pin
	read        func(raw []byte) steer.Pin
}

// layouts lists them, the present one last. One that was released stays, so that its pins can be brought over.
var layouts = []layout{
	{"pins", "calls", 80, readPin1},
	{"pins_2", "calls_2", 88, readPin2},
}

func present() layout { return layouts[len(layouts)-1] }

// readPin1 reads the first layout: without caller, and so on.
func readPin1(raw []byte) steer.Pin {
	le := binary.LittleEndian
	p := steer.Pin{
		Worker: le.Uint32(raw), State: steer.State(le.Uint32(raw[4:])), CSeq: le.Uint32(raw[8:]), Service: le.Uint16(raw[12:]),
		Method: steer.Method(raw[14]), FinalCode: le.Uint16(raw[16:]),
	}
	for i, at := range []*uint64{&p.StartNS, &p.RingNS, &p.AnswerNS, &p.EndNS, &p.SeenNS, &p.Requests, &p.Responses} {
		*at = le.Uint64(raw[24+8*i:])
	}
	return p
}

func readPin2(raw []byte) steer.Pin {
	p := readPin1(raw)
	p.EndedBy, p.Cancelled, p.Moved = steer.By(raw[15]), raw[18] != 0, raw[19] != 0
	p.Ringing, p.Caller = binary.LittleEndian.Uint32(raw[20:]), binary.LittleEndian.Uint64(raw[80:])
	return p
}

// tables are a map of pins and the names beside it.
type tables struct {
	layout
	pins, calls *ebpf.Map
}

func (t *tables) close() {
	if t == nil {
		return
	}
	_ = t.pins.Close() // nil is fine
	_ = t.calls.Close()
}

// openTables opens the pinned maps of a layout, with a prefix to their names; nil when they are not there.
func openTables(dir, prefix string, l layout) (*tables, error) {
	t := &tables{layout: l}
	for name, at := range map[string]**ebpf.Map{l.pins: &t.pins, l.calls: &t.calls} {
		m, err := ebpf.LoadPinnedMap(filepath.Join(dir, prefix+name), nil)
		if errors.Is(err, fs.ErrNotExist) {
			t.close()
			return nil, nil
		}
		if err != nil {
			t.close()
			return nil, hint("opening the pinned map "+filepath.Join(dir, prefix+name), err)
		}
		*at = m
	}
	if t.pins.ValueSize() != l.size {
		t.close()
		return nil, fmt.Errorf("taking over %s: %w: its entries have %d bytes, not %d; %s", filepath.Join(dir, l.pins), ErrLayout, t.pins.ValueSize(), l.size, layoutHint)
	}
	return t, nil
}

const layoutHint = "start the version of sipsteer that made them, or run `sipsteer detach` first and lose the calls that stand"

// findTables returns the tables that an earlier daemon left, of whatever layout; nil when there are none.
func findTables(dir string) (found *tables, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, hint("reading "+dir, err)
	}
	known := map[string]bool{}
	for _, l := range layouts {
		known[l.pins] = true
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "pins") && !known[e.Name()] {
			return nil, fmt.Errorf("taking over %s: %w, one of a newer sipsteer; %s", filepath.Join(dir, e.Name()), ErrLayout, layoutHint)
		}
	}
	for i := len(layouts) - 1; i >= 0 && found == nil; i-- {
		if found, err = openTables(dir, "", layouts[i]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// makeTables makes empty tables of the present layout, pinned with a prefix to their names; an empty dir pins nothing.
func makeTables(spec *ebpf.CollectionSpec, dir, prefix string) (*tables, error) {
	t := &tables{layout: present()}
	for _, m := range []struct {
		spec, file string
		at         **ebpf.Map
	}{{"pins", t.layout.pins, &t.pins}, {"calls", t.layout.calls, &t.calls}} {
		made, err := ebpf.NewMap(spec.Maps[m.spec])
		if err == nil {
			*m.at = made
			err = made.Pin(filepath.Join(dir, prefix+m.file))
		}
		if err != nil {
			t.close()
			return nil, hint("making the map "+m.spec, err)
		}
	}
	return t, nil
}

// fits says whether tables can be used as they are.
func (t *tables) fits(spec *ebpf.CollectionSpec) bool {
	return t.layout.pins == present().pins && spec.Maps["pins"].Compatible(t.pins) == nil && spec.Maps["calls"].Compatible(t.calls) == nil
}

// each calls fn with every pin of the tables, whatever their layout, and its names. fn may delete that pin.
func (t *tables) each(fn func(steer.Key, steer.Pin, bpf.SteerCallInfo) error) error {
	var key bpf.SteerPinKey
	raw := make([]byte, t.size)
	it := t.pins.Iterate()
	for it.Next(&key, &raw) {
		var call bpf.SteerCallInfo
		_ = t.calls.Lookup(key, &call) // a pin may have no names
		if err := fn(key.Hash, t.read(raw), call); err != nil {
			return err
		}
	}
	return it.Err()
}
