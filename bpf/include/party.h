// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Who sent a message of a dialog, and which leg answers: by the last bytes of From and To, where the tags stand.
//
// The scan does not note where From is, for it would cost every packet: the one BYE that ends a call looks again.
#pragma once
#include "scan.h"

// The last eight bytes of [begin, end); fewer are padded with zeros.
inline_always u64 tail(const struct scratch *s, u32 begin, u32 end) {
	if (begin >= end)
		return 0;
	if (end - begin >= 8)
		return load8(text_at(s, end - 8));
	return load8(text_at(s, begin)) & ~0ull >> (64 - 8 * ((end - begin) & 7));
}

// The tail of To; 0 when there is not exactly one line of it.
inline_always u64 to_tail(const struct scratch *s) {
	const u32 bit = HEADER_BIT(HEADER_TO);

	if (s->m.count[HEADER_TO] != 1 || (s->m.odd | s->m.folded) & bit)
		return 0;
	return tail(s, s->m.begin[HEADER_TO], s->m.end[HEADER_TO]);
}

// The bit that stands for the leg of a call that sent this response; 0 when its To has nothing to tell.
inline_always u32 leg_bit(const struct scratch *s) {
	u64 to = to_tail(s);

	return to ? 1u << (to * 0x9e3779b97f4a7c15ull >> 59) : 0;
}

// Offset behind the first LF from off on; off + LOOK when there is none so near.
global_fn u32 behind_lf(const struct scratch *s, u32 off) {
	if (!s)
		return TEXT_MAX;
	const u8 *p = text_at(s, off);

	for (u32 i = 0; i < LOOK; i += 8) {
		u64 marks = zero_bytes(load8(p + i) ^ EACH_BYTE('\n'));
		if (marks)
			return off + i + first_mark(marks) + 1;
	}
	return off + LOOK;
}

// Where the value begins if the line at off is From; 0 when it is not, or has many blanks around its colon.
global_fn u32 from_value(const struct scratch *s, u32 off) {
	if (!s)
		return 0;
	u32 low = load4(text_at(s, off)) | 0x20202020;

	if ((u8)low != 'f')
		return 0;
	off += low == ('f' | 'r' << 8 | 'o' << 16 | 'm' << 24) ? 4 : 1;
	off += count_many_blanks(s, off);
	if (*text_at(s, off) != ':')
		return 0;
	off += 1;
	return off + count_many_blanks(s, off);
}

inline_always u64 value_tail(const struct scratch *s, u32 begin) {
	u32 lf = find_byte(s, begin, s->m.limit, EACH_BYTE('\n'));

	if (lf >= s->m.limit || is_blank(*text_at(s, lf + 1))) // too long, or folded
		return 0;
	return tail(s, begin, lf - 1);
}

// The tail of the first From line of a message whose header the scan has walked; 0 when it is not plain.
global_fn u64 from_tail(const struct scratch *s) {
	if (!s)
		return 0;
	u32 off = 0, begin = 0;

	for (u32 i = 0; i < MAX_LINES + TEXT_MAX / LOOK; i++) {
		off = behind_lf(s, off);
		if (off >= s->m.limit)
			return 0;
		if (*text_at(s, off - 1) != '\n')
			continue;
		if (*text_at(s, off) == '\r')
			return 0;
		begin = from_value(s, off);
		if (begin)
			break;
	}
	return begin ? value_tail(s, begin) : 0;
}
