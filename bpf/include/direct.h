// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Policy direct: the worker of every message, by its pin or else by Maglev over the Call-ID, with pins made here.
#pragma once
#include "judge.h"
#include "dialog.h"
#include "party.h"
#include "bucket.h"
#include "policy.h"

volatile const u64 new_pins_step_ns;  // bounds new pins of all sources together: one in this time,
volatile const u64 new_pins_burst_ns; // and as many at once as fit in this; 0 = no bound

#define SOURCE_BURST_NS 10000000000ull // of one source: ten seconds' worth

// A message as the choice of its worker needs it.
struct direct {
	struct pin_key key;
	u8 source[16] __attribute__((aligned(8)));
	struct note note;
	u64 from, to; // tails of these lines, where they tell something: include/party.h
	u64 step_ns;  // one new pin of a source in this time
	u32 service;
	u32 slots;         // of the service's table
	u32 initial;       // starts a dialog or stands alone
	enum method makes; // kind of the pin it makes; METHOD_NONE when it makes none
	u32 leg;           // for the note
	u32 pad;
};

// The message in hand. The stack has no room for it.
struct {
	MAP_UINT(type, MAP_PERCPU_ARRAY);
	MAP_UINT(max_entries, 1);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct direct);
} direct_scratch SEC(".maps");

inline_always void count_direct(enum direct_event e) {
	add_one(&direct_events, e);
}

inline_always bool forwardable(u32 id) {
	struct worker *w = bpf_map_lookup_elem(&workers, &id);

	return w && w->forward != FORWARD_NONE;
}

// The worker that the table gives to the Call-ID; 0 when there is none, or no way to it.
inline_always u32 maglev_worker(const struct direct *d) {
	u32 service = d->service, slots = d->slots;
	void *table = bpf_map_lookup_elem(&maglev, &service);
	if (!table || !slots)
		return 0;
	u32 slot = *(const u64 *)d->key.hash % slots;
	u32 *id = bpf_map_lookup_elem(table, &slot);
	return id && forwardable(*id) ? *id : 0;
}

// Whether the source, and all sources together, may have one more pin made.
inline_always bool may_pin(const struct direct *d) {
	struct source source;
	u32 zero = 0;

	source_of(d->source, &source);
	u64 *one = bpf_map_lookup_elem(&direct_sources, &source);
	if (!one) {
		u64 first = d->note.now + d->step_ns;
		bpf_map_update_elem(&direct_sources, &source, &first, UPDATE_ANY);
	} else if (!bucket_take(one, d->note.now, d->step_ns, SOURCE_BURST_NS)) {
		count_direct(DIRECT_OVER_SOURCE);
		return 0;
	}
	u64 *all = bpf_map_lookup_elem(&direct_all, &zero);
	if (new_pins_step_ns && all && !bucket_take(all, d->note.now, new_pins_step_ns, new_pins_burst_ns)) {
		count_direct(DIRECT_OVER_ALL);
		return 0;
	}
	return 1;
}

// An initial request whose Call-ID has a pin: the same attempt again, or the next one (RFC 3261 section 22.2).
inline_always void note_initial(struct pin *pin, const struct direct *d) {
	pin->seen_ns = d->note.now;
	if (d->makes == METHOD_NONE || d->note.cseq == pin->cseq || pin->state == STATE_CONFIRMED ||
	    (pin->state == STATE_EARLY && pin->method == METHOD_INVITE && d->makes != METHOD_INVITE)) {
		__sync_fetch_and_add(&pin->requests, 1);
		return;
	}
	pin->cseq = d->note.cseq;
	pin->method = d->makes;
	pin->final_code = 0;
	pin->caller = d->from;
	pin->ended_by = BY_UNKNOWN;
	pin->cancelled = 0;
	pin->ringing = 0;
	pin->start_ns = d->note.now;
	pin->ring_ns = pin->answer_ns = pin->end_ns = 0;
	pin->requests = 1;
	pin->responses = 0;
	pin->state = STATE_EARLY;
}

// The pin's worker. A pin whose worker is gone moves to the one that the table gives: every CPU moves it to the same.
inline_always u32 pinned_worker(struct pin *pin, const struct direct *d) {
	u32 id = pin->worker;

	if (!forwardable(id)) {
		u32 next = maglev_worker(d);
		if (!next)
			return 0;
		if (__sync_val_compare_and_swap(&pin->worker, id, next) == id)
			count_direct(DIRECT_MOVED);
		id = next;
	}
	if (d->initial)
		note_initial(pin, d);
	else if (dialog_note(pin, &d->note))
		pin->ended_by = hung_up(pin, d->from, d->to);
	return id;
}

inline_always struct pin new_pin(const struct direct *d, u32 worker) {
	return (struct pin){
		.worker = worker,
		.state = STATE_EARLY,
		.cseq = d->note.cseq,
		.service = d->service,
		.method = d->makes,
		.caller = d->from,
		.start_ns = d->note.now,
		.seen_ns = d->note.now,
		.requests = 1,
	};
}

// The worker that gets the message, noted in its pin; 0 when there is none. One of the CPUs that see the first packets
// of a call makes the pin, the others find it.
global_fn u32 direct_worker(struct direct *d) {
	if (!d)
		return 0;
	struct pin_key key = d->key; // Linux 6.1 takes no key from behind a pointer of a global function
	struct pin *pin = bpf_map_lookup_elem(&pins, &key);
	if (pin)
		return pinned_worker(pin, d);

	u32 id = maglev_worker(d);
	if (!id || d->makes == METHOD_NONE || !may_pin(d))
		return id;
	struct pin fresh = new_pin(d, id);
	if (bpf_map_update_elem(&pins, &key, &fresh, UPDATE_NEW) == 0) {
		count_direct(DIRECT_PINNED);
		return id;
	}
	pin = bpf_map_lookup_elem(&pins, &key);
	if (pin)
		return pinned_worker(pin, d);
	count_direct(DIRECT_TABLE_FULL);
	return id;
}

// What kind of pin an initial request makes: those that can begin a dialog (RFC 3261, 6665, 3515).
inline_always enum method pin_made_by(const struct scratch *s) {
	if (s->m.method == METHOD_INVITE)
		return METHOD_INVITE;
	u64 word = load8(s->text);
	if ((word == WORD('S', 'U', 'B', 'S', 'C', 'R', 'I', 'B') && s->text[8] == 'E' && s->text[9] == ' ') ||
	    (word & FIRST(6)) == WORD('R', 'E', 'F', 'E', 'R', ' ', 0, 0))
		return METHOD_SUBSCRIBE;
	return METHOD_NONE;
}

// Reads what a pin notes of a message beyond its kind. A CSeq that cannot be read counts as 0.
global_fn int read_direct(struct scratch *s, struct direct *d) {
	if (!s || !d)
		return 0;
	if (d->initial)
		d->makes = pin_made_by(s);
	s->m.cseq = d->makes != METHOD_NONE ? 0 : s->m.cseq;
	if (d->makes != METHOD_NONE && !(s->m.folded & HEADER_BIT(HEADER_CSEQ)))
		judge_cseq(s);
	if (d->makes != METHOD_NONE || s->m.method == METHOD_BYE)
		d->from = from_tail(s);
	if (s->m.method == METHOD_BYE)
		d->to = to_tail(s);
	if (is_response(&s->m))
		d->leg = leg_bit(s);
	return 0;
}
