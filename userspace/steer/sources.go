// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"errors"
	"net/netip"
	"sync"
)

// Bounds of the tables; MAX_PREFIXES, MAX_BANS and MAX_SOURCES in C.
const (
	MaxPrefixes = 16384
	MaxBans     = 65536
	maxBuckets  = 65536
)

// ErrTooMany is returned where a table of the source policy has no room.
var ErrTooMany = errors.New("there are as many as the table can hold")

// SourcePolicy is whom a node hears, and how often.
type SourcePolicy struct {
	Prefixes map[netip.Prefix]Rule
	Bans     map[netip.Prefix]uint64 // when each ends, in nanoseconds; keys as from SourceOf
	Source   Rate                    // of requests that begin something, for each source
	Service  Rate                    // the same for each service
}

// Sources is the source policy in memory: the twin of policy.h and its maps. Times are passed in and only compared with
// each other. It is safe for concurrent use.
type Sources struct {
	mu              sync.RWMutex
	prefixes        Prefixes
	bans            map[netip.Prefix]uint64
	source, service Rate

	charging       sync.Mutex
	recent, before map[netip.Prefix]*Bucket // turn about, so that forgetting the oldest costs nothing
	services       map[uint16]*Bucket
}

// NewSources makes a policy that hears everybody.
func NewSources() *Sources {
	return &Sources{
		bans: map[netip.Prefix]uint64{}, recent: map[netip.Prefix]*Bucket{}, services: map[uint16]*Bucket{},
	}
}

// Replace sets everything but the buckets.
func (s *Sources) Replace(p SourcePolicy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prefixes = Prefixes{rules: map[netip.Prefix]Rule{}}
	for prefix, rule := range p.Prefixes {
		s.prefixes.rules[prefix.Masked()] = rule
	}
	s.prefixes.index()
	s.bans = map[netip.Prefix]uint64{}
	for source, until := range p.Bans {
		s.bans[source] = until
	}
	s.source, s.service = p.Source, p.Service
}

// SetPrefix adds a prefix or changes its rule; RuleNone removes it.
func (s *Sources) SetPrefix(p netip.Prefix, r Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r == RuleNone {
		s.prefixes.Delete(p)
		return
	}
	s.prefixes.Set(p, r)
}

// SetBan bans a source, as from SourceOf, until a time; 0 lifts the ban.
func (s *Sources) SetBan(source netip.Prefix, untilNS uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if untilNS == 0 {
		delete(s.bans, source)
		return
	}
	s.bans[source] = untilNS
}

// Rule is the rule for an address.
func (s *Sources) Rule(a netip.Addr) Rule {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.prefixes.Rule(a)
}

// Judge tells what becomes of a packet by its source alone: Undecided when it is heard. Trusted sources are never banned
// and pay nothing. The twin of judge_source in C.
func (s *Sources) Judge(from netip.Addr, nowNS uint64) (o Outcome, trusted bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.prefixes.Len() > 0 {
		switch s.prefixes.Rule(from) {
		case RuleDeny:
			return DropDenied, false
		case RuleAllow:
			return Undecided, true
		}
	}
	if len(s.bans) > 0 && s.bans[SourceOf(from)] > nowNS {
		return DropBanned, false
	}
	return Undecided, false
}

// Pay takes the tokens for a request that begins something: the source's first, so that one that sends too much takes
// nothing from the service's share of the others. Undecided when it is paid. The twin of pay in C.
func (s *Sources) Pay(from netip.Addr, service uint16, nowNS uint64) Outcome {
	s.mu.RLock()
	sourceRate, serviceRate := s.source, s.service
	s.mu.RUnlock()
	if !sourceRate.Limits() && !serviceRate.Limits() {
		return Undecided
	}
	s.charging.Lock()
	defer s.charging.Unlock()
	if sourceRate.Limits() && !s.bucket(SourceOf(from)).Take(sourceRate, nowNS) {
		return DropSourceRate
	}
	if serviceRate.Limits() && !s.serviceBucket(service).Take(serviceRate, nowNS) {
		return DropServiceRate
	}
	return Undecided
}

func (s *Sources) bucket(source netip.Prefix) *Bucket {
	if b := s.recent[source]; b != nil {
		return b
	}
	if len(s.recent) >= maxBuckets/2 {
		s.recent, s.before = map[netip.Prefix]*Bucket{}, s.recent
	}
	b := s.before[source]
	if b == nil {
		b = new(Bucket)
	}
	s.recent[source] = b
	return b
}

func (s *Sources) serviceBucket(id uint16) *Bucket {
	b := s.services[id]
	if b == nil {
		b = new(Bucket)
		s.services[id] = b
	}
	return b
}

// Buckets is how many sources have a bucket.
func (s *Sources) Buckets() int {
	s.charging.Lock()
	defer s.charging.Unlock()
	return len(s.recent) + len(s.before)
}
