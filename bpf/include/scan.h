// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Walks the header line by line up to the empty line and notes where Call-ID, To and CSeq stand.
//
// It never stops at the first Call-ID: a second one would go unseen.
#pragma once
#include "startline.h"

#define MAX_LINES 128
#define MAX_BLANKS 8 // before or behind a colon
#define HOP 128      // bytes of one line that a step looks at
#define LINES_A_CALL 4
// Enough hops for TEXT_MAX bytes and as many part-filled ones as there may be lines.
#define MAX_CALLS ((TEXT_MAX / HOP + MAX_LINES) / LINES_A_CALL + 1)

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

// How many of the first MAX_BLANKS + 1 bytes are blanks, from the first on.
inline_always u32 count_blanks(const u8 *p) {
	for (u32 n = 0; n <= MAX_BLANKS; n++)
		if (!is_blank(p[n]))
			return n;
	return MAX_BLANKS + 1;
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

// Begins the line at off: sets its kind and where its value begins.
inline_always void begin_line(struct scratch *s, u32 off) {
	const u8 *line = text_at(s, off);
	u32 kind = HEADER_OTHER;
	u32 name = name_length(line, &kind);

	s->m.line = HEADER_OTHER;
	if (!name)
		return;
	const u8 *after = text_at(s, off + name);
	u32 blanks = 0;
	if (unlikely(*after != ':')) {
		blanks = count_blanks(after);
		if (!blanks || (blanks <= MAX_BLANKS && after[blanks] != ':'))
			return;
	}
	u32 value = off + name + blanks + 1;
	u32 skip = count_blanks(text_at(s, value));
	u32 bit = HEADER_BIT(kind);

	if (blanks > MAX_BLANKS || skip > MAX_BLANKS)
		s->m.odd |= bit;
	s->m.repeated |= s->m.seen & bit;
	s->m.seen |= bit;
	s->m.line = kind;
	s->m.begin[kind & 3] = value + skip;
}

// Offset from p of the first LF within HOP bytes; HOP when there is none.
inline_always u32 find_lf(const u8 *p) {
#pragma unroll
	for (u32 i = 0; i < HOP; i += 8) {
		u64 w = load8(p + i);
		if (unlikely(control_bytes(w))) {
			u64 marks = zero_bytes(w ^ EACH_BYTE('\n'));
			if (marks)
				return i + first_mark(marks);
		}
	}
	return HOP;
}

// The line in hand ends with the LF at lf: closes it and begins the next.
inline_always enum scan_result next_line(struct scratch *s, u32 lf) {
	u64 w = load8(text_at(s, lf - 1)); // CR LF and what follows
	u8 first = w >> 16;

	if ((w & 0xffff) != WORD('\r', '\n', 0, 0, 0, 0, 0, 0))
		return SCAN_BARE_LF;
	if (lf + 2 >= s->m.limit)
		return SCAN_END_MISSING; // nothing may be read from what follows: it is not of this message
	s->m.end[s->m.line & 3] = lf - 1;
	if ((w & FIRST(4)) == WORD('\r', '\n', '\r', '\n', 0, 0, 0, 0))
		return SCAN_DONE;
	if (++s->m.lines >= MAX_LINES)
		return SCAN_TOO_LONG;
	if (unlikely(is_blank(first)))
		s->m.folded |= HEADER_BIT(s->m.line & 3);
	else
		begin_line(s, lf + 1);
	return SCAN_MORE;
}

// Goes on from m.off for a few lines.
global_fn int scan_lines(struct scratch *s) {
	if (!s)
		return SCAN_END_MISSING;
	for (u32 i = 0; i < LINES_A_CALL; i++) {
		u32 off = s->m.off;
		u32 found = find_lf(text_at(s, off));
		u32 at = off + found;

		s->m.off = at;
		if (at >= s->m.limit)
			return SCAN_END_MISSING;
		if (found == HOP)
			continue;
		enum scan_result r = next_line(s, at);
		if (r != SCAN_MORE)
			return r;
		s->m.off = at + 1;
	}
	return SCAN_MORE;
}

// Walks the whole header; UNDECIDED when its end was found.
inline_always enum outcome scan_header(struct scratch *s) {
	int r = SCAN_MORE;

	for (u32 i = 0; i < MAX_CALLS && r == SCAN_MORE; i++)
		r = scan_lines(s);
	if (r == SCAN_DONE)
		return UNDECIDED;
	if (r == SCAN_BARE_LF)
		return PASS_BARE_LF;
	if (r == SCAN_END_MISSING && s->m.len <= TEXT_MAX)
		return PASS_NO_HEADER_END;
	return PASS_TOO_LONG;
}
