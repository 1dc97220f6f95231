// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// What the maps hold: shared with Go through the object's type information.
#pragma once
#include "kernel.h"
#include "outcomes.h"

enum service_kind {
	SERVICE_NONE,
	SERVICE_VIP,         // SIP arrives here
	SERVICE_WORKER_PORT, // where local workers listen; closed from outside
};

enum policy {
	POLICY_PROXY,
	POLICY_REDIRECT,
	POLICY_DIRECT, // include/direct.h
};

struct service_key {
	u8 addr[16]; // IPv4 in its mapped form, ::ffff:a.b.c.d
	be16 port;
	u16 pad;
};

#define HASH_SHORT 128 // bytes; Call-IDs below this have a cheaper hash
#define HASH_LANES 4
// Two for each word and for each lane but the first, then an offset for each lane.
#define HASH_KEYS (2 * (HASH_SHORT / 8 + HASH_LANES - 1) + HASH_LANES)

struct service {
	u32 id;
	enum service_kind kind;
	enum policy policy;
	u32 slots;           // direct: of its table in maglev, a prime
	u64 secret[2];       // keys the hash of Call-IDs: little-endian halves, of this service alone
	u64 keys[HASH_KEYS]; // the same for short ones; made of the secret
	u64 new_pin_ns;      // direct: a source may have one pin made in this time
};

enum prefix_rule {
	PREFIX_NONE,
	PREFIX_ALLOW, // always heard: trunks
	PREFIX_DENY,  // never heard
};

// The longest prefix that matches says the rule.
struct prefix_key {
	u32 bits;    // 32 for the family, then those of addr
	u32 family;  // 4 or 6, so that ::/0 does not mean IPv4 as well
	u8 addr[16]; // IPv4 in its mapped form, 96 bits longer
};

// Whom a ban or a bucket is for: an IPv4 address in its mapped form, or an IPv6 address whose last eight bytes are 0.
struct source {
	u8 addr[16] __attribute__((aligned(8)));
};

// A token bucket's rate: tokens as nanoseconds.
struct rate {
	u64 interval; // a token comes back in this time; 0 means no limit
	u64 depth;    // what all tokens of a full bucket but one take
};

struct bucket {
	u64 full_at; // CLOCK_MONOTONIC in nanoseconds
};

enum policy_table {
	POLICY_PREFIXES = 1, // there is at least one prefix
	POLICY_BANS = 2,     // there is at least one ban
};

// What of the source policy is in use, so that the rest costs no lookup.
struct source_policy {
	enum policy_table tables; // a set
	u32 pad;
	struct rate source;  // for each source
	struct rate service; // for each service
};

// A request that begins something, to be paid for.
struct charge {
	struct source source;
	u32 service;
	u32 pad;
	u64 now; // CLOCK_MONOTONIC in nanoseconds
};

enum forward {
	FORWARD_NONE,
	FORWARD_LOCAL, // rewrite the UDP destination port
	FORWARD_L2,    // rewrite the Ethernet header
	FORWARD_IPIP,  // the same, and an outer IP header
	FORWARD_GUE,   // the same, and outer IP and UDP headers
};

struct vlan_tag {
	be16 protocol;
	be16 tag;
};

// Everything but the port of local workers is for the others. Addresses of IPv4 are in the last 4 bytes.
struct worker {
	enum forward forward;
	u32 ifindex; // where the worker is reached
	be16 port;   // local: where its socket listens; gue: where the tunnel ends
	u16 mtu;     // of IP packets on the way, outer headers included
	u8 dst_mac[6];
	u8 src_mac[6];
	struct vlan_tag tags[2]; // outermost first
	u8 tags_length;          // in bytes: 0, 4 or 8
	u8 outer_v6;             // family of the outer header
	u8 spread[2];            // bits of the outer source's last bytes that differ by call
	u8 outer_src[16];
	u8 outer_dst[16];
};

// What a message asks for, and what kind of request made a pin.
enum method {
	METHOD_NONE,
	METHOD_INVITE,
	METHOD_SUBSCRIBE, // only in pins: in a message it counts as other
	METHOD_OTHER,
	METHOD_ACK,
	METHOD_CANCEL,
	METHOD_BYE,
};

enum pin_state {
	STATE_EARLY = 1,
	STATE_CONFIRMED,
	STATE_ENDED,
};

// Who ended a dialog, as far as its messages tell.
enum ended_by {
	BY_UNKNOWN, // also: the callee or a proxy refused the call, see final_code
	BY_CALLER,
	BY_CALLEE,
	BY_TIMEOUT, // nobody: the control plane gave it up
};

struct pin_key {
	u8 hash[16];
};

// One dialog. Times are CLOCK_MONOTONIC (coarse) in nanoseconds; 0 means not yet. Its layout has a number in
// userspace/datapath/layout.go: a change here needs another, and a way to bring pins of the one before into it.
struct pin {
	u32 worker;
	enum pin_state state;
	u32 cseq; // of the request that made the pin
	u16 service;
	u8 method;   // enum method
	u8 ended_by; // enum ended_by
	u16 final_code;
	u8 cancelled; // a CANCEL passed before the answer
	u8 moved;     // stands under another key than its Call-ID's: the control plane's matter
	u32 ringing;  // a bit for each leg that rings, by its To tag
	u64 start_ns;
	u64 ring_ns;
	u64 answer_ns;
	u64 end_ns;
	u64 seen_ns;
	u64 requests;
	u64 responses;
	u64 caller; // the last bytes of From in the request that made the pin: the caller's tag. 0: not known
};

// What policy direct does besides forwarding, each with a counter.
enum direct_event {
	DIRECT_PINNED,      // normal: a pin was made for a new dialog
	DIRECT_MOVED,       // not normal: a pin's worker is gone, another took it over
	DIRECT_OVER_SOURCE, // not normal: no pin, the source had too many made; steered by the table
	DIRECT_OVER_ALL,    // not normal: no pin, all sources together had too many made
	DIRECT_TABLE_FULL,  // not normal: no pin, there is no room
	DIRECT_EVENTS,
};

// The names behind a key, NUL padded. Written and read by the control plane alone.
struct call_info {
	u8 call_id[256];
	u8 from[128];
	u8 to[128];
};
