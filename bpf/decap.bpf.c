// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//go:build ignore

// Ends ipip and gue tunnels on a worker's host: takes the outer headers off and leaves the packet to the stack.
#include "include/kernel.h"
#include "include/parse.h"

#define PROTO_IPIP 4
#define PROTO_IPV6 41
#define MAX_ADDRESSES 1024

// Names in Go follow by convention. Everything that is not decapsulated goes to the stack as it is.
enum decap_outcome {
	DECAP_OTHER,    // normal: no tunnel packet for this host
	DECAP_IPIP,     // normal: taken out of an IP packet
	DECAP_GUE,      // normal: taken out of a UDP packet
	DECAP_NOT_FROM, // not normal: a tunnel packet from somebody else than the balancers
	DECAP_NOT_VIP,  // not normal: a packet inside that is for none of the addresses
	DECAP_ODD,      // not normal: a fragment, options, or a GUE header with fields of its own
	DECAP_OUTCOMES,
};

struct address {
	u8 v[16]; // IPv4 in its mapped form
};
struct prefix {
	u32 length;
	struct address address;
};

const volatile be16 gue_port = 0; // 0: none
const volatile bool end_ipip = 0;
const volatile bool any_source = 0;

// Where tunnels end: addresses of this host.
struct {
	MAP_UINT(type, MAP_HASH);
	MAP_UINT(max_entries, MAX_ADDRESSES);
	MAP_TYPE(key, struct address);
	MAP_TYPE(value, u8);
} ends SEC(".maps");

// What packets inside may be for.
struct {
	MAP_UINT(type, MAP_HASH);
	MAP_UINT(max_entries, MAX_ADDRESSES);
	MAP_TYPE(key, struct address);
	MAP_TYPE(value, u8);
} vips SEC(".maps");

// Where tunnel packets may come from.
struct {
	MAP_UINT(type, MAP_LPM_TRIE);
	MAP_UINT(max_entries, MAX_ADDRESSES);
	MAP_UINT(map_flags, MAP_NO_PREALLOC);
	MAP_TYPE(key, struct prefix);
	MAP_TYPE(value, u8);
} sources SEC(".maps");

struct {
	MAP_UINT(type, MAP_PERCPU_ARRAY);
	MAP_UINT(max_entries, DECAP_OUTCOMES);
	MAP_TYPE(key, enum decap_outcome);
	MAP_TYPE(value, u64);
} decap_outcomes SEC(".maps");

// An IP header of either family as far as tunnels go.
struct ip_view {
	struct address src;
	struct address dst;
	u8 protocol;
	bool v6;
	bool odd; // IPv4 with options or in fragments
};

inline_always void map_v4(struct address *a, const u8 *v4) {
	a->v[10] = a->v[11] = 0xff;
	__builtin_memcpy(a->v + 12, v4, 4);
}

inline_always bool view_ip(struct cursor *c, bool v6, struct ip_view *v) {
	v->v6 = v6;
	if (v6) {
		struct ipv6_header *ip = TAKE(c, struct ipv6_header);
		if (!ip || *(u8 *)ip >> 4 != 6)
			return 0;
		v->protocol = ip->next_header;
		__builtin_memcpy(v->src.v, ip->src, 16);
		__builtin_memcpy(v->dst.v, ip->dst, 16);
		return 1;
	}
	struct ipv4_header *ip = TAKE(c, struct ipv4_header);
	if (!ip || ip->version_ihl >> 4 != 4)
		return 0;
	v->protocol = ip->protocol;
	v->odd = ip->version_ihl != 0x45 || (ip->fragment & htons(0x3fff));
	map_v4(&v->src, ip->src);
	map_v4(&v->dst, ip->dst);
	return 1;
}

// Takes a GUE header and gives the protocol behind it; 0 where the header says more than that.
inline_always u8 take_gue(struct cursor *c) {
	u8 *first = c->at;
	if ((void *)(first + 1) > c->end)
		return 0;
	if (*first >> 6 == 1) // variant 1: the IP packet itself, whose version overlaps the variant
		return *first >> 4 == 4 ? PROTO_IPIP : *first >> 4 == 6 ? PROTO_IPV6 : 0;
	u8 *header = c->at;
	if ((void *)(header + 4) > c->end)
		return 0;
	c->at += 4;
	// Variant 0, no control message, no optional fields, no flags.
	return header[0] == 0 && header[2] == 0 && header[3] == 0 ? header[1] : 0;
}

// Takes off what lies between the Ethernet header of l2 bytes and the packet at an offset.
inline_always int strip(struct xdp_md *ctx, u32 l2, u32 inner, bool v6) {
	u8 ethernet[22] = {};
	be16 type = v6 ? ETH_IPV6 : ETH_IPV4;

	if (l2 < sizeof(struct eth_header) || l2 > sizeof(ethernet))
		return XDP_ABORTED;
	if (bpf_xdp_load_bytes(ctx, 0, ethernet, l2) || bpf_xdp_adjust_head(ctx, inner - l2) ||
	    bpf_xdp_store_bytes(ctx, 0, ethernet, l2) ||
	    bpf_xdp_store_bytes(ctx, l2 - sizeof(type), &type, sizeof(type)))
		return XDP_ABORTED;
	return XDP_PASS;
}

inline_always int leave(enum decap_outcome o) {
	u64 *n = bpf_map_lookup_elem(&decap_outcomes, &o);

	if (n)
		*n += 1;
	return XDP_PASS;
}

inline_always bool from_balancer(const struct ip_view *outer) {
	struct prefix p = {.length = 128, .address = outer->src};

	return any_source || bpf_map_lookup_elem(&sources, &p);
}

SEC("xdp.frags") int decap(struct xdp_md *ctx) {
	struct cursor c = cursor_of(ctx);
	struct eth_header *eth = TAKE(&c, struct eth_header);
	if (!eth)
		return leave(DECAP_OTHER);
	be16 type = skip_tags(&c, eth->type);
	u32 l2 = c.at - c.start;
	struct ip_view outer = {}, inner = {};
	if ((type != ETH_IPV4 && type != ETH_IPV6) || !view_ip(&c, type == ETH_IPV6, &outer))
		return leave(DECAP_OTHER);

	u8 protocol = outer.protocol;
	bool gue = protocol == PROTO_UDP && gue_port;
	if (gue && !outer.odd) {
		struct udp_header *udp = TAKE(&c, struct udp_header);
		if (!udp || udp->dst != gue_port)
			return leave(DECAP_OTHER);
	} else if (gue || !end_ipip || (protocol != PROTO_IPIP && protocol != PROTO_IPV6)) {
		return leave(DECAP_OTHER);
	}
	if (!bpf_map_lookup_elem(&ends, &outer.dst))
		return leave(DECAP_OTHER);
	if (!from_balancer(&outer))
		return leave(DECAP_NOT_FROM);
	if (gue)
		protocol = take_gue(&c);
	if (outer.odd || (protocol != PROTO_IPIP && protocol != PROTO_IPV6))
		return leave(DECAP_ODD);

	u32 at = c.at - c.start;
	if (!view_ip(&c, protocol == PROTO_IPV6, &inner))
		return leave(DECAP_ODD);
	if (!bpf_map_lookup_elem(&vips, &inner.dst))
		return leave(DECAP_NOT_VIP);
	leave(gue ? DECAP_GUE : DECAP_IPIP);
	return strip(ctx, l2, at, inner.v6);
}

char _license[] SEC("license") = "Dual BSD/GPL";
