// SPDX-License-Identifier: Apache-2.0

// Package datapath loads the kernel program, attaches it, and is the only user of its maps.
//
// Maps and links are pinned in a directory of the bpf file system, so that they outlive the daemon: packets of calls
// that stand are steered while it restarts, and the next one takes over program, pins and counters in place.
package datapath

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"github.com/vishvananda/netlink"

	"github.com/sipsteer/sipsteer/bpf"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Mode says how the program is attached.
type Mode string

// The modes.
const (
	ModeNative  Mode = "native"  // in the driver; an error where it cannot
	ModeGeneric Mode = "generic" // behind the driver, on any interface
	ModeAuto    Mode = "auto"    // native where the driver can, else generic
	ModeOff     Mode = "off"     // not at all: the caller uses steer alone and does not call Open
)

// Config is what Open needs to know.
type Config struct {
	Interfaces []string // names; each gets the program
	Mode       Mode
	PinPath    string // a directory below a bpf file system, of this daemon alone; "" pins nothing
	// PartialChecksums says that senders of this host may leave UDP checksums to their device. Open finds out by itself
	// for veth interfaces.
	PartialChecksums bool
	MaxPins          int             // size of the pin table, allocated at once (about 130 bytes each); 0 = 262144
	NewPins          steer.PinBounds // of what the program pins itself by policy direct, of all sources together
	Rekey            Rekey           // for pins that an earlier version left; nil when keys are as they were

	trial bool // for OpenTrial
}

// DefaultMaxPins is the size of the pin table where Config gives none.
const DefaultMaxPins = 262144

// Datapath is the loaded program and its maps. Its methods are safe for concurrent use, except Attach, Detach and
// Close.
type Datapath struct {
	cfg      Config
	objs     bpf.SteerObjects
	slots    slotTables
	pins     *Pins
	sources  *Sources
	links    map[string]pinnedLink // by interface
	lock     *os.File              // on the directory; nil when nothing is pinned
	fresh    bool                  // this Open made the directory
	attached bool
	old      *tables // of an earlier daemon, yet to be merged into the new ones; nil for none
}

// Open loads the program and its maps, or takes over the maps that an earlier one left in PinPath. Nothing is attached
// yet. Errors wrap ErrPrivileges, ErrBPFFS, ErrInUse or ErrLayout where these are the cause.
func Open(cfg Config) (*Datapath, error) {
	if cfg.Mode == ModeOff {
		return nil, errors.New("opening the datapath: its mode is off")
	}
	if cfg.MaxPins == 0 {
		cfg.MaxPins = DefaultMaxPins
	}
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, hint("raising the limit of locked memory", err)
	}
	d := &Datapath{cfg: cfg, links: map[string]pinnedLink{}, slots: slotTables{tables: map[uint16]*ebpf.Map{}}}
	if cfg.PinPath != "" {
		fresh, err := makePinPath(cfg.PinPath)
		if err != nil {
			return nil, err
		}
		d.fresh = fresh
		if d.lock, err = lock(cfg.PinPath); err != nil {
			return nil, err
		}
	}
	if err := d.load(); err != nil {
		d.removeFresh()
		_ = d.lock.Close() // nil is fine
		return nil, err
	}
	d.pins = &Pins{pins: d.objs.Pins, calls: d.objs.Calls, note: d.objs.NotePin, merge: d.objs.MergePin}
	d.sources = newSources(&d.objs)
	return d, nil
}

func (d *Datapath) load() error {
	spec, err := bpf.LoadSteer()
	if err != nil {
		return fmt.Errorf("reading the built-in BPF object: %w", err)
	}
	if err := spec.Variables["partial_checksums"].Set(d.cfg.PartialChecksums || anyVeth(d.cfg.Interfaces)); err != nil {
		return fmt.Errorf("setting what checksums to expect: %w", err)
	}
	for name, v := range map[string]uint64{"new_pins_step_ns": d.cfg.NewPins.StepNS, "new_pins_burst_ns": d.cfg.NewPins.BurstNS} {
		if err := spec.Variables[name].Set(v); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	spec.Maps["pins"].MaxEntries = uint32(d.cfg.MaxPins)
	spec.Maps["calls"].MaxEntries = uint32(d.cfg.MaxPins)
	if d.cfg.trial {
		countInMemory(spec)
	}

	var opts ebpf.CollectionOptions
	if d.cfg.PinPath != "" {
		opts.Maps.PinPath = d.cfg.PinPath
		if err := readyPinnedMaps(spec, d.cfg.PinPath); err != nil {
			return err
		}
		t, err := d.openPins(spec)
		if err != nil {
			return err
		}
		defer t.close()
		opts.MapReplacements = map[string]*ebpf.Map{"pins": t.pins, "calls": t.calls}
		// Those of a start that was broken off may have another size than is wanted now; the next start mends it.
		spec.Maps["pins"].MaxEntries, spec.Maps["calls"].MaxEntries = t.pins.MaxEntries(), t.calls.MaxEntries()
	}
	if err := spec.LoadAndAssign(&d.objs, &opts); err != nil {
		return hint("loading the XDP program", err)
	}
	return nil
}

// anyVeth tells whether one of the interfaces is a cable within this host, on which checksums stay unfinished.
func anyVeth(interfaces []string) bool {
	for _, name := range interfaces {
		if dev, err := netlink.LinkByName(name); err == nil && dev.Type() == "veth" {
			return true
		}
	}
	return false
}

// Fresh tells whether this Open made the directory for pinned objects: no earlier daemon left pins there.
func (d *Datapath) Fresh() bool { return d.fresh }

// Pins returns the table of pins.
func (d *Datapath) Pins() *Pins { return d.pins }

// Sources returns the source policy.
func (d *Datapath) Sources() *Sources { return d.sources }

// Close lets go of the datapath. What is attached stays attached, and maps stay pinned; a directory that Open made
// goes again when nothing was ever attached.
func (d *Datapath) Close() error {
	var errs []error
	for _, l := range d.links {
		errs = append(errs, l.link.Close())
	}
	d.links = map[string]pinnedLink{}
	errs = append(errs, d.slots.close(), d.forgetNext(), d.objs.Close())
	d.removeFresh()
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
		d.lock = nil
	}
	return errors.Join(errs...)
}

func (d *Datapath) removeFresh() {
	if d.fresh && !d.attached {
		_ = os.RemoveAll(d.cfg.PinPath)
	}
}
