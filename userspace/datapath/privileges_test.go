// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// withoutCapabilities runs fn on a thread that has none in effect.
func withoutCapabilities(t *testing.T, fn func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var had [2]unix.CapUserData
	must(t, unix.Capget(&header, &had[0]))
	none := had
	none[0].Effective, none[1].Effective = 0, 0
	must(t, unix.Capset(&header, &none[0]))
	defer func() { must(t, unix.Capset(&header, &had[0])) }()
	fn()
}

func TestWithoutPrivilegesTheErrorSaysWhatToDo(t *testing.T) {
	needRoot(t)
	for name, cfg := range map[string]Config{
		"pinned":     {Mode: ModeAuto, MaxPins: 16, PinPath: filepath.Join(bpffsRoot, "sipsteer-test-privileges")},
		"not pinned": {Mode: ModeAuto, MaxPins: 16},
	} {
		withoutCapabilities(t, func() {
			d, err := Open(cfg)
			if err == nil {
				_ = d.Close()
			}
			if !errors.Is(err, ErrPrivileges) || !strings.Contains(err.Error(), "mode: off") {
				t.Errorf("%s: got %v, want ErrPrivileges", name, err)
			}
		})
	}
	gone(t, filepath.Join(bpffsRoot, "sipsteer-test-privileges"))
}

func TestModeOffOpensNothing(t *testing.T) {
	if d, err := Open(Config{Mode: ModeOff}); err == nil {
		_ = d.Close()
		t.Error("opened with mode off")
	}
}
