// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//go:build ignore

// Entry points. What a packet is, include/judge.h says; where it goes, include/forward.h.
#include "include/kernel.h"
#include "include/maps.h"
#include "include/parse.h"
#include "include/copy.h"
#include "include/policy.h"
#include "include/judge.h"
#include "include/dialog.h"
#include "include/party.h"
#include "include/direct.h"
#include "include/forward.h"

inline_always int pass(enum outcome o) {
	add_one(&outcomes, o);
	return XDP_PASS;
}

inline_always int drop(enum outcome o) {
	add_one(&outcomes, o);
	return XDP_DROP;
}

inline_always int finish(enum outcome o) {
	return o >= DROP_NOT_SIP ? drop(o) : pass(o);
}

inline_always struct note note_of(struct scratch *s) {
	const struct message *m = &s->m;

	return (struct note){
		.status = m->status,
		.method = m->status ? m->cseq_method : m->method,
		.cseq = m->cseq,
		.now = read_clock(&s->clock),
	};
}

inline_always void note_in_pin(struct scratch *s, struct pin *pin) {
	struct note n = note_of(s);

	n.leg = n.status && pin->state == STATE_EARLY ? leg_bit(s) : 0;
	if (dialog_note(pin, &n))
		pin->ended_by = hung_up(pin, from_tail(s), to_tail(s));
}

inline_always int hinder(struct xdp_md *ctx, const struct packet *p, const struct worker *w, enum outcome o) {
	if (o != DROP_TOO_BIG)
		return pass(o);
	add_one(&outcomes, o);
	return answer_too_big(ctx, p->l3, w->mtu - overhead(w), p->v6);
}

// The worker under policy direct; 0 when there is none.
inline_always u32 choose_direct(struct scratch *s, const struct service *to, const struct pin_key *key, bool initial) {
	u32 zero = 0;
	struct direct *d = bpf_map_lookup_elem(&direct_scratch, &zero);
	if (!d)
		return 0;

	d->key = *key;
	__builtin_memcpy(d->source, s->p.from, sizeof(d->source));
	d->step_ns = to->new_pin_ns;
	d->service = to->id;
	d->slots = to->slots;
	d->initial = initial;
	d->makes = METHOD_NONE;
	d->from = d->to = d->leg = 0;
	read_direct(s, d);
	d->note = note_of(s);
	d->note.leg = d->leg;
	return direct_worker(d);
}

inline_always int steer(struct xdp_md *ctx, struct scratch *s, const struct service *to) {
	struct pin_key key = {};
	struct pin *pin = 0;
	u32 id;
	enum outcome o = judge(s, to, &key);
	bool direct = to->policy == POLICY_DIRECT;
	bool begins = o == PASS_INITIAL;

	if (begins && s->pays) {
		enum outcome refused = charge_packet(s, to->id);
		if (refused != UNDECIDED)
			return drop(refused);
	}
	if (o != UNDECIDED && !(direct && begins))
		return finish(o);
	if (direct) {
		id = choose_direct(s, to, &key, begins);
	} else {
		pin = bpf_map_lookup_elem(&pins, &key);
		if (!pin)
			return pass(PASS_NO_PIN);
		id = pin->worker;
	}
	struct worker *w = bpf_map_lookup_elem(&workers, &id);
	if (!w || w->forward == FORWARD_NONE)
		return pass(PASS_NO_WORKER);
	o = hindrance(ctx, &s->p, w);
	if (o != UNDECIDED)
		return hinder(ctx, &s->p, w, o);
	if (pin)
		note_in_pin(s, pin);
	add_one(&worker_packets, id);
	int action = XDP_PASS;
	add_one(&outcomes, forward(ctx, &s->p, w, &key, &action));
	return action;
}

// Takes frames of several buffers too: headers are read in the first, the payload wherever it lies.
SEC("xdp.frags") int sipsteer(struct xdp_md *ctx) {
	u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratch, &zero);
	if (!s)
		return XDP_ABORTED;
	struct packet *p = &s->p;
	struct cursor c = cursor_of(ctx);
	*p = (struct packet){};
	enum outcome o = parse_frame(&c, p);
	if (o != UNDECIDED)
		return pass(o);

	struct service *service = find_service(&p->to);
	if (!service)
		return pass(PASS_NOT_OURS);
	if (bad_length(ctx, &c, p))
		return drop(DROP_BAD_LENGTH);
	if (service->kind == SERVICE_WORKER_PORT)
		return drop(DROP_WORKER_PORT);

	o = admit(s);
	if (o != UNDECIDED)
		return drop(o);
	if (!copy_text(ctx, s))
		return XDP_ABORTED;
	return steer(ctx, s, service);
}

// A message that user space judged, applied to its pin here so that no update races with the packets above.
struct note_args {
	struct pin_key key;
	struct note note;
	u64 from, to; // of a BYE: the tails of these lines
	u32 found;    // set to 1 when there is such a pin
	u32 pad;
};

SEC("syscall") int note_pin(struct note_args *args) {
	struct pin_key key = args->key;
	struct note n = args->note;
	struct pin *pin = bpf_map_lookup_elem(&pins, &key);

	if (!pin)
		return 0;
	if (dialog_note(pin, &n))
		pin->ended_by = hung_up(pin, args->from, args->to);
	args->found = 1;
	return 0;
}

// What the control plane adds to a pin, applied here for the same reason.
struct merge_args {
	struct pin_key key;
	struct pin more;
	u64 unless_seen; // leave the pin alone when its last packet came at another time; 0: whenever it came
	u32 found;       // set to 1 when it was applied
	u32 pad;
};

SEC("syscall") int merge_pin(struct merge_args *args) {
	struct pin_key key = args->key;
	struct pin *pin = bpf_map_lookup_elem(&pins, &key);

	if (!pin || (args->unless_seen && pin->seen_ns != args->unless_seen))
		return 0;
	dialog_merge(pin, &args->more);
	args->found = 1;
	return 0;
}

// A message of a service with policy direct that came to user space, treated as above: both give it the same worker.
struct direct_args {
	struct direct direct;
	u32 worker; // set; 0 for none
	u32 pad;
};

SEC("syscall") int choose_worker(struct direct_args *args) {
	struct direct d = args->direct;

	args->worker = direct_worker(&d);
	return 0;
}

// A request that user space alone could judge, paid for from the same buckets as the packets above.
struct charge_args {
	struct charge charge;
	enum outcome outcome; // UNDECIDED when it is paid
	u32 pad;
};

SEC("syscall") int charge_source(struct charge_args *args) {
	struct charge c = args->charge;

	args->outcome = pay(&c);
	return 0;
}

// The licence that the kernel asks for; GPL-compatible.
char _license[] SEC("license") = "Dual BSD/GPL";
