// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The dialog's state machine: what each message of a call does to its pin. Time is passed in.
#pragma once
#include "types.h"

// What the state machine needs to know of a message.
struct note {
	u32 status;         // 0 in a request
	enum method method; // of a response, the one in CSeq
	u32 cseq;
	u32 leg; // of a response: the bit that stands for its To tag, or 0
	u64 now;
};

// One of the CPUs that see the same change wins, and writes the times. Most packets change nothing: these only read.
inline_always bool change_state(struct pin *pin, enum pin_state from, enum pin_state to) {
	return pin->state == from && __sync_val_compare_and_swap(&pin->state, from, to) == from;
}

inline_always bool end_dialog(struct pin *pin, enum pin_state from, u64 now) {
	if (!change_state(pin, from, STATE_ENDED))
		return 0;
	pin->end_ns = now;
	return 1;
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
	if (n->status >= 300 || n->status == 199) { // 199 ends a leg early (RFC 6228)
		if (n->status != 199)
			pin->final_code = n->status;
		if (pin->ringing & n->leg)
			__sync_fetch_and_and(&pin->ringing, ~n->leg);
	} else if (n->status >= 200) {
		confirm_dialog(pin, n);
	} else if (n->status > 100) {
		if (~pin->ringing & n->leg)
			__sync_fetch_and_or(&pin->ringing, n->leg);
		if (n->status >= 180 && n->status <= 189 && !pin->ring_ns)
			pin->ring_ns = n->now;
	}
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

// True when somebody has hung up by this request.
inline_always bool note_request(struct pin *pin, const struct note *n) {
	if (pin->method != METHOD_INVITE)
		return 0;
	if (n->method == METHOD_BYE)
		return end_dialog(pin, STATE_EARLY, n->now) || end_dialog(pin, STATE_CONFIRMED, n->now);
	if (n->method == METHOD_ACK && n->cseq == pin->cseq)
		// The 2xx would have confirmed it: this acknowledges a final failure.
		end_dialog(pin, STATE_EARLY, n->now);
	else if (n->method == METHOD_CANCEL && pin->state == STATE_EARLY)
		pin->cancelled = 1;
	return 0;
}

// Notes a message; true when somebody has hung up by it, and hung_up is to say who.
inline_always bool dialog_note(struct pin *pin, const struct note *n) {
	pin->seen_ns = n->now;
	if (n->status) {
		__sync_fetch_and_add(&pin->responses, 1);
		note_response(pin, n);
		return 0;
	}
	__sync_fetch_and_add(&pin->requests, 1);
	return note_request(pin, n);
}

// Who sent the BYE, by the last bytes of its From and To lines: whose tag is the caller's.
inline_always enum ended_by hung_up(const struct pin *pin, u64 from, u64 to) {
	if (!pin->caller)
		return BY_UNKNOWN;
	if (from == pin->caller)
		return BY_CALLER;
	return to == pin->caller ? BY_CALLEE : BY_UNKNOWN;
}

inline_always void later(u64 *time, u64 other) {
	if (*time < other)
		*time = other;
}

// A state follows only from one before it, so that no message in between is undone.
inline_always void advance(struct pin *pin, const struct pin *more) {
	if (more->state >= STATE_CONFIRMED)
		change_state(pin, STATE_EARLY, more->state);
	if (more->state == STATE_ENDED)
		change_state(pin, STATE_CONFIRMED, STATE_ENDED);
	if (more->state == STATE_ENDED && !pin->end_ns) {
		pin->ended_by = more->ended_by;
		pin->end_ns = more->end_ns;
	}
}

// Adds what is known of the dialog from elsewhere: the control plane's end of it, or the same pin in an older table.
inline_always void dialog_merge(struct pin *pin, const struct pin *more) {
	if (more->requests)
		__sync_fetch_and_add(&pin->requests, more->requests);
	if (more->responses)
		__sync_fetch_and_add(&pin->responses, more->responses);
	later(&pin->seen_ns, more->seen_ns);
	later(&pin->ring_ns, more->ring_ns);
	later(&pin->answer_ns, more->answer_ns);
	if (!pin->final_code)
		pin->final_code = more->final_code;
	pin->cancelled |= more->cancelled;
	advance(pin, more);
}
