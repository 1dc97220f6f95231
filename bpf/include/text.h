// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The payload in memory of our own, read eight bytes at a time.
//
// Working on a copy costs one memcpy and saves a bounds check on each step; an offset needs only a mask. The copy is a
// map value, whose contents the verifier does not track: what a loop keeps here does not multiply its states.
#pragma once
#include "clock.h"
#include "parse.h"

#define TEXT_MAX 4096                // how far into a payload the scan looks
#define TEXT_MASK (2 * TEXT_MAX - 1) // lets an offset run past the end
#define TEXT_PAD 320                 // reads may run past the end by this much; what they find there is never used

enum header_kind {
	HEADER_OTHER,
	HEADER_CALL_ID,
	HEADER_TO,
	HEADER_CSEQ,
	HEADER_KINDS,
};
#define HEADER_BIT(kind) (1u << (kind))

struct message {
	u32 len;   // of the UDP payload
	u32 limit; // how much of it is in the text
	// Of the scan: where it goes on, where the line in hand begins, how many lines it has seen and listed.
	u32 off;
	u32 start;
	u32 seen;
	u32 lines;
	u32 line; // enum header_kind of the last line that was one
	u32 next; // where the line behind it begins
	// Sets of HEADER_BIT.
	u32 folded;
	u32 odd; // too many blanks around the colon
	// How often each kind was seen, and where its value lies; begin after leading blanks, end at the CR.
	u32 count[HEADER_KINDS];
	u32 begin[HEADER_KINDS];
	u32 end[HEADER_KINDS];

	u32 status;         // 100 to 999; 0 in a request
	enum method method; // METHOD_NONE in a response
	u32 cseq;
	enum method cseq_method;
	u32 to_tag;
};

#define MAX_LINES 128

// A line of the header, by offsets.
struct line {
	u16 begin;
	u16 next; // where the line behind it begins
};

struct scratch {
	struct clock clock;
	struct message m;
	struct packet p;
	bool pays;                    // its source pays for what it begins
	struct line lines[MAX_LINES]; // those that may matter
	u8 text[TEXT_MASK + 1 + TEXT_PAD];
};

// A field that is written to memory and read from there. The verifier forgets what it knew of the value, and so follows
// the code behind once, not once for each way that leads there.
#define REREAD(field) (*(volatile typeof(field) *)&(field))

#define CRLF 0x0a0d // as load2 finds it
#define EACH_BYTE(x) (0x0101010101010101ull * (x))

inline_always const u8 *text_at(const struct scratch *s, u32 off) {
	hide(off); // the verifier of Linux 6.1 needs the mask where the compiler may not
	return s->text + (off & TEXT_MASK);
}

inline_always u64 load8(const u8 *p) {
	return *(const u64 *)p;
}

inline_always u32 load4(const u8 *p) {
	return *(const u32 *)p;
}

inline_always u16 load2(const u8 *p) {
	return *(const u16 *)p;
}

// The lowest mark is that of the lowest zero byte; there is none when no byte is zero.
inline_always u64 zero_bytes(u64 w) {
	return (w - EACH_BYTE(1)) & ~w & EACH_BYTE(0x80);
}

// Non-zero when a byte is a blank or control byte, up to 0x20.
inline_always u64 blank_bytes(u64 w) {
	return (w - EACH_BYTE(0x21)) & ~w & EACH_BYTE(0x80);
}

// Index of the byte whose 0x80 bit is the lowest bit set.
inline_always u32 first_mark(u64 marks) {
	return ((marks & -marks) >> 7) * 0x0001020304050607ull >> 56;
}

#define FIND_MAX 256 // how far find_byte looks
#define FIND_FAR 0xffffffff

// Offset of the first byte in [off, end) that equals those of pattern; end when there is none; FIND_FAR when there is
// none within FIND_MAX bytes and end lies further.
global_fn u32 find_byte(const struct scratch *s, u32 off, u32 end, u64 pattern) {
	if (!s)
		return FIND_FAR;
	for (u32 i = 0; i < FIND_MAX; i += 8) {
		if (off + i >= end)
			return end;
		u64 marks = zero_bytes(load8(text_at(s, off + i)) ^ pattern);
		if (marks) {
			u32 at = off + i + first_mark(marks);
			return at < end ? at : end;
		}
	}
	return off + FIND_MAX >= end ? end : FIND_FAR;
}
