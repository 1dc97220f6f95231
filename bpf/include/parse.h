// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// From the frame to the UDP payload: Ethernet, up to two VLAN tags, IPv4 or IPv6 with extension headers, UDP.
#pragma once
#include "types.h"

struct ether_type {
	be16 v;
};
struct ip_protocol {
	u8 v;
};

#define ETH_IPV4 htons(0x0800)
#define ETH_IPV6 htons(0x86dd)
#define ETH_VLAN htons(0x8100)
#define ETH_QINQ htons(0x88a8)
#define PROTO_UDP 17

struct eth_header {
	u8 dst[6];
	u8 src[6];
	be16 type;
};
struct vlan_header {
	be16 tag;
	be16 type;
};
struct ipv4_header {
	u8 version_ihl;
	u8 tos;
	be16 total_length;
	be16 id;
	be16 fragment;
	u8 ttl;
	u8 protocol;
	u16 checksum;
	u8 src[4];
	u8 dst[4];
};

inline_always u16 fold(u32 sum) {
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

inline_always u16 header_checksum(const struct ipv4_header *ip) {
	const u16 *p = (const u16 *)ip;
	u32 sum = 0;

	for (u32 i = 0; i < sizeof(*ip) / 2; i++)
		sum += p[i];
	return ~fold(sum);
}

struct ipv6_header {
	be32 version_class_flow;
	be16 payload_length;
	u8 next_header;
	u8 hop_limit;
	u8 src[16];
	u8 dst[16];
};
struct udp_header {
	be16 src;
	be16 dst;
	be16 length;
	u16 checksum;
};

// Reads forward through the frame; each helper checks the bounds, then advances.
struct cursor {
	void *at;
	void *start;
	void *end;
};

inline_always struct cursor cursor_of(struct xdp_md *ctx) {
	void *data = (void *)(u64)ctx->data;

	return (struct cursor){data, data, (void *)(u64)ctx->data_end};
}

#define TAKE(c, type)                                                                                                  \
	({                                                                                                             \
		type *header_ = (c)->at;                                                                               \
		if ((void *)(header_ + 1) > (c)->end)                                                                  \
			header_ = 0;                                                                                   \
		else                                                                                                   \
			(c)->at = header_ + 1;                                                                         \
		header_;                                                                                               \
	})

// What parsing leaves for the steps after it.
struct packet {
	struct service_key to;
	// IPv4 in its mapped form.
	u8 from[16] __attribute__((aligned(8)));

	u32 l3;         // offset of the IP header
	u32 l4;         // offset of the UDP header
	u32 ip_length;  // of the whole IP packet, as its header says
	u32 udp_length; // as the header says
	u32 room;       // for the UDP header and payload in the IP packet
	bool v6;
};

// The IP header is behind two tags at most, the UDP header behind that and its extensions; masks for the verifier.
#define L3_MASK 0x1f
#define L4_MASK 0x7ff

// UNDECIDED when the cursor stands on a UDP header whose address is in p.
inline_always enum outcome parse_ipv4(struct cursor *c, struct packet *p) {
	struct ipv4_header *ip = TAKE(c, struct ipv4_header);

	if (!ip || ip->protocol != PROTO_UDP || ip->version_ihl >> 4 != 4)
		return PASS_NOT_OURS;
	if (ip->version_ihl != 0x45)
		return PASS_IP_OPTIONS;
	if (ip->fragment & htons(0x3fff))
		return PASS_FRAGMENT;
	p->ip_length = ntohs(ip->total_length);
	p->room = p->ip_length > sizeof(*ip) ? p->ip_length - sizeof(*ip) : 0;
	__builtin_memcpy(p->to.addr + 8, "\0\0\xff\xff", 4); // as wide as the hash of the lookup reads it
	__builtin_memcpy(p->to.addr + 12, ip->dst, 4);
	p->from[10] = p->from[11] = 0xff;
	__builtin_memcpy(p->from + 12, ip->src, 4);
	return UNDECIDED;
}

#define IPV6_HOP_BY_HOP 0
#define IPV6_ROUTING 43
#define IPV6_FRAGMENT 44
#define IPV6_AUTH 51
#define IPV6_DESTINATION 60
#define IPV6_MOBILITY 135

#define IPV6_EXT_MAX 4    // how many extension headers are walked
#define IPV6_EXT_UNITS 31 // how long each may be: in units of 8 bytes, less one

// The start that hop-by-hop, destination and routing header have in common (RFC 8200 §4).
struct ipv6_extension {
	u8 next;
	u8 units;
	u8 type;
	u8 segments_left; // of a routing header
	be32 rest;
};

// Walks over the headers that change nothing for us: options, and routes whose end is here. Gives what follows.
inline_always u8 skip_extensions(struct cursor *c, u8 next) {
	for (u32 i = 0; i < IPV6_EXT_MAX; i++) {
		if (next != IPV6_DESTINATION && next != IPV6_ROUTING && (next != IPV6_HOP_BY_HOP || i > 0))
			break;
		struct cursor look = *c;
		struct ipv6_extension *e = TAKE(&look, struct ipv6_extension);
		if (!e || e->units > IPV6_EXT_UNITS || (next == IPV6_ROUTING && e->segments_left))
			break;
		next = e->next;
		c->at = look.at + e->units * sizeof(*e);
	}
	return next;
}

inline_always enum outcome parse_ipv6(struct cursor *c, struct packet *p) {
	struct ipv6_header *ip = TAKE(c, struct ipv6_header);

	if (!ip || (*(u8 *)ip >> 4) != 6)
		return PASS_NOT_OURS;
	u32 length = ntohs(ip->payload_length);
	u8 next = ip->next_header;
	if (next != PROTO_UDP) {
		void *first = c->at;
		next = skip_extensions(c, next);
		u32 skipped = (c->at - first) & L4_MASK;
		p->room = length > skipped ? length - skipped : 0;
	} else {
		p->room = length;
	}
	p->v6 = 1;
	p->ip_length = sizeof(*ip) + length;
	__builtin_memcpy(p->to.addr, ip->dst, 16);
	__builtin_memcpy(p->from, ip->src, 16);
	switch (next) {
	case PROTO_UDP:
		return UNDECIDED;
	case IPV6_FRAGMENT:
		return PASS_FRAGMENT;
	case IPV6_HOP_BY_HOP:
	case IPV6_ROUTING:
	case IPV6_AUTH:
	case IPV6_DESTINATION:
	case IPV6_MOBILITY:
		return PASS_IPV6_EXT;
	}
	return PASS_NOT_OURS;
}

inline_always be16 skip_tags(struct cursor *c, be16 type) {
	for (u32 i = 0; i < 2 && (type == ETH_VLAN || type == ETH_QINQ); i++) {
		struct vlan_header *vlan = TAKE(c, struct vlan_header);
		if (!vlan)
			break;
		type = vlan->type;
	}
	return type;
}

inline_always enum outcome parse_frame(struct cursor *c, struct packet *p) {
	struct eth_header *eth = TAKE(c, struct eth_header);
	if (!eth)
		return PASS_NOT_OURS;
	be16 type = skip_tags(c, eth->type);

	p->l3 = c->at - c->start;
	enum outcome o = PASS_NOT_OURS;
	if (type == ETH_IPV4)
		o = parse_ipv4(c, p);
	else if (type == ETH_IPV6)
		o = parse_ipv6(c, p);
	if (o != UNDECIDED)
		return o;

	p->l4 = c->at - c->start;
	struct udp_header *udp = TAKE(c, struct udp_header);
	if (!udp)
		return PASS_NOT_OURS;
	p->to.port = udp->dst;
	p->udp_length = ntohs(udp->length);
	return UNDECIDED;
}

// Whether the UDP length fails to keep to its packet, or that to its frame. A large frame may go on in further buffers.
inline_always bool bad_length(struct xdp_md *ctx, const struct cursor *c, const struct packet *p) {
	u32 end = p->l3 + p->ip_length;

	if (p->udp_length < sizeof(struct udp_header) || p->udp_length > p->room)
		return 1;
	return end > c->end - c->start && end > bpf_xdp_get_buff_len(ctx);
}
