// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The payload's way out of the frame into the scratch. A call of bpf_xdp_load_bytes costs more than copying by hand.
#pragma once
#include "startline.h"

#define COPY 64 // bytes at a time

inline_always void copy_block(u8 *to, const u8 *from) {
#pragma unroll
	for (u32 i = 0; i < COPY; i += 8)
		*(u64 *)(to + i) = load8(from + i);
}

// Copies limit bytes, of which there are COPY to TEXT_MAX, if the frame's first buffer holds them all.
inline_always bool copy_blocks(struct xdp_md *ctx, struct scratch *s, u32 limit) {
	const u8 *from = (void *)(u64)ctx->data + (s->p.l4 & L4_MASK) + sizeof(struct udp_header);
	void *end = (void *)(u64)ctx->data_end;

	for (u32 off = 0; off <= TEXT_MAX - COPY && off + COPY <= limit; off += COPY) {
		if ((void *)(from + off + COPY) > end)
			return 0;
		copy_block(s->text + off, from + off);
	}
	// The last block ends with the text, and overlaps the one before.
	u32 tail = (limit - COPY) & (TEXT_MAX - 1);
	hide(tail);
	from += tail;
	if ((void *)(from + COPY) > end)
		return 0;
	copy_block(s->text + tail, from);
	return 1;
}

// Copies the text and lets an end of the header follow it, so that the scan finds one without looking where it is.
inline_always bool copy_text(struct xdp_md *ctx, struct scratch *s) {
	u32 len = s->p.udp_length - sizeof(struct udp_header);

	s->m = (struct message){.len = len, .limit = len < TEXT_MAX ? len : TEXT_MAX};
	if (len == 0)
		return 1;
	// So that each verifier sees a size from 1 to TEXT_MAX, whatever the compiler knows.
	u32 limit = ((REREAD(s->m.limit) - 1) & (TEXT_MAX - 1)) + 1;
	hide(limit);
	if (limit < COPY || unlikely(!copy_blocks(ctx, s, limit)))
		if (bpf_xdp_load_bytes(ctx, s->p.l4 + sizeof(struct udp_header), s->text, limit))
			return 0;
	*(u64 *)(s->text + limit) = WORD('\r', '\n', '\r', '\n', '\r', '\n', '\r', '\n');
	return 1;
}
