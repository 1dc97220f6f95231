// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Whether the kernel can say what a message is, from what the scan found.
#pragma once
#include "value.h"
#include "hash.h"

inline_always bool is_response(const struct message *m) {
	return m->method == METHOD_NONE;
}

// A request that starts a dialog or stands alone: only with the To tag known.
inline_always bool needs_to(const struct message *m) {
	return !is_response(m) && m->method != METHOD_ACK && m->method != METHOD_CANCEL;
}

inline_always bool needs_cseq(const struct message *m) {
	return is_response(m) || m->method == METHOD_ACK;
}

inline_always bool is_initial(const struct message *m) {
	return needs_to(m) && !m->to_tag;
}

inline_always enum outcome judge_to(struct scratch *s) {
	struct message *m = &s->m;

	if (m->count[HEADER_TO] != 1 || m->odd & HEADER_BIT(HEADER_TO))
		return PASS_ODD_TO;
	int tag = to_tag(s, m->begin[HEADER_TO], m->end[HEADER_TO]);
	m->to_tag = tag == TO_TAG_PRESENT;
	return tag == TO_TAG_ODD ? PASS_ODD_TO : UNDECIDED;
}

inline_always enum outcome judge_cseq(struct scratch *s) {
	struct message *m = &s->m;

	if (m->count[HEADER_CSEQ] != 1 || m->odd & HEADER_BIT(HEADER_CSEQ))
		return PASS_ODD_CSEQ;
	return read_cseq(s) ? UNDECIDED : PASS_ODD_CSEQ;
}

// Checks the headers that this kind of message needs, in a fixed order so that each flaw has one name. Leaves the key.
inline_always enum outcome judge_header(struct scratch *s, const struct service *to, struct pin_key *key) {
	struct message *m = &s->m;
	u32 needed = HEADER_BIT(HEADER_CALL_ID);

	if (needs_to(m))
		needed |= HEADER_BIT(HEADER_TO);
	if (needs_cseq(m))
		needed |= HEADER_BIT(HEADER_CSEQ);

	if (m->count[HEADER_CALL_ID] == 0)
		return PASS_NO_CALL_ID;
	if (m->count[HEADER_CALL_ID] > 1)
		return PASS_REPEATED_CALL_ID;
	if (m->folded & needed)
		return PASS_FOLDED;
	if (m->odd & HEADER_BIT(HEADER_CALL_ID) || !hash_call_id(s, to, key))
		return PASS_ODD_CALL_ID;
	if (needs_to(m))
		return judge_to(s);
	if (needs_cseq(m))
		return judge_cseq(s);
	return UNDECIDED;
}

// Reads the text; UNDECIDED when the kernel knows what the message is, and its key.
inline_always enum outcome judge(struct scratch *s, const struct service *to, struct pin_key *key) {
	enum outcome o = read_start_line(s);

	if (o == UNDECIDED)
		o = scan_header(s);
	if (o == UNDECIDED)
		o = judge_header(s, to, key);
	if (o == UNDECIDED && is_initial(&s->m))
		o = PASS_INITIAL;
	return o;
}
