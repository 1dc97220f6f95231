// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reads the values of To and CSeq in their everyday forms. Rare ones are left to user space: odd, and up.
#pragma once
#include "scan.h"

enum to_tag {
	TO_TAG_NONE,
	TO_TAG_PRESENT,
	TO_TAG_ODD,
};

// What stands behind the address, from at on: nothing, or ";tag=" and a tag first of all.
inline_always enum to_tag tag_behind(const struct scratch *s, u32 at, u32 end) {
	const u8 *p = text_at(s, at);
	u64 low = load8(p) | WORD(0, 0x20, 0x20, 0x20, 0, 0, 0, 0);

	if (at >= end)
		return TO_TAG_NONE;
	if ((low & FIRST(5)) != WORD(';', 't', 'a', 'g', '=', 0, 0, 0) || at + 5 >= end || !is_token(p[5]))
		return TO_TAG_ODD;
	return TO_TAG_PRESENT;
}

#define ANGLE_MASK EACH_BYTE('<' ^ '>') // '<' and '>' differ in one bit
#define ANGLE EACH_BYTE('<' | '>')

// The display name may be a quoted string without escapes; neither it nor the address can hide a tag then. Returns
// where the search for the address begins, or FIND_FAR.
inline_always u32 skip_quoted(const struct scratch *s, u32 begin, u32 end) {
	u32 close = find(s, begin + 1, end, 0, EACH_BYTE('"'));

	if (close >= end || find(s, begin + 1, close, 0, EACH_BYTE('\\')) != close)
		return FIND_FAR;
	return close + 1;
}

// Whether the To value in [begin, end) has a tag parameter (RFC 3261 section 20.39).
inline_always int to_tag(const struct scratch *s, u32 begin, u32 end) {
	if (begin >= end)
		return TO_TAG_ODD;
	u32 from = begin;
	if (*text_at(s, begin) == '"') {
		from = skip_quoted(s, begin, end);
		if (from == FIND_FAR)
			return TO_TAG_ODD;
	}
	u32 open = find(s, from, end, ANGLE_MASK, ANGLE);
	if (open == FIND_FAR || find(s, from, open, 0, EACH_BYTE('"')) != open)
		return TO_TAG_ODD;
	if (open == end) { // no angle brackets: what follows a semicolon belongs to the header
		if (from != begin)
			return TO_TAG_ODD;
		u32 semicolon = find(s, begin, end, 0, EACH_BYTE(';'));
		return semicolon == FIND_FAR ? TO_TAG_ODD : tag_behind(s, semicolon, end);
	}
	u32 close = find(s, open + 1, end, ANGLE_MASK, ANGLE);
	if (close >= end || *text_at(s, open) != '<' || *text_at(s, close) != '>')
		return TO_TAG_ODD;
	return tag_behind(s, close + 1, end);
}

#define CSEQ_DIGITS 10

// Reads number and method from the CSeq value (RFC 3261 section 20.16); false when it is not exactly these.
inline_always int read_cseq(struct scratch *s) {
	u32 at = s->m.begin[HEADER_CSEQ], end = s->m.end[HEADER_CSEQ];
	const u8 *p = text_at(s, at);
	u64 number = 0;
	u32 n = 0;

	for (; n < CSEQ_DIGITS && (u8)(p[n] - '0') <= 9; n++)
		number = number * 10 + (p[n] - '0');
	u32 blanks = count_blanks(p + n);
	at += n + blanks;
	if (!n || number > 0xffffffff || !blanks || blanks > MAX_BLANKS || at >= end)
		return 0;
	if (*text_at(s, end - 1) <= ' ')
		return 0;
	s->m.cseq = number;
	s->m.cseq_method = method_named(load8(text_at(s, at)), end - at);
	return 1;
}
