// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// CLOCK_MONOTONIC_COARSE, which moves once a tick, without a call for each packet.
#pragma once
#include "kernel.h"

struct clock {
	u64 tick; // of jiffies, when it was read
	u64 now;
};

// The verifier replaces the call of bpf_jiffies64 by a load.
inline_always u64 read_clock(struct clock *c) {
	u64 tick = bpf_jiffies64();

	if (unlikely(c->tick != tick)) {
		c->tick = tick;
		c->now = bpf_ktime_get_coarse_ns();
	}
	return c->now;
}
