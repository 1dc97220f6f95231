// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Ways to a worker. The packet is changed here and in tunnel.h.
#pragma once
#include "tunnel.h"

// Whether a sender of this host may have left its UDP checksum to a device that has none, as veth does. Set before
// load.
const volatile bool partial_checksums = 0;

// RFC 1624: the checksum after one 16-bit field changed. 0 means that the sender computed none.
inline_always u16 fix_checksum(u16 checksum, u16 was, u16 is) {
	if (!checksum)
		return 0;
	u16 fixed = ~fold((u16)~checksum + (u16)~was + is);
	return fixed ? fixed : 0xffff;
}

inline_always int forward_local(struct xdp_md *ctx, const struct packet *p, const struct worker *w) {
	struct cursor c = cursor_of(ctx);
	c.at += p->l4 & L4_MASK;
	struct udp_header *udp = TAKE(&c, struct udp_header);

	if (!udp)
		return XDP_ABORTED;
	udp->checksum = fix_checksum(udp->checksum, udp->dst, w->port);
	udp->dst = w->port;
	return XDP_PASS;
}

// Such a checksum holds the sum over the pseudo header alone. One packet in 65536 looks the same by chance and takes
// the longer way too.
inline_always bool partial_checksum(struct xdp_md *ctx, const struct packet *p) {
	struct cursor c = cursor_of(ctx);
	c.at += p->l4 & L4_MASK;
	struct udp_header *udp = TAKE(&c, struct udp_header);
	u32 sum = htons(p->udp_length) + htons(PROTO_UDP);

	c.at = c.start + (p->l3 & L3_MASK);
	if (p->v6) {
		struct ipv6_header *ip = TAKE(&c, struct ipv6_header);
		if (!ip || !udp)
			return 0;
		sum += sum_bytes(ip->src, 32);
	} else {
		struct ipv4_header *ip = TAKE(&c, struct ipv4_header);
		if (!ip || !udp)
			return 0;
		sum += sum_bytes(ip->src, 8);
	}
	return udp->checksum == fold(sum);
}

// UNDECIDED when the packet can go its way to a worker on another host.
inline_always enum outcome hindrance(struct xdp_md *ctx, const struct packet *p, const struct worker *w) {
	if (w->forward == FORWARD_LOCAL)
		return UNDECIDED;
	if (partial_checksums && partial_checksum(ctx, p))
		return PASS_PARTIAL_CHECKSUM;
	if (unlikely(p->ip_length + overhead(w) > w->mtu))
		return too_big(ctx, p, w);
	return UNDECIDED;
}

// Changes the frame to one for the worker; how it then leaves is in *action.
inline_always enum outcome forward(struct xdp_md *ctx, const struct packet *p, const struct worker *w,
				   const struct pin_key *key, int *action) {
	if (w->forward == FORWARD_LOCAL) {
		*action = forward_local(ctx, p, w);
		return STEER_LOCAL;
	}
	if (!make_room(ctx, p, w))
		return PASS_NO_HEADROOM;
	bool back = ctx->ingress_ifindex == w->ifindex;
	*action = !write_headers(ctx, p, w, key) ? XDP_ABORTED : back ? XDP_TX : bpf_redirect(w->ifindex, 0);
	if (w->forward == FORWARD_L2)
		return back ? STEER_L2_TX : STEER_L2_REDIRECT;
	return w->forward == FORWARD_IPIP ? STEER_IPIP : STEER_GUE;
}
