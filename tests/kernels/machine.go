// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

// A boot with all tests takes about half a minute where nothing else runs.
const bootTimeout = 5 * time.Minute

// boot runs a kernel with an initial file system until it powers off, and returns what came over the serial line.
func boot(image, initrd string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bootTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64",
		"-machine", "accel=tcg", "-cpu", "max", "-smp", "2", "-m", "1024",
		"-display", "none", "-monitor", "none", "-serial", "stdio", "-nic", "none", "-no-reboot",
		"-kernel", image, "-initrd", initrd,
		// A panic restarts at once, which -no-reboot makes an end.
		"-append", "console=ttyS0 quiet panic=-1")
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("qemu-system-x86_64 is not installed: make test-packages, or apt-get install --no-install-recommends qemu-system-x86")
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("still running after %v", bootTimeout)
	}
	if err != nil {
		return "", fmt.Errorf("running qemu: %w\n%s", err, tail(string(out)))
	}
	return string(out), nil
}
