// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Packets that do not fit the way to their worker: what the sender is told (RFC 1191, RFC 8201).
#pragma once
#include "parse.h"

#define IPV6_MIN_MTU 1280 // nobody may be asked to send less (RFC 8200 §5)
#define QUOTE 128         // bytes of the packet that come back; no driver has fewer in the first buffer
#define PROTO_ICMP 1
#define PROTO_ICMPV6 58

// Bytes that the way to a worker puts before the IP packet, behind Ethernet.
inline_always u32 overhead(const struct worker *w) {
	if (w->forward <= FORWARD_L2)
		return 0;
	u32 ip = w->outer_v6 ? sizeof(struct ipv6_header) : sizeof(struct ipv4_header);
	return w->forward == FORWARD_GUE ? ip + sizeof(struct udp_header) : ip;
}

struct icmp_too_big {
	u8 type;
	u8 code;
	u16 checksum;
	be32 mtu;
	u8 quote[QUOTE];
};

struct too_big_v4 {
	struct ipv4_header ip;
	struct icmp_too_big icmp;
};

struct too_big_v6 {
	struct ipv6_header ip;
	struct icmp_too_big icmp;
};

inline_always u32 sum_bytes(const void *at, u32 bytes) {
	const u16 *p = at;
	u32 sum = 0;

	for (u32 i = 0; i < bytes / 2; i++)
		sum += p[i];
	return sum;
}

// Puts the answer in the place of the packet and sends the frame back where it came from.
inline_always int send_back(struct xdp_md *ctx, u32 l3, void *answer, u32 length) {
	u8 swapped[12];
	int shrink = (int)(l3 + length) - (int)bpf_xdp_get_buff_len(ctx);

	if (bpf_xdp_load_bytes(ctx, 0, swapped + 6, 6) || bpf_xdp_load_bytes(ctx, 6, swapped, 6))
		return XDP_DROP;
	if (shrink > 0 || bpf_xdp_store_bytes(ctx, 0, swapped, sizeof(swapped)) ||
	    bpf_xdp_store_bytes(ctx, l3, answer, length) || bpf_xdp_adjust_tail(ctx, shrink))
		return XDP_DROP;
	return XDP_TX;
}

inline_always int answer_v4(struct xdp_md *ctx, u32 l3, u32 mtu) {
	struct too_big_v4 a = {
		.ip = {.version_ihl = 0x45, .total_length = htons(sizeof(a)), .ttl = 64, .protocol = PROTO_ICMP},
		.icmp = {.type = 3, .code = 4, .mtu = htonl(mtu)},
	};

	if (bpf_xdp_load_bytes(ctx, l3, a.icmp.quote, QUOTE))
		return XDP_DROP;
	struct ipv4_header *was = (void *)a.icmp.quote;
	__builtin_memcpy(a.ip.src, was->dst, 4);
	__builtin_memcpy(a.ip.dst, was->src, 4);
	a.ip.checksum = header_checksum(&a.ip);
	a.icmp.checksum = ~fold(sum_bytes(&a.icmp, sizeof(a.icmp)));
	return send_back(ctx, l3, &a, sizeof(a));
}

inline_always int answer_v6(struct xdp_md *ctx, u32 l3, u32 mtu) {
	struct too_big_v6 a = {
		.ip = {.payload_length = htons(sizeof(a.icmp)), .next_header = PROTO_ICMPV6, .hop_limit = 64},
		.icmp = {.type = 2, .mtu = htonl(mtu)},
	};

	*(u8 *)&a.ip = 0x60;
	if (bpf_xdp_load_bytes(ctx, l3, a.icmp.quote, QUOTE))
		return XDP_DROP;
	struct ipv6_header *was = (void *)a.icmp.quote;
	__builtin_memcpy(a.ip.src, was->dst, 16);
	__builtin_memcpy(a.ip.dst, was->src, 16);
	u32 pseudo = sum_bytes(a.ip.src, 32) + htons(sizeof(a.icmp)) + htons(PROTO_ICMPV6);
	a.icmp.checksum = ~fold(sum_bytes(&a.icmp, sizeof(a.icmp)) + pseudo);
	return send_back(ctx, l3, &a, sizeof(a));
}

// Verified once for itself: it is rare, and its loops would count on every path.
global_fn int answer_too_big(struct xdp_md *ctx, u32 l3, u32 mtu, u32 v6) {
	if (l3 > L3_MASK)
		return XDP_ABORTED;
	return v6 ? answer_v6(ctx, l3, mtu) : answer_v4(ctx, l3, mtu);
}

// DROP_TOO_BIG when the sender can be asked to send less; else user space sends the packet on in fragments.
inline_always enum outcome too_big(struct xdp_md *ctx, const struct packet *p, const struct worker *w) {
	if (p->v6)
		return w->mtu >= IPV6_MIN_MTU + overhead(w) ? DROP_TOO_BIG : PASS_TOO_BIG;
	struct cursor c = cursor_of(ctx);
	c.at += p->l3 & L3_MASK;
	struct ipv4_header *ip = TAKE(&c, struct ipv4_header);
	return ip && ip->fragment & htons(0x4000) ? DROP_TOO_BIG : PASS_TOO_BIG;
}
