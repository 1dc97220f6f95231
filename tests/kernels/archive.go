// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path"
)

// entry is one file of the initial file system. Folders come by themselves.
type entry struct {
	name string // below the root, without a leading slash
	data []byte
}

// Modes of the archive's entries (stat(2)).
const (
	folderMode = 0o040755
	fileMode   = 0o100755
)

// writeArchive writes an initial file system as the kernel reads it: a cpio archive in the "newc" format
// (Documentation/driver-api/early-userspace/buffer-format.rst).
func writeArchive(file string, entries []entry) error {
	f, err := os.Create(file)
	if err != nil {
		return fmt.Errorf("making the initial file system: %w", err)
	}
	defer f.Close()
	out := bufio.NewWriter(f)
	a := archive{out: out, folders: map[string]bool{".": true}}
	for _, e := range entries {
		a.folder(path.Dir(e.name))
		a.add(e.name, fileMode, e.data)
	}
	a.add("TRAILER!!!", 0, nil)
	if a.err == nil {
		a.err = out.Flush()
	}
	if a.err != nil {
		return fmt.Errorf("writing the initial file system: %w", a.err)
	}
	return f.Close()
}

type archive struct {
	out     io.Writer
	written int
	inode   int
	folders map[string]bool
	err     error // the first one
}

// folder adds a folder and those above it, once.
func (a *archive) folder(name string) {
	if a.folders[name] {
		return
	}
	a.folders[name] = true
	a.folder(path.Dir(name))
	a.add(name, folderMode, nil)
}

func (a *archive) add(name string, mode int, data []byte) {
	a.inode++
	header := "070701"
	for _, field := range []int{a.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0} {
		header += fmt.Sprintf("%08x", field)
	}
	a.write([]byte(header + name + "\x00"))
	a.pad()
	a.write(data)
	a.pad()
}

// pad goes on to a multiple of four bytes.
func (a *archive) pad() { a.write(make([]byte, -a.written&3)) }

func (a *archive) write(b []byte) {
	if a.err != nil {
		return
	}
	var n int
	n, a.err = a.out.Write(b)
	a.written += n
}
