// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
)

const linkPrefix = "link_"

// pinnedLink is the attachment to one interface.
type pinnedLink struct {
	link     link.Link
	path     string        // "" when it is not pinned
	taken    bool          // an earlier daemon attached it
	previous *ebpf.Program // what it ran then, while that may have to come back; nil where it may not be opened
}

// linkFile names the pin of an interface's link. The bpf file system allows no dots in names.
func linkFile(iface string) string {
	return linkPrefix + strings.NewReplacer("%", "%25", ".", "%2e").Replace(iface)
}

// Attach puts the program on each interface. Where a link of an earlier daemon is pinned the program is replaced in
// place and no packet passes unseen. On an error everything is as before. Errors wrap ErrPrivileges, ErrInterface,
// ErrNoNative, ErrMTU or ErrBusy where these are the cause.
func (d *Datapath) Attach() error {
	if err := d.markNext(); err != nil {
		return err
	}
	done := make(map[string]pinnedLink)
	for _, name := range d.cfg.Interfaces {
		if _, ok := done[name]; ok || d.links[name].link != nil {
			continue
		}
		l, err := d.attachOne(name)
		if err != nil {
			for _, l := range done {
				l.undo()
			}
			return fmt.Errorf("attaching XDP to %s: %w", name, err)
		}
		done[name] = l
	}
	for name, l := range done {
		l.forgetPrevious()
		d.links[name] = pinnedLink{link: l.link, path: l.path}
	}
	d.attached = d.attached || len(done) > 0
	return errors.Join(d.releaseOthers(), d.settle())
}

// releaseOthers detaches from interfaces that an earlier daemon was attached to and this one is not to be.
func (d *Datapath) releaseOthers() error {
	if d.cfg.PinPath == "" {
		return nil
	}
	wanted := map[string]bool{}
	for _, l := range d.links {
		wanted[l.path] = true
	}
	return removeLinks(d.cfg.PinPath, func(path string) bool { return !wanted[path] })
}

func (d *Datapath) attachOne(name string) (pinnedLink, error) {
	dev, err := netlink.LinkByName(name)
	var notFound netlink.LinkNotFoundError
	if errors.As(err, &notFound) {
		return pinnedLink{}, ErrInterface
	}
	if err != nil {
		return pinnedLink{}, fmt.Errorf("looking it up: %w", err)
	}
	path := ""
	if d.cfg.PinPath != "" {
		path = filepath.Join(d.cfg.PinPath, linkFile(name))
		old, err := usableLink(path, dev, d.cfg.Mode)
		if err != nil {
			return pinnedLink{}, err
		}
		if old != nil {
			previous, err := replaceProgram(old, d.objs.Sipsteer)
			return pinnedLink{old, path, true, previous}, err
		}
	}
	l, err := attachNew(d.objs.Sipsteer, dev, d.cfg.Mode)
	if err != nil {
		return pinnedLink{}, err
	}
	p := pinnedLink{link: l, path: path}
	if path != "" {
		if err := l.Pin(path); err != nil {
			p.remove()
			return pinnedLink{}, fmt.Errorf("pinning the link: %w", err)
		}
	}
	return p, nil
}

// usableLink opens the link pinned at path. One that is dead, sits on another interface, or was attached in a mode that
// is not wanted any more is removed; nil then.
func usableLink(path string, dev netlink.Link, mode Mode) (link.Link, error) {
	l, err := link.LoadPinnedLink(path, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, hint("opening the pinned link "+path, err)
	}
	info, err := l.Info()
	if err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("reading the pinned link %s: %w", path, err)
	}
	xdp := info.XDP()
	have := modeOf(dev)
	// The number of an interface means something in its namespace alone: what runs on it must be this link's program.
	runs := dev.Attrs().Xdp
	here := xdp != nil && int(xdp.Ifindex) == dev.Attrs().Index && runs != nil && runs.ProgId == uint32(info.Program)
	if here && (mode == ModeAuto || mode == have) {
		return l, nil
	}
	pinnedLink{link: l, path: path}.remove()
	return nil, nil
}

// replaceProgram updates the link in place and returns the program that it ran before. On an error it closes the link.
func replaceProgram(l link.Link, prog *ebpf.Program) (previous *ebpf.Program, err error) {
	defer func() {
		if err != nil {
			_ = previous.Close()
			_ = l.Close()
		}
	}()
	info, err := l.Info()
	if err != nil {
		return nil, fmt.Errorf("reading the link: %w", err)
	}
	// Opening a program by its number takes CAP_SYS_ADMIN, which a daemon does well without.
	previous, err = ebpf.NewProgramFromID(info.Program)
	if err != nil && !errors.Is(err, syscall.EPERM) {
		return nil, hint("opening the program in use", err)
	}
	if err := l.Update(prog); err != nil {
		return previous, hint("replacing the program in place", err)
	}
	return previous, nil
}

// undo leaves the interface as it was before attachOne.
func (p pinnedLink) undo() {
	if !p.taken {
		p.remove()
		return
	}
	if p.previous != nil { // else the new program stays: it runs on the same maps
		_ = p.link.Update(p.previous)
	}
	p.forgetPrevious()
	_ = p.link.Close()
}

func (p pinnedLink) forgetPrevious() {
	_ = p.previous.Close() // nil is fine
}

func attachNew(prog *ebpf.Program, dev netlink.Link, mode Mode) (link.Link, error) {
	opts := link.XDPOptions{Program: prog, Interface: dev.Attrs().Index}
	if mode != ModeGeneric {
		opts.Flags = link.XDPDriverMode
		l, err := link.AttachXDP(opts)
		if err == nil {
			return l, nil
		}
		if err = attachError(err, dev); mode == ModeNative || errors.Is(err, ErrBusy) || errors.Is(err, ErrPrivileges) {
			return nil, err
		}
	}
	opts.Flags = link.XDPGenericMode
	l, err := link.AttachXDP(opts)
	if err != nil {
		return nil, attachError(err, dev)
	}
	return l, nil
}

// Above this MTU a frame does not fit one page, and a driver has to know frames of several buffers.
const largeMTU = 3498

// attachError says in words what the kernel gives as a number.
func attachError(err error, dev netlink.Link) error {
	attrs := dev.Attrs()
	switch {
	case errors.Is(err, syscall.EBUSY), errors.Is(err, syscall.EEXIST):
		return fmt.Errorf("%w; take it off with `ip link set dev %s xdp off`, or stop the program that holds it", ErrBusy, attrs.Name)
	case errors.Is(err, syscall.ERANGE), errors.Is(err, syscall.EINVAL) && attrs.MTU > largeMTU:
		return ErrMTU
	case errors.Is(err, syscall.EOPNOTSUPP), errors.Is(err, ebpf.ErrNotSupported), errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%s: %w", dev.Type(), ErrNoNative)
	}
	return hint("the kernel refuses", err)
}

// modeOf reads how XDP is attached to the interface; "" when it is not.
func modeOf(dev netlink.Link) Mode {
	x := dev.Attrs().Xdp
	switch {
	case x == nil || !x.Attached:
		return ""
	case x.AttachMode == nl.XDP_ATTACHED_SKB:
		return ModeGeneric
	}
	return ModeNative
}

// Mode tells how the program is attached in fact: native, generic, "mixed (eth0 native, eth1 generic)", or off.
func (d *Datapath) Mode() string {
	modes := map[Mode]bool{}
	var each []string
	for name := range d.links {
		mode := ModeOff
		if dev, err := netlink.LinkByName(name); err == nil && modeOf(dev) != "" {
			mode = modeOf(dev)
		}
		modes[mode] = true
		each = append(each, name+" "+string(mode))
	}
	if len(modes) == 0 {
		return string(ModeOff)
	}
	if len(modes) > 1 {
		sort.Strings(each)
		return "mixed (" + strings.Join(each, ", ") + ")"
	}
	for mode := range modes {
		return string(mode)
	}
	return string(ModeOff)
}

// remove detaches at once: the kernel would only get to it when the last reference is gone.
func (p pinnedLink) remove() {
	_ = p.link.Detach()
	if p.path != "" {
		_ = os.Remove(p.path)
	}
	_ = p.link.Close()
}

// Detach takes the program off every interface it was attached to, here or by an earlier daemon with the same PinPath,
// and removes maps and directory. The datapath is closed then.
func (d *Datapath) Detach() error {
	for name, l := range d.links {
		l.remove()
		delete(d.links, name)
	}
	err := errors.Join(d.slots.close(), d.objs.Close())
	if d.lock != nil {
		err = errors.Join(err, removeAll(d.cfg.PinPath), d.lock.Close())
		d.lock = nil
	}
	return err
}

// Remove detaches and removes what a daemon left in a directory for pinned objects. It is no error when there is none;
// the error wraps ErrInUse while a daemon runs.
func Remove(pinPath string) error {
	if _, err := os.Stat(pinPath); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	held, err := lock(pinPath)
	if err != nil {
		return err
	}
	return errors.Join(removeAll(pinPath), held.Close())
}

func removeAll(pinPath string) error {
	if err := removeLinks(pinPath, func(string) bool { return true }); err != nil {
		return err
	}
	if err := os.RemoveAll(pinPath); err != nil {
		return fmt.Errorf("removing the pinned maps: %w", err)
	}
	return nil
}

// removeLinks detaches the links pinned in a directory that are chosen by path.
func removeLinks(pinPath string, chosen func(path string) bool) error {
	entries, err := os.ReadDir(pinPath)
	if err != nil {
		return hint("reading "+pinPath, err)
	}
	for _, e := range entries {
		path := filepath.Join(pinPath, e.Name())
		if !strings.HasPrefix(e.Name(), linkPrefix) || !chosen(path) {
			continue
		}
		l, err := link.LoadPinnedLink(path, nil)
		if err != nil {
			return hint("opening the pinned link "+path, err)
		}
		pinnedLink{link: l, path: path}.remove()
	}
	return nil
}
