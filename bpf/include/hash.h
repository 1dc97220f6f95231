// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The key of a Call-ID. Below HASH_SHORT bytes it comes from a keyed universal hash, which a CPU without vector
// instructions computes several times as fast as SipHash: multilinear hashing in pairs of halves of 64-bit words
// (Lemire and Kaser, "Strongly universal string hashing is fast"), in four lanes that share their keys by shifting
// (Krawczyk's Toeplitz construction, as in UMAC). Each lane gives 32 bits. Two Call-IDs that were chosen without
// knowledge of the keys meet with a probability of 2^-128. Longer ones are hashed with SipHash.
#pragma once
#include "siphash.h"

struct lanes {
	u64 sum[HASH_LANES];
};

// Adds a word; k are the keys from its place on.
inline_always void add_word(struct lanes *l, const u64 *k, u64 w) {
	u64 low = (u32)w, high = w >> 32;

#pragma unroll
	for (u32 i = 0; i < HASH_LANES; i++)
		l->sum[i] += (k[2 * i] + low) * (k[2 * i + 1] + high);
}

// The length is in the last word's top byte, and each number of words has offsets of its own.
inline_always u64 short_hash(const struct scratch *s, const u64 *k, u32 off, u32 end, u32 *out) {
	const u8 *p = text_at(s, off);
	u32 len = end - off;
	struct lanes l = {};
	u64 blanks = 0;

	hide(len); // or the bound of the loop goes, which the verifier of Linux 6.1 needs
	for (u32 i = 8; i < HASH_SHORT && i <= len; i += 8) {
		u64 w = load8(p + i - 8);
		blanks |= blank_bytes(w);
		add_word(&l, k, w);
		k += 2;
	}
	add_word(&l, k, last_word(s, end, len & 7, &blanks) | (u64)len << 56);
	k += 2 * HASH_LANES;
#pragma unroll
	for (u32 i = 0; i < HASH_LANES; i++)
		out[i] = (l.sum[i] + k[i]) >> 32;
	return blanks;
}

// Hashes the Call-ID that the scan found; false when it is empty or not one word.
inline_always bool hash_call_id(const struct scratch *s, const struct service *to, struct pin_key *key) {
	u32 off = s->m.begin[HEADER_CALL_ID], end = s->m.end[HEADER_CALL_ID];

	if (off >= end)
		return 0;
	if (likely(end - off < HASH_SHORT))
		return !short_hash(s, to->keys, off, end, (u32 *)key->hash);
	return !sip_hash(s, to->secret, off, end, (u64 *)key->hash);
}
