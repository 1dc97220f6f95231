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
	"golang.org/x/sys/unix"
)

// Where Linux systems have their bpf file system.
const bpffsRoot = "/sys/fs/bpf"

// makePinPath makes the directory for pinned objects, and mounts the bpf file system where it is usual and missing. It
// reports whether the directory is new.
func makePinPath(dir string) (fresh bool, err error) {
	on, err := onBPFFS(dir)
	if err != nil {
		return false, err
	}
	if !on && strings.HasPrefix(filepath.Clean(dir)+"/", bpffsRoot+"/") {
		if err := unix.Mount("bpf", bpffsRoot, "bpf", 0, "mode=0700"); err != nil {
			return false, hint("mounting the bpf file system on "+bpffsRoot, err)
		}
		on = true
	}
	if !on {
		return false, fmt.Errorf("using %s for pinned maps: %w; set datapath.bpffs below %s", dir, ErrBPFFS, bpffsRoot)
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		fresh = true
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return false, hint("making the directory for pinned maps", err)
	}
	return fresh, nil
}

// lock keeps a directory for pinned objects to one daemon, as long as the file is open.
func lock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, hint("opening "+dir, err)
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("locking %s: %w", dir, err)
	}
	return f, nil
}

// onBPFFS looks at the nearest part of the path that exists.
func onBPFFS(dir string) (bool, error) {
	for p := filepath.Clean(dir); ; p = filepath.Dir(p) {
		var st unix.Statfs_t
		switch err := unix.Statfs(p, &st); {
		case err == nil:
			return uint32(st.Type) == unix.BPF_FS_MAGIC, nil
		case !errors.Is(err, unix.ENOENT) || p == filepath.Dir(p):
			return false, hint("looking at "+p, err)
		}
	}
}

// readyPinnedMaps marks the maps as pinned by name, those of pins apart, and replaces those of another layout that stand
// from an earlier version: the daemon fills them again.
func readyPinnedMaps(spec *ebpf.CollectionSpec, dir string) error {
	for name, m := range spec.Maps {
		if name == "scratch" || name == "direct_scratch" || name == "pins" || name == "calls" || strings.HasPrefix(name, ".") {
			continue
		}
		m.Pinning = ebpf.PinByName
		path := filepath.Join(dir, name)
		old, err := ebpf.LoadPinnedMap(path, nil)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return hint("opening the pinned map "+path, err)
		}
		err = m.Compatible(old)
		_ = old.Close()
		if err == nil {
			continue
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("replacing the pinned map %s: %w", path, err)
		}
	}
	return nil
}
