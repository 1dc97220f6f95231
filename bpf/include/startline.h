// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The start line: what kind of message this is, and what cannot be one.
#pragma once
#include "text.h"

#define MIN_MESSAGE 16 // bytes; less cannot hold a start line and a header
#define MAX_KEEPALIVE 4

// Eight characters as a load finds them; shorter words leave the rest 0.
#define WORD(a, b, c, d, e, f, g, h)                                                                                   \
	((u64)(a) | (u64)(b) << 8 | (u64)(c) << 16 | (u64)(d) << 24 | (u64)(e) << 32 | (u64)(f) << 40 |                \
	 (u64)(g) << 48 | (u64)(h) << 56)
#define FIRST(n) (~0ull >> (64 - 8 * (n))) // mask of the first n characters of a word

inline_always bool is_keepalive(const struct scratch *s) {
	if (s->m.len > MAX_KEEPALIVE)
		return 0;
	for (u32 i = 0; i < MAX_KEEPALIVE; i++) {
		u8 c = s->text[i];
		if (i < s->m.len && c != '\r' && c != '\n' && c != ' ' && c != 0)
			return 0;
	}
	return 1;
}

// RFC 3261 section 25.1: the characters of a token, and so of a method.
inline_always bool is_token(u8 c) {
	u64 set = c < 64 ? 0x03ff6ca200000000ull : 0x47ffffff87fffffeull;

	return c < 128 && (set >> (c & 63) & 1);
}

// 100 to 699, or 0 when the line is no status line of SIP/2.0 (RFC 3261 section 7.2).
inline_always u32 status_of(const u8 *line) {
	u64 version = load8(line) | WORD(0x20, 0x20, 0x20, 0, 0, 0, 0, 0);
	u32 hundreds = line[8] - '0', tens = line[9] - '0', ones = line[10] - '0';

	if (version != WORD('s', 'i', 'p', '/', '2', '.', '0', ' '))
		return 0;
	if (hundreds - 1 > 5 || tens > 9 || ones > 9 || (line[11] != ' ' && line[11] != '\r'))
		return 0;
	return hundreds * 100 + tens * 10 + ones;
}

// The method in the n bytes that end the word w begins with; all other methods are one to the kernel.
inline_always enum method method_named(u64 w, u32 n) {
	if (n == 3 && (w & FIRST(3)) == WORD('A', 'C', 'K', 0, 0, 0, 0, 0))
		return METHOD_ACK;
	if (n == 3 && (w & FIRST(3)) == WORD('B', 'Y', 'E', 0, 0, 0, 0, 0))
		return METHOD_BYE;
	if (n == 6 && (w & FIRST(6)) == WORD('I', 'N', 'V', 'I', 'T', 'E', 0, 0))
		return METHOD_INVITE;
	if (n == 6 && (w & FIRST(6)) == WORD('C', 'A', 'N', 'C', 'E', 'L', 0, 0))
		return METHOD_CANCEL;
	return METHOD_OTHER;
}

// Reads the first bytes of the payload; UNDECIDED when the rest is worth a scan.
inline_always enum outcome read_start_line(struct scratch *s) {
	const u8 *line = s->text;

	if (is_keepalive(s))
		return DROP_KEEPALIVE;
	if (s->m.len < MIN_MESSAGE)
		return DROP_NOT_SIP;
	if (line[0] == '\r' || line[0] == '\n')
		return PASS_LEADING_CRLF;
	if (!is_token(line[0]))
		return DROP_NOT_SIP;

	s->m.status = status_of(line);
	s->m.method = METHOD_NONE;
	if (!s->m.status)
		s->m.method = method_named(load8(line), line[3] == ' ' ? 3 : line[6] == ' ' ? 6 : 0);
	return UNDECIDED;
}
