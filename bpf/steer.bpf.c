// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//go:build ignore

// Entry points. What a packet is, include/judge.h says; where it goes, include/forward.h.
#include "include/kernel.h"
#include "include/maps.h"
#include "include/parse.h"
#include "include/copy.h"
#include "include/judge.h"
#include "include/dialog.h"
#include "include/party.h"
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

inline_always int forward_pinned(struct xdp_md *ctx, struct scratch *s, const struct pin_key *key, struct pin *pin) {
	u32 id = pin->worker;
	struct worker *w = bpf_map_lookup_elem(&workers, &id);
	if (!w || w->forward == FORWARD_NONE)
		return pass(PASS_NO_WORKER);
	enum outcome o = hindrance(ctx, &s->p, w);
	if (o == DROP_TOO_BIG) {
		add_one(&outcomes, o);
		return answer_too_big(ctx, s->p.l3, w->mtu - overhead(w), s->p.v6);
	}
	if (o != UNDECIDED)
		return pass(o);

	struct note n = {
		.status = s->m.status,
		.method = s->m.status ? s->m.cseq_method : s->m.method,
		.cseq = s->m.cseq,
		.leg = s->m.status && pin->state == STATE_EARLY ? leg_bit(s) : 0,
		.now = read_clock(&s->clock),
	};
	if (dialog_note(pin, &n))
		pin->ended_by = hung_up(pin, from_tail(s), to_tail(s));
	add_one(&worker_packets, id);
	int action = XDP_PASS;
	add_one(&outcomes, forward(ctx, &s->p, w, key, &action));
	return action;
}

inline_always int steer(struct xdp_md *ctx, struct scratch *s, const struct service *to) {
	struct pin_key key = {};
	enum outcome o = judge(s, to, &key);

	if (o != UNDECIDED)
		return finish(o);

	struct pin *pin = bpf_map_lookup_elem(&pins, &key);
	if (!pin)
		return pass(PASS_NO_PIN);
	return forward_pinned(ctx, s, &key, pin);
}

// Takes frames of several buffers too: headers are read in the first, the payload wherever it lies.
SEC("xdp.frags") int sipsteer(struct xdp_md *ctx) {
	struct packet p = {};
	struct cursor c = cursor_of(ctx);
	enum outcome o = parse_frame(&c, &p);
	if (o != UNDECIDED)
		return pass(o);

	struct service *service = find_service(&p.to);
	if (!service)
		return pass(PASS_NOT_OURS);
	if (bad_length(ctx, &c, &p))
		return drop(DROP_BAD_LENGTH);
	if (service->kind == SERVICE_WORKER_PORT)
		return drop(DROP_WORKER_PORT);

	u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratch, &zero);
	if (!s)
		return XDP_ABORTED;
	s->p = p;
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

// The licence that the kernel asks for; GPL-compatible.
char _license[] SEC("license") = "Dual BSD/GPL";
