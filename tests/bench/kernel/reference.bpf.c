// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//go:build ignore

// What our program is measured against: one that does nothing, and a plain L4 balancer that knows no calls.
#include "../../../bpf/include/kernel.h"
#include "../../../bpf/include/parse.h"

#define MAP_LRU_HASH 9

struct vip_key {
	u8 addr[4];
	be16 port;
	u16 protocol;
};

struct flow {
	u8 src[4];
	u8 dst[4];
	be16 src_port;
	be16 dst_port;
	u8 protocol;
	u8 pad[3];
};

struct real {
	u8 addr[4];
	u8 mac[6];
	u16 pad;
};

struct {
	MAP_UINT(type, MAP_HASH);
	MAP_UINT(max_entries, 512);
	MAP_TYPE(key, struct vip_key);
	MAP_TYPE(value, u32);
} vips SEC(".maps");

struct {
	MAP_UINT(type, MAP_LRU_HASH);
	MAP_UINT(max_entries, 65536);
	MAP_TYPE(key, struct flow);
	MAP_TYPE(value, u32);
} flows SEC(".maps");

struct {
	MAP_UINT(type, MAP_ARRAY);
	MAP_UINT(max_entries, 4096);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct real);
} reals SEC(".maps");

struct counters {
	u64 packets;
	u64 bytes;
};

struct {
	MAP_UINT(type, MAP_PERCPU_ARRAY);
	MAP_UINT(max_entries, 512);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct counters);
} vip_counters SEC(".maps");

// The 5-tuple's real, by its entry in the LRU; 0 when the packet is none of ours.
inline_always struct real *find_real(struct xdp_md *ctx, u32 *ip_length) {
	struct cursor c = cursor_of(ctx);
	struct eth_header *eth = TAKE(&c, struct eth_header);
	if (!eth || eth->type != ETH_IPV4)
		return 0;
	struct ipv4_header *ip = TAKE(&c, struct ipv4_header);
	if (!ip || ip->version_ihl != 0x45 || ip->protocol != PROTO_UDP || ip->fragment & htons(0x3fff))
		return 0;
	struct udp_header *udp = TAKE(&c, struct udp_header);
	if (!udp)
		return 0;
	*ip_length = ntohs(ip->total_length);

	struct vip_key vk = {.port = udp->dst, .protocol = ip->protocol};
	__builtin_memcpy(vk.addr, ip->dst, 4);
	u32 *vip = bpf_map_lookup_elem(&vips, &vk);
	if (!vip)
		return 0;
	struct flow f = {.src_port = udp->src, .dst_port = udp->dst, .protocol = ip->protocol};
	__builtin_memcpy(f.src, ip->src, 4);
	__builtin_memcpy(f.dst, ip->dst, 4);
	u32 *real = bpf_map_lookup_elem(&flows, &f);
	if (!real)
		return 0;
	struct counters *n = bpf_map_lookup_elem(&vip_counters, vip);
	if (n) {
		n->packets++;
		n->bytes += *ip_length;
	}
	return bpf_map_lookup_elem(&reals, real);
}

// IPIP: a second IPv4 header before the first, and a new Ethernet header before that.
inline_always int encapsulate(struct xdp_md *ctx, const struct real *real, u32 ip_length) {
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct ipv4_header)))
		return XDP_DROP;
	struct cursor c = cursor_of(ctx);
	struct eth_header *eth = TAKE(&c, struct eth_header);
	struct ipv4_header *ip = eth ? TAKE(&c, struct ipv4_header) : 0;
	struct eth_header *old = ip ? (void *)eth + sizeof(*ip) : 0;
	if (!ip || (void *)(old + 1) > c.end)
		return XDP_DROP;

	__builtin_memcpy(eth->src, old->dst, 6);
	__builtin_memcpy(eth->dst, real->mac, 6);
	eth->type = ETH_IPV4;
	*ip = (struct ipv4_header){.version_ihl = 0x45, .ttl = 64, .protocol = 4};
	ip->total_length = htons((u16)(ip_length + sizeof(*ip)));
	ip->src[0] = 10;
	ip->src[3] = 1;
	__builtin_memcpy(ip->dst, real->addr, 4);
	ip->checksum = header_checksum(ip);
	return XDP_TX;
}

// Takes the encapsulation off again, so that each round of a test run meets the same packet.
inline_always int restore(struct xdp_md *ctx) {
	if (bpf_xdp_adjust_head(ctx, sizeof(struct ipv4_header)))
		return XDP_DROP;
	struct cursor c = cursor_of(ctx);
	struct eth_header *eth = TAKE(&c, struct eth_header);
	if (!eth)
		return XDP_DROP;
	eth->type = ETH_IPV4;
	return XDP_TX;
}

SEC("xdp") int empty(struct xdp_md *ctx) {
	(void)ctx;
	return XDP_PASS;
}

// The decision alone.
SEC("xdp") int l4_decide(struct xdp_md *ctx) {
	u32 length = 0;

	return find_real(ctx, &length) ? XDP_TX : XDP_DROP;
}

// Decision, encapsulation, and its undoing.
SEC("xdp") int l4_full(struct xdp_md *ctx) {
	u32 length = 0;
	struct real *real = find_real(ctx, &length);

	if (!real || encapsulate(ctx, real, length) != XDP_TX)
		return XDP_DROP;
	return restore(ctx);
}

// The undoing alone, with its counterpart's move of the head.
SEC("xdp") int undo_only(struct xdp_md *ctx) {
	if (bpf_xdp_adjust_head(ctx, -(int)sizeof(struct ipv4_header)))
		return XDP_DROP;
	return restore(ctx);
}

char _license[] SEC("license") = "Dual BSD/GPL";
