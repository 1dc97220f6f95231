// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Walks the header line by line up to the empty line and notes where Call-ID, To and CSeq stand.
//
// It never stops at the first Call-ID: a second one would go unseen.
#pragma once
#include "startline.h"

#define MAX_LINES 128
#define MAX_BLANKS 8 // before or behind a colon
#define LOOK 64      // bytes that a step looks at
#define STEPS_A_CALL 12
// A step passes LOOK bytes, or a word that may hold a LF, or a line that ends within a word.
#define MAX_STEPS (TEXT_MAX / LOOK + TEXT_MAX / 8 + MAX_LINES)
#define MAX_CALLS (MAX_STEPS / STEPS_A_CALL + 1)

enum scan_result {
	SCAN_MORE,
	SCAN_DONE,
	SCAN_BARE_LF,
	SCAN_END_MISSING,
	SCAN_TOO_LONG,
};

inline_always bool is_blank(u8 c) {
	return c == ' ' || c == '\t';
}

// How many blanks stand at off; counts to MAX_BLANKS + 1.
global_fn u32 count_many_blanks(const struct scratch *s, u32 off) {
	if (!s)
		return 0;
	const u8 *p = text_at(s, off);

	for (u32 n = 0; n <= MAX_BLANKS; n++)
		if (!is_blank(p[n]))
			return n;
	return MAX_BLANKS + 1;
}

// The same, without a call where there is one space or nothing.
inline_always u32 count_blanks(const struct scratch *s, u32 off) {
	const u8 *p = text_at(s, off);

	if (p[0] > ' ')
		return 0;
	if (likely(p[0] == ' ' && p[1] > ' '))
		return 1;
	return count_many_blanks(s, off);
}

// The length of the header name that the line begins with, and its kind; 0 when it is none of those looked for. What
// follows the name is not looked at.
inline_always u32 name_length(const u8 *line, u32 *kind) {
	u64 w = load8(line);
	u64 low = w | WORD(0x20, 0x20, 0x20, 0x20, 0, 0x20, 0x20, 0);
	u8 c = low;

	if (c == 'c') {
		if ((low & FIRST(7)) == WORD('c', 'a', 'l', 'l', '-', 'i', 'd', 0)) {
			*kind = HEADER_CALL_ID;
			return 7;
		}
		if ((low & FIRST(4)) == WORD('c', 's', 'e', 'q', 0, 0, 0, 0)) {
			*kind = HEADER_CSEQ;
			return 4;
		}
	} else if (c == 't') {
		*kind = HEADER_TO;
		return (low & FIRST(2)) == WORD('t', 'o', 0, 0, 0, 0, 0, 0) ? 2 : 1;
	} else if (c == 'i') {
		*kind = HEADER_CALL_ID;
		return 1;
	}
	return 0;
}

// Begins the line at m.start: sets its kind and where its value begins.
inline_always void begin_line(struct scratch *s) {
	u32 off = REREAD(s->m.start);
	u32 kind = HEADER_OTHER;
	u32 name = name_length(text_at(s, off), &kind);

	if (!name)
		return;
	u32 blanks = 0;
	if (unlikely(*text_at(s, off + name) != ':')) {
		blanks = count_many_blanks(s, off + name);
		if (!blanks || (blanks <= MAX_BLANKS && *text_at(s, off + name + blanks) != ':'))
			return;
	}
	u32 value = off + name + blanks + 1;
	u32 skip = count_blanks(s, value);
	u32 bit = HEADER_BIT(kind);

	if (unlikely(blanks > MAX_BLANKS || skip > MAX_BLANKS))
		s->m.odd |= bit;
	s->m.repeated |= s->m.seen & bit;
	s->m.seen |= bit;
	s->m.line = kind;
	s->m.begin[kind & 3] = value + skip;
}

// Whether a line that begins with c may matter: the low five bits are those of a blank, C, I or T.
inline_always bool may_matter(u8 c) {
	u32 set = 1u << (' ' & 31) | 1u << ('\t' & 31) | 1u << ('C' & 31) | 1u << ('I' & 31) | 1u << ('T' & 31);

	return set >> (c & 31) & 1;
}

// The line in hand ends with the LF at lf: closes it and begins the next.
inline_always enum scan_result next_line(struct scratch *s, u32 lf) {
	u64 w = load8(text_at(s, lf) - 1); // CR LF and what follows
	u8 first = w >> 16;

	// Nothing may be read from what follows the end: it is not of this message.
	if (unlikely(lf + 2 >= s->m.limit))
		return lf < s->m.limit && (u8)w != '\r' ? SCAN_BARE_LF : SCAN_END_MISSING;
	if (unlikely((w & 0xffff) != WORD('\r', '\n', 0, 0, 0, 0, 0, 0)))
		return SCAN_BARE_LF;
	if (s->m.line != HEADER_OTHER)
		s->m.end[s->m.line & 3] = lf - 1;
	if ((w & FIRST(4)) == WORD('\r', '\n', '\r', '\n', 0, 0, 0, 0))
		return SCAN_DONE;
	if (++s->m.lines >= MAX_LINES)
		return SCAN_TOO_LONG;
	if (may_matter(first) && unlikely(is_blank(first))) {
		s->m.folded |= HEADER_BIT(s->m.line & 3);
		return SCAN_MORE;
	}
	s->m.line = HEADER_OTHER;
	if (may_matter(first)) {
		REREAD(s->m.start) = lf + 1;
		begin_line(s);
	}
	return SCAN_MORE;
}

// Index of the first word from p on that may hold a LF; LOOK when none does. Taking 0x20 from each byte leaves a high
// bit in every one that was below it. It does so in some others too, which costs time and no more.
inline_always u32 find_control(const u8 *p, u64 spaces, u64 high) {
#pragma unroll
	for (u32 i = 0; i < LOOK; i += 8)
		if ((load8(p + i) - spaces) & high)
			return i;
	return LOOK;
}

// Looks at some words from m.off on, and ends the line if there is a LF.
inline_always enum scan_result scan_step(struct scratch *s, u64 spaces, u64 high) {
	u32 off = REREAD(s->m.off);

	off += find_control(text_at(s, off), spaces, high);
	if (off >= s->m.limit)
		return SCAN_END_MISSING;
	u64 marks = zero_bytes(load8(text_at(s, off)) ^ EACH_BYTE('\n'));
	u32 lf = off + first_mark(marks);
	// The next step does not wait for where in its word this LF was found, so that the CPU can look ahead.
	REREAD(s->m.off) = off + 8;
	if (unlikely(!marks))
		return SCAN_MORE;
	if (unlikely(marks & (marks - 1)))
		REREAD(s->m.off) = lf + 1;
	return next_line(s, lf);
}

// Goes on from m.off for some steps.
global_fn int scan_lines(struct scratch *s) {
	u64 spaces = EACH_BYTE(0x20), high = EACH_BYTE(0x80);
	// Constants of eight bytes stay in registers only if they do not look like constants.
	hide(spaces);
	hide(high);
	if (!s)
		return SCAN_END_MISSING;
	for (u32 i = 0; i < STEPS_A_CALL; i++) {
		enum scan_result r = scan_step(s, spaces, high);
		if (r != SCAN_MORE)
			return r;
	}
	return SCAN_MORE;
}

// Walks the whole header; UNDECIDED when its end was found.
inline_always enum outcome scan_header(struct scratch *s) {
	int r = SCAN_MORE;

	for (u32 i = 0; i < MAX_CALLS && r == SCAN_MORE; i++)
		r = scan_lines(s);
	if (likely(r == SCAN_DONE))
		return UNDECIDED;
	if (r == SCAN_BARE_LF)
		return PASS_BARE_LF;
	if (r == SCAN_END_MISSING && s->m.len <= TEXT_MAX)
		return PASS_NO_HEADER_END;
	return PASS_TOO_LONG;
}
