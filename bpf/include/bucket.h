// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// A token bucket in one word: the time until which what was taken is paid for (the generic cell rate algorithm).
#pragma once
#include "kernel.h"

// Takes one token, worth step_ns, when no more than burst_ns of them are owed then. CPUs that race add up what they
// take; together they may take one each too many.
inline_always bool bucket_take(u64 *paid_until, u64 now, u64 step_ns, u64 burst_ns) {
	u64 was = *(volatile u64 *)paid_until;

	if (was > now && was - now + step_ns > burst_ns)
		return 0;
	if (was <= now && __sync_val_compare_and_swap(paid_until, was, now + step_ns) == was)
		return 1;
	__sync_fetch_and_add(paid_until, step_ns);
	return 1;
}
