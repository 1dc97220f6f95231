// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"net/netip"
	"slices"
)

// Rule says what a prefix means for the sources in it; enum prefix_rule in C.
type Rule uint32

// The rules.
const (
	RuleNone  Rule = iota
	RuleAllow      // always heard: trunks
	RuleDeny       // never heard
)

// String returns the name used in configuration and API.
func (r Rule) String() string {
	switch r {
	case RuleAllow:
		return "allow"
	case RuleDeny:
		return "deny"
	}
	return "none"
}

// Prefixes finds the rule of the longest prefix that an address is in. Prefixes of one family say nothing about the
// other. It is not safe for concurrent use.
type Prefixes struct {
	rules   map[netip.Prefix]Rule
	lengths []int // of the prefixes there are, of both families, the longest first
}

// Set adds a prefix or changes its rule. Bits behind its length are ignored.
func (p *Prefixes) Set(prefix netip.Prefix, r Rule) {
	if p.rules == nil {
		p.rules = map[netip.Prefix]Rule{}
	}
	p.rules[prefix.Masked()] = r
	p.index()
}

// Delete removes a prefix, if it is there.
func (p *Prefixes) Delete(prefix netip.Prefix) {
	delete(p.rules, prefix.Masked())
	p.index()
}

// Len is the number of prefixes.
func (p *Prefixes) Len() int { return len(p.rules) }

// Rule returns the rule for an address; RuleNone when it is in no prefix.
func (p *Prefixes) Rule(a netip.Addr) Rule {
	a = a.Unmap().WithZone("")
	for _, bits := range p.lengths {
		prefix, err := a.Prefix(bits)
		if err != nil {
			continue // longer than an IPv4 address
		}
		if r, ok := p.rules[prefix]; ok {
			return r
		}
	}
	return RuleNone
}

func (p *Prefixes) index() {
	p.lengths = p.lengths[:0]
	for prefix := range p.rules {
		if !slices.Contains(p.lengths, prefix.Bits()) {
			p.lengths = append(p.lengths, prefix.Bits())
		}
	}
	slices.Sort(p.lengths)
	slices.Reverse(p.lengths)
}

// SourceOf returns whom a ban or a bucket for an address is for: an IPv4 address alone, or the /64 of an IPv6 address,
// all of which one host can use. The twin of source_of in C.
func SourceOf(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	return netip.PrefixFrom(a, bits).Masked()
}
