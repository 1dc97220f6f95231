// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// SourcePolicy says whom the node hears, by source address.
type SourcePolicy struct {
	// Allow are never banned and never limited, Deny are never heard; the
	// longest prefix that matches decides.
	Allow []Prefix `yaml:"allow,omitempty"`
	Deny  []Prefix `yaml:"deny,omitempty"`
	Rate  Rates    `yaml:"rate"`
	Ban   Ban      `yaml:"ban"`
}

// Rates limit the requests that begin something: everything but responses, ACK,
// CANCEL and what belongs to a dialog.
type Rates struct {
	Source  Rate `yaml:"source"`  // of each source: an IPv4 address or an IPv6 /64
	Service Rate `yaml:"service"` // of each service, from all sources together
}

// Rate is that of a token bucket.
type Rate struct {
	PerSecond int `yaml:"per_second"` // 0: no limit
	Burst     int `yaml:"burst"`      // at once; 0: as many as PerSecond
}

// Ban says when a source that fails to prove itself is banned, and how long.
type Ban struct {
	Failures int           `yaml:"failures"` // 0: never
	Within   time.Duration `yaml:"within"`
	For      time.Duration `yaml:"for"`     // the first; each that follows soon is twice as long
	AtMost   time.Duration `yaml:"at_most"` // the longest
}

// Trunk is a peer that is known by its addresses and not asked for a password.
type Trunk struct {
	Name     string   `yaml:"name"`
	Prefixes []Prefix `yaml:"prefixes"`
	// Domains are own domains whose users it may call as. In the name of others
	// of ours it must prove itself like anybody.
	Domains []string `yaml:"domains"`
}

// Prefix is a range of addresses, written ADDR/BITS, or one address.
type Prefix struct{ netip.Prefix }

// UnmarshalText reads a prefix without bits behind its length.
func (p *Prefix) UnmarshalText(text []byte) error {
	parsed, err := ParsePrefix(string(text))
	if err != nil {
		return err
	}
	p.Prefix = parsed
	return nil
}

// ParsePrefix reads ADDR/BITS or one address. The error says what to write.
func ParsePrefix(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return p, fmt.Errorf("%q is not a prefix such as 192.0.2.0/24 or 2001:db8::/32, or an address", text)
	case p.Addr().Is4In6():
		return p, fmt.Errorf("%s is an IPv4 prefix written as IPv6; write it as IPv4", text)
	case p != p.Masked():
		return p, fmt.Errorf("%s has bits behind its length; write %s", text, p.Masked())
	}
	return p, nil
}

func (r *report) checkPolicy(c *Config) {
	seen := map[netip.Prefix]string{}
	r.checkPrefixes(seen, "policy.allow", c.Policy.Allow)
	r.checkPrefixes(seen, "policy.deny", c.Policy.Deny)
	r.checkRate("policy.rate.source", c.Policy.Rate.Source)
	r.checkRate("policy.rate.service", c.Policy.Rate.Service)
	b := &c.Policy.Ban
	r.checkRange("policy.ban.failures", b.Failures, 0, 1_000_000)
	r.checkDuration("policy.ban.within", b.Within, time.Second, 24*time.Hour)
	r.checkDuration("policy.ban.for", b.For, time.Second, 365*24*time.Hour)
	r.checkDuration("policy.ban.at_most", b.AtMost, time.Second, 365*24*time.Hour)
	if b.For > b.AtMost {
		r.fail("policy.ban.for", "%s is more than at_most, %s", b.For, b.AtMost)
	}
	r.checkTrunks(seen, c)
}

func (r *report) checkPrefixes(seen map[netip.Prefix]string, key string, list []Prefix) {
	for i, p := range list {
		at := fmt.Sprintf("%s[%d]", key, i)
		if !p.IsValid() {
			continue // reported when it was read
		}
		if first, again := seen[p.Prefix]; again {
			r.fail(at, "%s stands in %s already", p.Prefix, first)
			continue
		}
		seen[p.Prefix] = at
	}
}

func (r *report) checkRate(key string, rate Rate) {
	const most = 1_000_000
	r.checkRange(key+".per_second", rate.PerSecond, 0, most)
	r.checkRange(key+".burst", rate.Burst, 0, most)
	if rate.Burst > 0 && rate.PerSecond == 0 {
		r.fail(key+".burst", "is given without per_second, which says how fast the burst is earned back")
	}
}

func (r *report) checkTrunks(seen map[netip.Prefix]string, c *Config) {
	var own []string
	for _, s := range c.Services {
		own = append(own, s.Domains...)
	}
	names := map[string]string{}
	for i, t := range c.Trunks {
		key := fmt.Sprintf("trunks[%d]", i)
		r.checkName(key+".name", t.Name)
		r.checkUnique(names, key+".name", t.Name)
		if len(t.Prefixes) == 0 {
			r.fail(key+".prefixes", "is missing: a trunk is known by its addresses")
		}
		r.checkPrefixes(seen, key+".prefixes", t.Prefixes)
		for j, d := range t.Domains {
			canonical, _ := CanonicalDomain(d)
			t.Domains[j] = canonical
			if !slices.Contains(own, canonical) {
				r.fail(fmt.Sprintf("%s.domains[%d]", key, j), "%s is no domain of a service; there are: %s", d, strings.Join(own, ", "))
			}
		}
	}
}
