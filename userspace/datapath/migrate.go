// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/sipsteer/sipsteer/bpf"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Pins of another layout or table size are copied to new tables while the old program steers by the old ones. Then the
// program is replaced, and what the old one noted meanwhile is added. Until that is done the new tables have names with a
// prefix, and the new program is pinned beside them: so a start after a crash knows whether it had been replaced.
const (
	nextPrefix  = "next_"
	nextProgram = nextPrefix + "program"
)

// Rekey gives the key of a Call-ID in a service, for pins made when keys were derived otherwise; false where it cannot.
type Rekey func(service uint16, callID string) (steer.Key, bool)

// openPins finds or makes the tables of pins. d.old is what they are yet to be merged with.
func (d *Datapath) openPins(spec *ebpf.CollectionSpec) (*tables, error) {
	dir := d.cfg.PinPath
	resumed, err := resume(dir)
	if err != nil {
		return nil, err
	}
	old, err := findTables(dir)
	switch {
	case err != nil:
		resumed.close()
		return nil, err
	case resumed != nil:
		d.old = old
		return resumed, nil
	case old == nil:
		return makeTables(spec, dir, "")
	case old.fits(spec):
		return old, nil
	}
	t, err := makeTables(spec, dir, nextPrefix)
	if err != nil {
		old.close()
		return nil, err
	}
	if err := d.copyPins(old, t); err != nil {
		old.close()
		t.close()
		return nil, errors.Join(fmt.Errorf("bringing over the pins in %s: %w (%w); set datapath.max_pins higher", dir, ErrLayout, err), dropNext(dir))
	}
	d.old = old
	return t, nil
}

// resume returns the new tables of a start that was broken off after its program was put in place; what an earlier break
// left is removed.
func resume(dir string) (*tables, error) {
	p, err := ebpf.LoadPinnedProgram(filepath.Join(dir, nextProgram), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, dropNext(dir)
	}
	if err != nil {
		return nil, hint("opening the program of a start that was broken off", err)
	}
	defer p.Close()
	info, err := p.Info()
	if err != nil {
		return nil, fmt.Errorf("reading the program of a start that was broken off: %w", err)
	}
	id, _ := info.ID()
	runs, err := linked(dir, id)
	if err != nil || !runs {
		return nil, errors.Join(err, dropNext(dir))
	}
	l := present()
	if _, err := os.Stat(filepath.Join(dir, nextPrefix+l.calls)); errors.Is(err, fs.ErrNotExist) {
		// All pins were merged; at most the last name is missing.
		err := os.Rename(filepath.Join(dir, nextPrefix+l.pins), filepath.Join(dir, l.pins))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("naming the new tables: %w", err)
		}
		return nil, dropNext(dir)
	}
	return openTables(dir, nextPrefix, l)
}

// linked tells whether a link pinned in the directory runs the program.
func linked(dir string, id ebpf.ProgramID) (bool, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false, hint("reading "+dir, err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), linkPrefix) {
			continue
		}
		l, err := link.LoadPinnedLink(filepath.Join(dir, e.Name()), nil)
		if err != nil {
			return false, hint("opening the pinned link "+e.Name(), err)
		}
		info, err := l.Info()
		_ = l.Close()
		if err == nil && info.Program == id {
			return true, nil
		}
	}
	return false, nil
}

func dropNext(dir string) error {
	l := present()
	var errs []error
	for _, name := range []string{nextProgram, nextPrefix + l.pins, nextPrefix + l.calls} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// copyPins copies all but the packet counts, which are added when no more of them can come.
func (d *Datapath) copyPins(from, to *tables) error {
	return from.each(func(k steer.Key, p steer.Pin, call bpf.SteerCallInfo) error {
		p.Requests, p.Responses = 0, 0
		return put(to, d.rekey(k, p, call), p, call)
	})
}

func put(to *tables, k steer.Key, p steer.Pin, call bpf.SteerCallInfo) error {
	key := bpf.SteerPinKey{Hash: k}
	if err := full("copying a pin", to.pins.Put(key, toC(p))); err != nil {
		return err
	}
	return full("copying the names of a call", to.calls.Put(key, call))
}

// rekey is the key that a pin has now. The key of a call that has moved aside is no hash of its Call-ID, and that of a
// Call-ID that was cut cannot be made again.
func (d *Datapath) rekey(k steer.Key, p steer.Pin, call bpf.SteerCallInfo) steer.Key {
	id := cString(call.CallId[:])
	if d.cfg.Rekey == nil || p.Moved || id == "" || len(id) == len(call.CallId) {
		return k
	}
	if now, ok := d.cfg.Rekey(p.Service, id); ok {
		return now
	}
	return k
}

// markNext pins the program before it is put in place.
func (d *Datapath) markNext() error {
	if d.old == nil {
		return nil
	}
	path := filepath.Join(d.cfg.PinPath, nextProgram)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("replacing %s: %w", path, err)
	}
	if err := d.objs.Sipsteer.Pin(path); err != nil {
		return hint("pinning the program that comes", err)
	}
	return nil
}

// forgetNext removes the new tables when their program was not put in place. Where it was, and could not be taken back, the
// next start goes on from there.
func (d *Datapath) forgetNext() error {
	if d.old == nil {
		return nil
	}
	d.old.close()
	d.old = nil
	info, err := d.objs.Sipsteer.Info()
	if err != nil {
		return fmt.Errorf("reading the program: %w", err)
	}
	id, _ := info.ID()
	if runs, err := linked(d.cfg.PinPath, id); err != nil || runs {
		return err
	}
	return dropNext(d.cfg.PinPath)
}

// settle adds what the old program noted after the copy, takes each pin from the old table once it is added, and gives the
// new tables their names.
func (d *Datapath) settle() error {
	if d.old == nil {
		return nil
	}
	to := &tables{layout: present(), pins: d.objs.Pins, calls: d.objs.Calls}
	err := d.old.each(func(k steer.Key, p steer.Pin, call bpf.SteerCallInfo) error {
		now := d.rekey(k, p, call)
		if !d.pins.Merge(now, p, 0) {
			if err := put(to, now, p, call); err != nil {
				return err
			}
		}
		return d.old.pins.Delete(bpf.SteerPinKey{Hash: k})
	})
	if err != nil {
		return fmt.Errorf("bringing over what the program before noted last: %w", err)
	}
	dir, l := d.cfg.PinPath, present()
	err = errors.Join(
		os.Rename(filepath.Join(dir, nextPrefix+l.calls), filepath.Join(dir, l.calls)),
		os.Rename(filepath.Join(dir, nextPrefix+l.pins), filepath.Join(dir, l.pins)))
	if err == nil && d.old.layout.pins != l.pins {
		err = errors.Join(os.Remove(filepath.Join(dir, d.old.layout.pins)), os.Remove(filepath.Join(dir, d.old.layout.calls)))
	}
	d.old.close()
	d.old = nil
	if err != nil {
		return fmt.Errorf("naming the new tables: %w", err)
	}
	return dropNext(dir)
}
