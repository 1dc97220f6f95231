// SPDX-License-Identifier: Apache-2.0

package store

import (
	"syscall"
	"time"
)

// cpuTime is what this process has used, in user and kernel mode.
func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
