// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The dialog's state machine: what each message of a call does to its pin. Time is passed in.
#pragma once
#include "types.h"

// What the state machine needs to know of a message.
struct note {
	u32 status;         // 0 in a request
	enum method method; // of a response, the one in CSeq
	u32 cseq;
	u32 pad;
	u64 now;
};

// One of the CPUs that see the same change wins, and writes the times. Most packets change nothing: these only read.
inline_always bool change_state(struct pin *pin, enum pin_state from, enum pin_state to) {
	return pin->state == from && __sync_val_compare_and_swap(&pin->state, from, to) == from;
}

inline_always void end_dialog(struct pin *pin, enum pin_state from, u64 now) {
	if (change_state(pin, from, STATE_ENDED))
		pin->end_ns = now;
}

inline_always void confirm_dialog(struct pin *pin, const struct note *n) {
	if (!change_state(pin, STATE_EARLY, STATE_CONFIRMED))
		return;
	pin->answer_ns = n->now;
	pin->final_code = n->status;
}

// An answer to the INVITE. A failure of one fork branch does not end the dialog: others may live, and the ACK tells.
inline_always void note_invite_response(struct pin *pin, const struct note *n) {
	if (n->method != METHOD_INVITE)
		return;
	if (n->status >= 300)
		pin->final_code = n->status;
	else if (n->status >= 200)
		confirm_dialog(pin, n);
	else if (n->status >= 180 && n->status <= 189 && !pin->ring_ns)
		pin->ring_ns = n->now;
}

inline_always void note_response(struct pin *pin, const struct note *n) {
	if (n->cseq != pin->cseq || pin->state != STATE_EARLY)
		return;
	if (pin->method == METHOD_INVITE) {
		note_invite_response(pin, n);
	} else if (pin->method == METHOD_SUBSCRIBE && n->status >= 200 && n->status < 300) {
		confirm_dialog(pin, n);
	} else if (n->status >= 200) {
		pin->final_code = n->status;
		end_dialog(pin, STATE_EARLY, n->now);
	}
}

inline_always void note_request(struct pin *pin, const struct note *n) {
	if (pin->method != METHOD_INVITE)
		return;
	if (n->method == METHOD_BYE) {
		end_dialog(pin, STATE_EARLY, n->now);
		end_dialog(pin, STATE_CONFIRMED, n->now);
	} else if (n->method == METHOD_ACK && n->cseq == pin->cseq) {
		// The 2xx would have confirmed it: this acknowledges a final failure.
		end_dialog(pin, STATE_EARLY, n->now);
	}
}

inline_always void dialog_note(struct pin *pin, const struct note *n) {
	pin->seen_ns = n->now;
	if (n->status) {
		__sync_fetch_and_add(&pin->responses, 1);
		note_response(pin, n);
	} else {
		__sync_fetch_and_add(&pin->requests, 1);
		note_request(pin, n);
	}
}
