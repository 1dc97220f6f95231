// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// The few kernel definitions that the programs use, so that a build needs no header of the host.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef _Bool bool;
typedef u16 be16; // network byte order
typedef u32 be32;

// The verifier knows the context of a global function by this struct's name.
struct xdp_md {
	u32 data;
	u32 data_end;
	u32 data_meta;
	u32 ingress_ifindex;
	u32 rx_queue_index;
	u32 egress_ifindex;
};

enum xdp_action {
	XDP_ABORTED,
	XDP_DROP,
	XDP_PASS,
	XDP_TX,
	XDP_REDIRECT,
};

// What the libbpf map definition syntax calls for.
#define MAP_UINT(name, val) int(*name)[val]
#define MAP_TYPE(name, val) typeof(val) *name
#define SEC(name) __attribute__((section(name), used))

enum map_type {
	MAP_HASH = 1,
	MAP_ARRAY = 2,
	MAP_PERCPU_ARRAY = 6,
	MAP_LRU_HASH = 9,
	MAP_LPM_TRIE = 11,
	MAP_ARRAY_OF_MAPS = 12,
};
#define MAP_NO_PREALLOC 1
#define MAP_INNER 0x1000 // Linux 5.10: inner maps may differ in size
#define UPDATE_ANY 0
#define UPDATE_NEW 1 // fails when the key is there

static void *(*const bpf_map_lookup_elem)(const void *map, const void *key) = (void *)1;
static long (*const bpf_map_update_elem)(const void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u64 (*const bpf_ktime_get_ns)(void) = (void *)5;
static long (*const bpf_redirect)(u32 ifindex, u64 flags) = (void *)23;
static long (*const bpf_xdp_adjust_head)(struct xdp_md *ctx, int delta) = (void *)44;
static long (*const bpf_xdp_adjust_tail)(struct xdp_md *ctx, int delta) = (void *)65;
static u64 (*const bpf_jiffies64)(void) = (void *)118;
// Linux 5.11
static u64 (*const bpf_ktime_get_coarse_ns)(void) = (void *)160;
// Linux 5.18
static u64 (*const bpf_xdp_get_buff_len)(struct xdp_md *ctx) = (void *)188;
static long (*const bpf_xdp_load_bytes)(struct xdp_md *ctx, u32 offset, void *to, u32 len) = (void *)189; // Linux 5.18

static long (*const bpf_xdp_store_bytes)(struct xdp_md *ctx, u32 offset, void *from,
					 u32 len) = (void *)190; // Linux 5.18

#define inline_always static inline __attribute__((always_inline))
// A global function is verified once by itself, not again on each path that calls it. The verifier takes its result
// for any scalar, which also stops it from following each value of an offset through the loops.
#define global_fn __attribute__((noinline))
// Makes the compiler forget what it knows of a value, and so keep the check or mask that the verifier needs to see.
#define hide(x) asm volatile("" : "+r"(x))
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define ntohs(x) __builtin_bswap16(x)
#define htons(x) __builtin_bswap16(x)
#define htonl(x) __builtin_bswap32(x)
