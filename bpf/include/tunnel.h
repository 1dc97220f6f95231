// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The headers of a frame for a worker on another host: Ethernet with the way's own VLAN tags, and for tunnels IP, and
// for gue UDP. gue is variant 1, the IP packet right behind the UDP header: both Linux' fou and Katran's decapsulation
// read it.
#pragma once
#include "toobig.h"

#define PROTO_IPIP 4
#define PROTO_IPV6 41
#define TUNNEL_TTL 64
#define GUE_FIRST_PORT 0xc000 // of 16384, by call, so that routers and network cards spread the calls

inline_always bool tunnels(const struct worker *w) {
	return w->forward != FORWARD_L2;
}

// Makes the headers before the IP packet as long as the worker's way wants them.
inline_always bool make_room(struct xdp_md *ctx, const struct packet *p, const struct worker *w) {
	int more = sizeof(struct eth_header) + w->tags_length + overhead(w) - p->l3;

	return !more || bpf_xdp_adjust_head(ctx, -more) == 0;
}

inline_always bool write_ethernet(struct cursor *c, const struct worker *w, bool v6) {
	u8 *addresses = c->at;
	if (c->at + 12 > c->end)
		return 0;
	__builtin_memcpy(addresses, w->dst_mac, 6);
	__builtin_memcpy(addresses + 6, w->src_mac, 6);
	c->at += 12;
	for (u32 i = 0; i < 2; i++) {
		if (w->tags_length <= i * sizeof(struct vlan_tag))
			break;
		struct vlan_tag *tag = TAKE(c, struct vlan_tag);
		if (!tag)
			return 0;
		*tag = w->tags[i];
	}
	be16 *type = TAKE(c, be16);
	if (!type)
		return 0;
	*type = v6 ? ETH_IPV6 : ETH_IPV4;
	return 1;
}

// RFC 2003 with the flags that Linux gives by default: not to be fragmented, and so without an identification.
inline_always bool write_outer_v4(struct cursor *c, const struct worker *w, u8 protocol, u8 dscp, u32 length,
				  const struct pin_key *key) {
	struct ipv4_header *ip = TAKE(c, struct ipv4_header);
	if (!ip)
		return 0;
	*ip = (struct ipv4_header){
		.version_ihl = 0x45,
		.tos = dscp,
		.total_length = htons((u16)(length + sizeof(*ip))),
		.fragment = htons(0x4000),
		.ttl = TUNNEL_TTL,
		.protocol = protocol,
	};
	__builtin_memcpy(ip->src, w->outer_src + 12, 4);
	ip->src[2] |= key->hash[2] & w->spread[0];
	ip->src[3] |= key->hash[3] & w->spread[1];
	__builtin_memcpy(ip->dst, w->outer_dst + 12, 4);
	ip->checksum = header_checksum(ip);
	return 1;
}

// RFC 2473, with a flow label by call (RFC 6438).
inline_always bool write_outer_v6(struct cursor *c, const struct worker *w, u8 protocol, u8 dscp, u32 length,
				  const struct pin_key *key) {
	struct ipv6_header *ip = TAKE(c, struct ipv6_header);
	if (!ip)
		return 0;
	u8 *first = (u8 *)ip;
	first[0] = 0x60 | dscp >> 4;
	first[1] = dscp << 4 | (key->hash[4] & 0x0f);
	first[2] = key->hash[5];
	first[3] = key->hash[6];
	ip->payload_length = htons((u16)length);
	ip->next_header = protocol;
	ip->hop_limit = TUNNEL_TTL;
	__builtin_memcpy(ip->src, w->outer_src, 16);
	ip->src[14] |= key->hash[2] & w->spread[0];
	ip->src[15] |= key->hash[3] & w->spread[1];
	__builtin_memcpy(ip->dst, w->outer_dst, 16);
	return 1;
}

// Without a checksum over IPv6 too, as RFC 6935 allows for tunnels; the packet inside has its own.
inline_always bool write_gue(struct cursor *c, const struct worker *w, u32 length, const struct pin_key *key) {
	struct udp_header *udp = TAKE(c, struct udp_header);
	if (!udp)
		return 0;
	udp->src = htons(GUE_FIRST_PORT) | (key->hash[0] & 0x3f) | key->hash[1] << 8;
	udp->dst = w->port;
	udp->length = htons((u16)length);
	udp->checksum = 0;
	return 1;
}

// The DSCP of the IP packet at an offset, as it stands in a traffic class. What routers note of congestion stays
// outside (RFC 6040 §4.1, compatibility mode): not every end of a tunnel would carry it over.
inline_always u8 dscp_at(const struct cursor *c, u32 off, bool v6) {
	const u8 *ip = c->start + off;

	if ((void *)(ip + 2) > c->end)
		return 0;
	return (v6 ? ip[0] << 4 | ip[1] >> 4 : ip[1]) & 0xfc;
}

inline_always bool write_headers(struct xdp_md *ctx, const struct packet *p, const struct worker *w,
				 const struct pin_key *key) {
	struct cursor c = cursor_of(ctx);

	if (!tunnels(w))
		return write_ethernet(&c, w, p->v6);
	u32 length = p->ip_length;
	u8 protocol = p->v6 ? PROTO_IPV6 : PROTO_IPIP;
	u8 dscp = dscp_at(&c, (sizeof(struct eth_header) + w->tags_length + overhead(w)) & 0x7f, p->v6);
	if (w->forward == FORWARD_GUE) {
		protocol = PROTO_UDP;
		length += sizeof(struct udp_header);
	}
	if (!write_ethernet(&c, w, w->outer_v6))
		return 0;
	bool ok = w->outer_v6 ? write_outer_v6(&c, w, protocol, dscp, length, key)
			      : write_outer_v4(&c, w, protocol, dscp, length, key);
	return ok && (w->forward != FORWARD_GUE || write_gue(&c, w, length, key));
}
