// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// SipHash-1-3 with 128 bits of output (Aumasson and Bernstein), keyed with the service's secret.
#pragma once
#include "text.h"

struct sip_hash {
	u64 v0, v1, v2, v3;
	u64 blanks; // non-zero when a byte was a blank or a control byte
};

// The n bytes before end, in the low bytes of a word.
inline_always u64 last_word(const struct scratch *s, u32 end, u32 n, u64 *blanks) {
	if (!n)
		return 0;
	u64 mask = ~0ull >> (64 - 8 * n);
	u64 w = load8(text_at(s, end - n)) & mask;

	*blanks |= blank_bytes(w | ~mask);
	return w;
}

#define ROTL(x, n) ((x) << (n) | (x) >> (64 - (n)))

inline_always void sip_round(struct sip_hash *h) {
	h->v0 += h->v1;
	h->v2 += h->v3;
	h->v1 = ROTL(h->v1, 13) ^ h->v0;
	h->v3 = ROTL(h->v3, 16) ^ h->v2;
	h->v0 = ROTL(h->v0, 32);
	h->v2 += h->v1;
	h->v0 += h->v3;
	h->v1 = ROTL(h->v1, 17) ^ h->v2;
	h->v3 = ROTL(h->v3, 21) ^ h->v0;
	h->v2 = ROTL(h->v2, 32);
}

inline_always void sip_word(struct sip_hash *h, u64 w) {
	h->v3 ^= w;
	sip_round(h);
	h->v0 ^= w;
}

#define HASH_WORDS 8 // taken in registers at a time

// Takes up to HASH_WORDS whole words of [off, end).
inline_always void hash_near(struct sip_hash *h, const struct scratch *s, u32 off, u32 end) {
	const u8 *p = text_at(s, off);

	for (u32 i = 0; i < 8 * HASH_WORDS && off + i + 8 <= end; i += 8) {
		u64 w = load8(p + i);
		h->blanks |= blank_bytes(w);
		sip_word(h, w);
	}
}

// The same as a step for long values.
global_fn int hash_words(struct sip_hash *h, const struct scratch *s, u32 off, u32 end) {
	if (!h || !s)
		return 0;
	struct sip_hash local = *h;
	hash_near(&local, s, off, end);
	*h = local;
	return 0;
}

// Takes the whole words of [off, end) behind the first HASH_WORDS.
inline_always struct sip_hash hash_far(struct sip_hash h, const struct scratch *s, u32 off, u32 end) {
	for (u32 i = 0; i < TEXT_MAX / 8 / HASH_WORDS; i++) {
		off += 8 * HASH_WORDS;
		if (off + 8 > end)
			break;
		hash_words(&h, s, off, end);
	}
	return h;
}

inline_always void hash_finish(struct sip_hash *h, u64 *out) {
	h->v2 ^= 0xee;
	sip_round(h);
	sip_round(h);
	sip_round(h);
	out[0] = h->v0 ^ h->v1 ^ h->v2 ^ h->v3;
	h->v1 ^= 0xdd;
	sip_round(h);
	sip_round(h);
	sip_round(h);
	out[1] = h->v0 ^ h->v1 ^ h->v2 ^ h->v3;
}

// Hashes [off, end) into out; non-zero when a byte there is a blank or a control byte.
inline_always u64 sip_hash(const struct scratch *s, const u64 *secret, u32 off, u32 end, u64 *out) {
	u32 len = end - off;
	struct sip_hash h = {
		secret[0] ^ 0x736f6d6570736575ull,
		secret[1] ^ 0x646f72616e646f6dull ^ 0xee,
		secret[0] ^ 0x6c7967656e657261ull,
		secret[1] ^ 0x7465646279746573ull,
		0,
	};

	hash_near(&h, s, off, end);
	if (len >= 8 * HASH_WORDS + 8)
		h = hash_far(h, s, off, end);

	u64 w = last_word(s, end, len & 7, &h.blanks);
	sip_word(&h, w | (u64)len << 56);
	hash_finish(&h, out);
	return h.blanks;
}
