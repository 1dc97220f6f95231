// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Walks the header line by line up to the empty line, and lists the lines that may matter.
//
// It never stops at the first Call-ID: a second one would go unseen.
#pragma once
#include "line.h"

#define LOOK 64 // bytes that a step looks at
// A step passes LOOK bytes or ends a line. What goes on from one step to the next is in registers; a verifier that
// meets too many steps forgets the states that it could have met again, so there is a call after some of them.
#define NEAR_STEPS 20 // without a call
#define STEPS_A_CALL 16
#define MAX_CALLS ((TEXT_MAX / LOOK + MAX_LINES + 2) / STEPS_A_CALL)

#define SCAN_MORE OUTCOMES // no outcome yet

#define NOT_CRLF 0xffffffff

// Where the line behind the first LF from off on begins; NOT_CRLF when no CR stands before that; 0 without a LF.
global_fn u32 next_line_from(const struct scratch *s, u32 off) {
	if (!s)
		return 0;
	u32 limit = s->m.limit;

	for (u32 i = 0; i <= TEXT_MAX / 8; i++) {
		if (off >= limit)
			return 0;
		u64 marks = zero_bytes(load8(text_at(s, off)) ^ EACH_BYTE('\n'));
		if (marks) {
			u32 lf = off + first_mark(marks);
			return lf >= limit ? 0 : load2(text_at(s, lf - 1)) == CRLF ? lf + 1 : NOT_CRLF;
		}
		off += 8;
	}
	return 0;
}

// The header has as many lines as it may, and the next one begins at next: is that the empty one?
inline_always enum outcome end_of_lines(const struct scratch *s, u64 next) {
	if (next + 1 >= s->m.limit)
		return PASS_NO_HEADER_END;
	return load2(s->text + next) == CRLF ? UNDECIDED : PASS_TOO_LONG;
}

// 1 for a blank, C, I and T, and for some that are none.
inline_always u64 may_matter(u8 c) {
	u64 set = 1ull << ' ' | 1ull << '\t' | 1ull << ('C' & 63) | 1ull << ('c' & 63) | 1ull << ('I' & 63) |
		  1ull << ('i' & 63) | 1ull << ('T' & 63) | 1ull << ('t' & 63);

	return set >> (c & 63) & 1;
}

// Leaves for found_N when a byte of word N may be a LF: when 0x0d is taken from each byte, those below it leave a high
// bit, which is LF, tab, and other control bytes. Bytes from 0x8d on do so too, and a CR behind one of these.
#define LOOK_AT(n)                                                                                                     \
	t = load8(p + 8 * n) - base;                                                                                   \
	asm goto("if %0 & %1 goto %l2" ::"r"(t), "r"(high)::found_##n)
// The mask stands here so that each way to what follows looks the same to the verifier; n keeps them apart.
#define FOUND_AT(n)                                                                                                    \
	found_##n : off = (off + 8 * n + 8) & TEXT_MASK;                                                               \
	asm volatile("" : "+r"(off) : "i"(n));                                                                         \
	goto found
// A single high bit times this has in its top four bits how many bytes of the word lie behind its own.
#define BYTES_BEHIND 0x00e0c0a080604020ull
#define LINES_MASK (2 * MAX_LINES - 1)
#define BASE EACH_BYTE(0x0d)

// Goes on for some steps. There is an end of the header behind the text: no step asks where that ends.
inline_always enum outcome scan_steps(struct scratch *s, u32 steps) {
	u64 base = BASE, high = EACH_BYTE(0x80);
	// Constants of eight bytes stay in registers only if they do not look like constants.
	hide(base);
	hide(high);
	// Masked whenever they change: then each step looks the same to the verifier.
	u64 off = s->m.off & TEXT_MASK;     // where the search goes on
	u64 start = s->m.start & TEXT_MASK; // of the line in hand
	u64 seen = s->m.seen & LINES_MASK;
	u64 listed = s->m.lines & LINES_MASK;

	for (u32 step = 0; step < steps; step++) {
		const u8 *p = s->text + off;
		u64 t;
		LOOK_AT(0);
		LOOK_AT(1);
		LOOK_AT(2);
		LOOK_AT(3);
		LOOK_AT(4);
		LOOK_AT(5);
		LOOK_AT(6);
		LOOK_AT(7);
		off = (off + LOOK) & TEXT_MASK;
		hide(off);
		continue;
		FOUND_AT(0);
		FOUND_AT(1);
		FOUND_AT(2);
		FOUND_AT(3);
		FOUND_AT(4);
		FOUND_AT(5);
		FOUND_AT(6);
		FOUND_AT(7);
	found:
		t &= high;
		u64 next = (off - (t * BYTES_BEHIND >> 60)) & TEXT_MASK;
		u64 below = t - 1;
		hide(below); // or it becomes a count of bits
		// The next step does not wait for where in its word a LF was found, if there is but one, so that the
		// CPU can look ahead.
		if (unlikely(t & below)) {
			next = (off - ((t & -t) * BYTES_BEHIND >> 60)) & TEXT_MASK;
			hide(next);
			off = next & TEXT_MASK;
		}
		hide(next);
		if (unlikely(load2(s->text + next - 2) != CRLF)) {
			u32 found = next_line_from(s, start);
			if (!found)
				return PASS_NO_HEADER_END;
			if (found == NOT_CRLF) // in the last byte it is no line
				return start + 1 < s->m.limit ? PASS_BARE_LF : PASS_NO_HEADER_END;
			next = found & TEXT_MASK;
			hide(next);
			off = next & TEXT_MASK;
		}
		if (next == start + 2) {
			s->m.lines = listed;
			return next <= s->m.limit ? UNDECIDED : PASS_NO_HEADER_END;
		}
		struct line *l = &s->lines[listed & (MAX_LINES - 1)];
		l->begin = start;
		l->next = next;
		listed = (listed + may_matter(s->text[start])) & LINES_MASK;
		hide(listed);
		seen = (seen + 1) & LINES_MASK;
		hide(seen);
		if (unlikely(seen >= MAX_LINES)) {
			s->m.lines = listed;
			return end_of_lines(s, next);
		}
		start = next;
	}
	s->m.off = off;
	s->m.start = start;
	s->m.seen = seen;
	s->m.lines = listed;
	return SCAN_MORE;
}

global_fn enum outcome scan_on(struct scratch *s) {
	return s ? scan_steps(s, STEPS_A_CALL) : UNDECIDED;
}

inline_always enum outcome scan_lines(struct scratch *s) {
	enum outcome o = scan_steps(s, NEAR_STEPS);

	for (u32 i = 0; i < MAX_CALLS && unlikely(o == SCAN_MORE); i++)
		o = scan_on(s);
	return o;
}

// UNDECIDED when the end of the header was found.
inline_always enum outcome scan_header(struct scratch *s) {
	enum outcome o = scan_lines(s);

	if (likely(o == UNDECIDED))
		read_lines(s);
	if (o == SCAN_MORE || (o == PASS_NO_HEADER_END && s->m.len > TEXT_MAX))
		return PASS_TOO_LONG;
	return o;
}
