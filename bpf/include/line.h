// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// One header line: whether it is one of those that steering reads, and where its value lies.
#pragma once
#include "startline.h"

#define MAX_BLANKS 8 // before or behind a colon

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

// Notes a header whose value begins at begin; the line behind its own begins at next.
inline_always void note_header(struct scratch *s, u32 kind, u32 begin, u32 next) {
	s->m.count[kind]++;
	s->m.begin[kind] = begin;
	s->m.end[kind] = next - 2;
	s->m.line = kind;
	s->m.next = next;
}

// Reads line i of the list in any form that there is.
global_fn int read_any_line(struct scratch *s, u32 i) {
	u32 kind = HEADER_OTHER;
	if (!s)
		return 0;
	u32 begin = s->lines[i & (MAX_LINES - 1)].begin;
	u32 next = s->lines[i & (MAX_LINES - 1)].next;
	if (is_blank(*text_at(s, begin))) {
		if (begin == s->m.next)
			s->m.folded |= HEADER_BIT(s->m.line & 3);
		return 0;
	}
	u32 name = name_length(text_at(s, begin), &kind);
	if (!name)
		return 0;

	u32 at = begin + name;
	u32 blanks = count_many_blanks(s, at);
	if (blanks <= MAX_BLANKS && *text_at(s, at + blanks) != ':')
		return 0;
	u32 value = at + blanks + 1;
	u32 skip = count_many_blanks(s, value);
	if (blanks > MAX_BLANKS || skip > MAX_BLANKS)
		s->m.odd |= HEADER_BIT(kind);
	note_header(s, kind & 3, value + skip, next);
	return 0;
}

// Reads a line with its name in the everyday form and one space before the value; false when it is another one that
// may matter.
inline_always bool read_line(struct scratch *s, u64 begin, u32 next) {
	if (begin == 0)
		return 1; // the start line
	const u8 *p = s->text + begin;
	u64 low = load8(p) | WORD(0x20, 0x20, 0x20, 0x20, 0, 0x20, 0x20, 0);
	u32 kind = HEADER_CSEQ, name = 5;

	if (low == WORD('c', 'a', 'l', 'l', '-', 'i', 'd', ':')) {
		kind = HEADER_CALL_ID;
		name = 8;
	} else if ((u32)low == (u32)WORD('c', 's', 'e', 'q', 0, 0, 0, 0)) {
		if (p[4] != ':')
			return 0;
	} else if ((low & 0xffff) == WORD('t', 'o', 0, 0, 0, 0, 0, 0)) {
		if (p[2] != ':')
			return 0;
		kind = HEADER_TO;
		name = 3;
	} else {
		return (low & 0xffff) == WORD('c', 'o', 0, 0, 0, 0, 0, 0); // Contact, Content-Length and so on
	}
	if (p[name] != ' ' || p[name + 1] <= ' ')
		return 0;
	note_header(s, kind, begin + name + 1, next);
	return 1;
}

#define NEAR_LINES 16 // taken without a call

// Reads the lines that the scan listed.
inline_always void read_lines(struct scratch *s) {
	u32 n = s->m.lines;

	for (u32 i = 0; i < NEAR_LINES && i < n; i++)
		if (!read_line(s, s->lines[i].begin & TEXT_MASK, s->lines[i].next))
			read_any_line(s, i);
	for (u32 i = NEAR_LINES; i < MAX_LINES && i < n; i++)
		read_any_line(s, i);
}
