// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/sipsteer/sipsteer/bpf"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Sources is the kernel's source policy. It is safe for concurrent use.
type Sources struct {
	policies, prefixes, bans *ebpf.Map
	charge                   *ebpf.Program

	mu              sync.Mutex
	have            map[netip.Prefix]bool // prefixes in the kernel
	banned          map[netip.Prefix]bool
	source, service steer.Rate
}

func newSources(objs *bpf.SteerObjects) *Sources {
	return &Sources{
		policies: objs.Policies, prefixes: objs.Prefixes, bans: objs.Bans, charge: objs.ChargeSource,
		have: map[netip.Prefix]bool{}, banned: map[netip.Prefix]bool{},
	}
}

// NowPrecise returns the clock that bans and token buckets are in: CLOCK_MONOTONIC, in nanoseconds.
func NowPrecise() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0 // no kernel lacks it
	}
	return uint64(ts.Nano())
}

func prefixKey(p netip.Prefix) bpf.SteerPrefixKey {
	p = p.Masked()
	k := bpf.SteerPrefixKey{Bits: uint32(32 + p.Bits()), Family: 6, Addr: p.Addr().As16()}
	if p.Addr().Is4() {
		k.Bits += 96
		k.Family = 4
	}
	return k
}

func keyPrefix(k bpf.SteerPrefixKey) netip.Prefix {
	if k.Family == 4 {
		return netip.PrefixFrom(netip.AddrFrom16(k.Addr).Unmap(), int(k.Bits)-32-96)
	}
	return netip.PrefixFrom(netip.AddrFrom16(k.Addr), int(k.Bits)-32)
}

func banKey(source netip.Prefix) bpf.SteerSource {
	return bpf.SteerSource{Addr: source.Masked().Addr().As16()}
}

func rateC(r steer.Rate) bpf.SteerRate {
	return bpf.SteerRate{Interval: r.IntervalNS, Depth: r.DepthNS}
}

// Replace sets the whole policy: what is wanted first, then what stands of an earlier daemon and is not wanted goes. The
// buckets stay as they are.
func (s *Sources) Replace(p steer.SourcePolicy) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.source, s.service = p.Source, p.Service
	if err := s.takeStock(); err != nil {
		return err
	}
	for prefix, rule := range p.Prefixes {
		if err := s.setPrefix(prefix, rule); err != nil {
			return err
		}
	}
	for source, until := range p.Bans {
		if err := s.setBan(source, until); err != nil {
			return err
		}
	}
	for prefix := range s.have {
		if _, wanted := p.Prefixes[prefix]; !wanted {
			if err := s.setPrefix(prefix, steer.RuleNone); err != nil {
				return err
			}
		}
	}
	for source := range s.banned {
		if _, wanted := p.Bans[source]; !wanted {
			if err := s.setBan(source, 0); err != nil {
				return err
			}
		}
	}
	return s.publish()
}

// takeStock reads which prefixes and bans stand in the kernel.
func (s *Sources) takeStock() error {
	var prefix bpf.SteerPrefixKey
	var rule bpf.SteerPrefixRule
	it := s.prefixes.Iterate()
	for it.Next(&prefix, &rule) {
		s.have[keyPrefix(prefix)] = true
	}
	if err := it.Err(); err != nil {
		return fmt.Errorf("reading prefixes: %w", err)
	}
	var source bpf.SteerSource
	var until uint64
	it = s.bans.Iterate()
	for it.Next(&source, &until) {
		s.banned[steer.SourceOf(netip.AddrFrom16(source.Addr))] = true
	}
	if err := it.Err(); err != nil {
		return fmt.Errorf("reading bans: %w", err)
	}
	return nil
}

// SetPrefix adds a prefix or changes its rule; RuleNone removes it. The error wraps steer.ErrTooMany when there is no room.
func (s *Sources) SetPrefix(p netip.Prefix, r steer.Rule) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.setPrefix(p.Masked(), r); err != nil {
		return err
	}
	return s.publish()
}

// SetBan bans a source, as from steer.SourceOf, until a time as of NowPrecise; 0 lifts the ban. The error wraps
// steer.ErrFull when there is no room.
func (s *Sources) SetBan(source netip.Prefix, untilNS uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.setBan(source, untilNS); err != nil {
		return err
	}
	return s.publish()
}

func (s *Sources) setPrefix(p netip.Prefix, r steer.Rule) error {
	if r == steer.RuleNone {
		delete(s.have, p)
		return remove(s.prefixes, prefixKey(p), "removing the prefix "+p.String())
	}
	if err := s.prefixes.Put(prefixKey(p), bpf.SteerPrefixRule(r)); err != nil {
		return fullSources("setting the prefix "+p.String(), err)
	}
	s.have[p] = true
	return nil
}

func (s *Sources) setBan(source netip.Prefix, untilNS uint64) error {
	if untilNS == 0 {
		delete(s.banned, source)
		return remove(s.bans, banKey(source), "lifting the ban of "+source.String())
	}
	if err := s.bans.Put(banKey(source), untilNS); err != nil {
		return fullSources("banning "+source.String(), err)
	}
	s.banned[source] = true
	return nil
}

func remove(m *ebpf.Map, key any, doing string) error {
	if err := m.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	return nil
}

// publish tells the program which tables it has to look into.
func (s *Sources) publish() error {
	v := bpf.SteerSourcePolicy{Source: rateC(s.source), Service: rateC(s.service)}
	if len(s.have) > 0 {
		v.Tables |= bpf.SteerPolicyTablePOLICY_PREFIXES
	}
	if len(s.banned) > 0 {
		v.Tables |= bpf.SteerPolicyTablePOLICY_BANS
	}
	if err := s.policies.Put(uint32(0), v); err != nil {
		return fmt.Errorf("publishing the source policy: %w", err)
	}
	return nil
}

// Pay takes the tokens for a request that begins something and that user space alone could judge, from the buckets that
// the program takes from. nowNS is as of NowPrecise. Undecided when it is paid, and when the kernel cannot be asked.
func (s *Sources) Pay(from netip.Addr, service uint16, nowNS uint64) steer.Outcome {
	args := bpf.SteerChargeArgs{Charge: bpf.SteerCharge{
		Source: banKey(steer.SourceOf(from)), Service: uint32(service), Now: nowNS,
	}}
	out := args
	if _, err := s.charge.Run(&ebpf.RunOptions{Context: args, ContextOut: &out}); err != nil {
		return steer.Undecided
	}
	return steer.Outcome(out.Outcome)
}

// fullSources names what the kernel says when a table has no room.
func fullSources(doing string, err error) error {
	if errors.Is(err, unix.E2BIG) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOMEM) {
		err = steer.ErrTooMany
	}
	return fmt.Errorf("%s: %w", doing, err)
}
