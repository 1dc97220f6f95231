// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// All state that outlives a packet. User space sets the sizes of pins and calls before load.
#pragma once
#include "text.h"

#define MAX_SERVICES 4096
#define MAX_WORKERS 4096 // ids from 1 on; 0 is no worker
#define MAX_PINS 262144
#define MAX_PREFIXES 16384
#define MAX_BANS 65536
#define MAX_SOURCES 65536 // buckets; the one unused longest makes room

struct {
	MAP_UINT(type, MAP_HASH);
	MAP_UINT(max_entries, MAX_SERVICES);
	MAP_TYPE(key, struct service_key);
	MAP_TYPE(value, struct service);
} services SEC(".maps");

// A bit for each UDP port (in network order) that may be one of a service. It spares other traffic the lookup above.
#define PORT_WORDS (65536 / 64)
struct {
	MAP_UINT(type, MAP_ARRAY);
	MAP_UINT(max_entries, PORT_WORDS);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u64);
} service_ports SEC(".maps");

struct {
	MAP_UINT(type, MAP_ARRAY);
	MAP_UINT(max_entries, MAX_WORKERS);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct worker);
} workers SEC(".maps");

// Preallocated and never evicting: a full table refuses new calls and keeps the ones that stand.
struct {
	MAP_UINT(type, MAP_HASH);
	MAP_UINT(max_entries, MAX_PINS);
	MAP_TYPE(key, struct pin_key);
	MAP_TYPE(value, struct pin);
} pins SEC(".maps");

// No program touches it. It stands beside the pins so that whoever reads them after a crash can name the calls.
struct {
	MAP_UINT(type, MAP_HASH);
	MAP_UINT(max_entries, MAX_PINS);
	MAP_UINT(map_flags, MAP_NO_PREALLOC);
	MAP_TYPE(key, struct pin_key);
	MAP_TYPE(value, struct call_info);
} calls SEC(".maps");

// Slots of a Maglev table, each with a worker. User space makes one of the size that the service has.
struct maglev_slots {
	MAP_UINT(type, MAP_ARRAY);
	MAP_UINT(max_entries, 1);
	MAP_UINT(map_flags, MAP_INNER);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u32);
};

// The tables of services with policy direct, by the services' ids. One is replaced as a whole.
struct {
	MAP_UINT(type, MAP_ARRAY_OF_MAPS);
	MAP_UINT(max_entries, MAX_SERVICES + 1);
	MAP_TYPE(key, u32);
	struct maglev_slots *values[];
} maglev SEC(".maps");

// How far each source has used up what new pins it may have made: include/bucket.h. IPv6 by /64.
struct {
	MAP_UINT(type, MAP_LRU_HASH);
	MAP_UINT(max_entries, 16384);
	MAP_TYPE(key, u8[16]);
	MAP_TYPE(value, u64);
} direct_sources SEC(".maps");

// The same of all sources together.
struct {
	MAP_UINT(type, MAP_ARRAY);
	MAP_UINT(max_entries, 1);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u64);
} direct_all SEC(".maps");

// What policy direct did, by enum direct_event.
struct {
	MAP_UINT(type, MAP_PERCPU_ARRAY);
	MAP_UINT(max_entries, DIRECT_EVENTS);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u64);
} direct_events SEC(".maps");

struct {
	MAP_UINT(type, MAP_ARRAY);
	MAP_UINT(max_entries, 1);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct source_policy);
} policies SEC(".maps");

struct {
	MAP_UINT(type, MAP_LPM_TRIE);
	MAP_UINT(max_entries, MAX_PREFIXES);
	MAP_UINT(map_flags, MAP_NO_PREALLOC);
	MAP_TYPE(key, struct prefix_key);
	MAP_TYPE(value, enum prefix_rule);
} prefixes SEC(".maps");

// The time at which each ban ends, CLOCK_MONOTONIC in nanoseconds. User space removes those that have.
struct {
	MAP_UINT(type, MAP_HASH);
	MAP_UINT(max_entries, MAX_BANS);
	MAP_UINT(map_flags, MAP_NO_PREALLOC);
	MAP_TYPE(key, struct source);
	MAP_TYPE(value, u64);
} bans SEC(".maps");

// A bucket that is not there is full.
struct {
	MAP_UINT(type, MAP_LRU_HASH);
	MAP_UINT(max_entries, MAX_SOURCES);
	MAP_TYPE(key, struct source);
	MAP_TYPE(value, struct bucket);
} source_buckets SEC(".maps");

// By service id.
struct {
	MAP_UINT(type, MAP_ARRAY);
	MAP_UINT(max_entries, MAX_SERVICES);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct bucket);
} service_buckets SEC(".maps");

// Packets steered to each worker.
struct {
	MAP_UINT(type, MAP_PERCPU_ARRAY);
	MAP_UINT(max_entries, MAX_WORKERS);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u64);
} worker_packets SEC(".maps");

// Packets by enum outcome.
struct {
	MAP_UINT(type, MAP_PERCPU_ARRAY);
	MAP_UINT(max_entries, OUTCOMES);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, u64);
} outcomes SEC(".maps");

// Working memory of the packet in hand. XDP programs do not nest on a CPU.
struct {
	MAP_UINT(type, MAP_PERCPU_ARRAY);
	MAP_UINT(max_entries, 1);
	MAP_TYPE(key, u32);
	MAP_TYPE(value, struct scratch);
} scratch SEC(".maps");

inline_always void add_one(const void *map, u32 index) {
	u64 *n = bpf_map_lookup_elem(map, &index);

	if (n)
		*n += 1;
}

inline_always struct service *find_service(const struct service_key *to) {
	u32 word = to->port / 64;
	u64 *ports = bpf_map_lookup_elem(&service_ports, &word);

	if (!ports || !(*ports >> (to->port % 64) & 1))
		return 0;
	return bpf_map_lookup_elem(&services, to);
}
