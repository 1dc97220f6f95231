// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Ways to a worker. The packet is changed here and nowhere else.
#pragma once
#include "parse.h"

// RFC 1624: the checksum after one 16-bit field changed. 0 means that the sender computed none.
inline_always u16 fix_checksum(u16 checksum, u16 was, u16 is) {
	if (!checksum)
		return 0;
	u32 sum = (u16)~checksum + (u16)~was + is;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	u16 fixed = ~sum;
	return fixed ? fixed : 0xffff;
}

inline_always int forward_local(struct xdp_md *ctx, u32 l4, const struct worker *w) {
	struct cursor c = cursor_of(ctx);
	c.at += l4 & L4_MASK;
	struct udp_header *udp = TAKE(&c, struct udp_header);

	if (!udp)
		return XDP_ABORTED;
	udp->checksum = fix_checksum(udp->checksum, udp->dst, w->port);
	udp->dst = w->port;
	return XDP_PASS;
}

inline_always int forward_l2(struct xdp_md *ctx, const struct worker *w) {
	struct cursor c = cursor_of(ctx);
	struct eth_header *eth = TAKE(&c, struct eth_header);

	if (!eth)
		return XDP_ABORTED;
	__builtin_memcpy(eth->dst, w->dst_mac, sizeof(eth->dst));
	__builtin_memcpy(eth->src, w->src_mac, sizeof(eth->src));
	return ctx->ingress_ifindex == w->ifindex ? XDP_TX : bpf_redirect(w->ifindex, 0);
}
