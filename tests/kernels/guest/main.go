// SPDX-License-Identifier: Apache-2.0

// Guest is the first process of a booted kernel. It mounts what the tests need, loads every BPF object, runs the tests,
// reports on the console in lines that start with "@guest", and powers off.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

func main() {
	defer powerOff()
	defer func() {
		if p := recover(); p != nil {
			fmt.Printf("%s\n", debug.Stack())
			say("failed", fmt.Sprint("panic: ", p))
		}
	}()
	if err := prepare(); err != nil {
		say("failed", err.Error())
		return
	}
	for _, step := range []struct {
		files string
		run   func(file string) error
	}{{"/objects/*", loadObject}, {"/tests/*/*/run.test", runTests}} {
		files, err := filepath.Glob(step.files)
		if err != nil {
			say("failed", err.Error())
		}
		for _, file := range files {
			if err := step.run(file); err != nil {
				say("failed", fmt.Sprintf("%s: %v", file, err))
			}
		}
	}
	say("end", "")
}

// say reports one line, whatever is in the text.
func say(kind, text string) {
	fmt.Printf("\n@guest %s %s\n", kind, strings.ReplaceAll(text, "\n", " | "))
}

func powerOff() {
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// prepare mounts the kernel's file systems and loads the modules.
func prepare() error {
	for _, m := range []struct{ kind, at string }{
		{"devtmpfs", "/dev"}, {"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/tmp"},
		{"tmpfs", "/run"}, {"bpf", "/sys/fs/bpf"}, {"tracefs", "/sys/kernel/tracing"},
	} {
		if err := os.MkdirAll(m.at, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.at, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mounting %s on %s: %w", m.kind, m.at, err)
		}
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return err
	}
	say("release", unix.ByteSliceToString(uts.Release[:]))
	modules, err := filepath.Glob("/modules/*")
	if err != nil {
		return err
	}
	for _, file := range modules {
		if err := loadModule(file); err != nil {
			return fmt.Errorf("loading module %s: %w", file, err)
		}
	}
	return nil
}

// moduleCompressed is MODULE_INIT_COMPRESSED_FILE of linux/module.h, since Linux 5.17.
const moduleCompressed = 4

func loadModule(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 4)
	if _, err := f.ReadAt(head, 0); err != nil {
		return err
	}
	flags := 0
	if string(head) != "\x7fELF" {
		flags = moduleCompressed
	}
	return unix.FinitModule(int(f.Fd()), "", flags)
}
