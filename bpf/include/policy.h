// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Source policy: whom we hear, and how often they may begin something. Time is passed in.
#pragma once
#include "maps.h"
#include "text.h"

inline_always bool is_mapped(const u8 *addr) {
	const u64 *halves = (const u64 *)addr;

	return halves[0] == 0 && (u32)halves[1] == 0xffff0000;
}

// The source as bans and buckets know it: an IPv4 address, or the /64 of an IPv6 address, all of which one host can
// use.
inline_always void source_of(const u8 *addr, struct source *s) {
	const u64 *halves = (const u64 *)addr;

	((u64 *)s->addr)[0] = halves[0];
	((u64 *)s->addr)[1] = is_mapped(addr) ? halves[1] : 0;
}

// UNDECIDED when the source may be heard. Trusted ones (trunks) are never banned and never limited, so that nobody can
// silence them by sending in their name.
inline_always enum outcome judge_source(const struct source_policy *policy, const u8 *addr, u64 now, bool *trusted) {
	if (policy->tables & POLICY_PREFIXES) {
		struct prefix_key k = {.bits = 32 + 128, .family = is_mapped(addr) ? 4 : 6};
		__builtin_memcpy(k.addr, addr, 16);
		enum prefix_rule *rule = bpf_map_lookup_elem(&prefixes, &k);
		if (rule && *rule == PREFIX_DENY)
			return DROP_DENIED;
		if (rule && *rule == PREFIX_ALLOW) {
			*trusted = 1;
			return UNDECIDED;
		}
	}
	if (policy->tables & POLICY_BANS) {
		struct source s;
		source_of(addr, &s);
		u64 *until = bpf_map_lookup_elem(&bans, &s);
		if (until && *until > now)
			return DROP_BANNED;
	}
	return UNDECIDED;
}

// UNDECIDED when the packet's source may be heard. A function of its own, and pays in memory: the verifier follows what
// comes after once, not once for each way that leads there.
global_fn enum outcome admit(struct scratch *s) {
	u32 zero = 0;
	struct source_policy *policy = bpf_map_lookup_elem(&policies, &zero);

	if (!s || !policy)
		return UNDECIDED;
	s->pays = policy->source.interval || policy->service.interval;
	if (!policy->tables)
		return UNDECIDED;
	bool trusted = 0;
	enum outcome o = judge_source(policy, s->p.from, bpf_ktime_get_coarse_ns(), &trusted);
	if (trusted)
		s->pays = 0;
	return o;
}

#define TAKE_TRIES 4 // against other CPUs at the same bucket; who loses them all is refused

// Takes one token. A bucket is the time at which it will be full again: each token moves that by the rate's interval,
// and there is none left when it lies further ahead than the rate's depth.
inline_always bool take_token(struct bucket *b, const struct rate *r, u64 now) {
	for (u32 i = 0; i < TAKE_TRIES; i++) {
		u64 was = *(volatile u64 *)&b->full_at;
		u64 from = was > now ? was : now;
		if (from - now > r->depth)
			return 0;
		if (__sync_val_compare_and_swap(&b->full_at, was, from + r->interval) == was)
			return 1;
	}
	return 0;
}

inline_always bool take_source_token(const struct source *s, const struct rate *r, u64 now) {
	struct bucket *b = bpf_map_lookup_elem(&source_buckets, s);

	if (b)
		return take_token(b, r, now);
	struct bucket first = {now + r->interval};
	bpf_map_update_elem(&source_buckets, s, &first, UPDATE_ANY);
	return 1;
}

// Pays for a request that begins something: by its source first, so that one that sends too much takes nothing from
// the service's share of the others. UNDECIDED when it is paid.
global_fn enum outcome pay(const struct charge *c) {
	u32 zero = 0;
	struct source_policy *policy = bpf_map_lookup_elem(&policies, &zero);

	if (!c || !policy)
		return UNDECIDED;
	struct source s = c->source; // Linux 6.1 takes no key from an argument's memory
	if (policy->source.interval && !take_source_token(&s, &policy->source, c->now))
		return DROP_SOURCE_RATE;
	if (policy->service.interval) {
		u32 id = c->service;
		struct bucket *b = bpf_map_lookup_elem(&service_buckets, &id);
		if (b && !take_token(b, &policy->service, c->now))
			return DROP_SERVICE_RATE;
	}
	return UNDECIDED;
}

// Pays for the packet in hand.
global_fn enum outcome charge_packet(const struct scratch *s, u32 service) {
	if (!s)
		return UNDECIDED;
	struct charge c = {.service = service, .now = bpf_ktime_get_ns()};
	source_of(s->p.from, &c.source);
	return pay(&c);
}
