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

// Offset of the first angle bracket in [off, end), or, with stop, of a double quote if that comes first; end and
// FIND_FAR as from find_byte.
inline_always u32 find_angle(const struct scratch *s, u32 off, u32 end, bool stop) {
	const u8 *p = text_at(s, off);

	for (u32 i = 0; i < FIND_MAX; i += 8) {
		u64 w = load8(p + i);
		u64 marks = zero_bytes((w | EACH_BYTE('<' ^ '>')) ^ EACH_BYTE('<' | '>')); // these differ in one bit
		if (stop)
			marks |= zero_bytes(w ^ EACH_BYTE('"'));
		if (marks) {
			u32 at = off + i + first_mark(marks);
			return at < end ? at : end;
		}
		if (off + i + 8 >= end)
			return end;
	}
	return FIND_FAR;
}

// The display name may be a quoted string without escapes; neither it nor the address can hide a tag then. Returns
// where the search for the address begins, or FIND_FAR.
inline_always u32 skip_quoted(const struct scratch *s, u32 begin, u32 end) {
	u32 close = find_byte(s, begin + 1, end, EACH_BYTE('"'));

	if (close >= end || find_byte(s, begin + 1, close, EACH_BYTE('\\')) != close)
		return FIND_FAR;
	return close + 1;
}

// No angle brackets: what follows a semicolon belongs to the header.
inline_always enum to_tag bare_tag(const struct scratch *s, u32 begin, u32 end) {
	u32 semicolon = find_byte(s, begin, end, EACH_BYTE(';'));

	return semicolon == FIND_FAR ? TO_TAG_ODD : tag_behind(s, semicolon, end);
}

// Whether the To value in [begin, end) has a tag parameter (RFC 3261 section 20.39).
inline_always enum to_tag to_tag(const struct scratch *s, u32 begin, u32 end) {
	if (begin >= end)
		return TO_TAG_ODD;
	u32 from = begin;
	if (*text_at(s, begin) == '"') {
		from = skip_quoted(s, begin, end);
		if (from == FIND_FAR)
			return TO_TAG_ODD;
	}
	u32 open = find_angle(s, from, end, 1);
	if (open == FIND_FAR)
		return TO_TAG_ODD;
	if (open == end)
		return from == begin ? bare_tag(s, begin, end) : TO_TAG_ODD;
	if (*text_at(s, open) != '<')
		return TO_TAG_ODD;
	u32 close = find_angle(s, open + 1, end, 0);
	if (close >= end || *text_at(s, close) != '>')
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
	u32 blanks = count_blanks(s, at + n);
	at += n + blanks;
	if (!n || number > 0xffffffff || !blanks || blanks > MAX_BLANKS || at >= end)
		return 0;
	if (*text_at(s, end - 1) <= ' ')
		return 0;
	s->m.cseq = number;
	s->m.cseq_method = method_named(load8(text_at(s, at)), end - at);
	return 1;
}
