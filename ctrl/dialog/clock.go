// SPDX-License-Identifier: Apache-2.0

package dialog

import (
	"time"

	"golang.org/x/sys/unix"
)

// Monotonic is the kernel's coarse monotonic clock in nanoseconds, the one by
// which pins are stamped (bpf_ktime_get_coarse_ns).
func Monotonic() uint64 {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC_COARSE, &ts) != nil {
		return 0 // does not happen on Linux
	}
	return uint64(ts.Nano())
}

// wall turns a pin's time into wall-clock time; the zero time stays zero.
func wall(ns, nowNS uint64, now time.Time) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return now.Add(-time.Duration(nowNS - ns))
}
