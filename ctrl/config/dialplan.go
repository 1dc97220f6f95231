// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Gateway is a way to numbers that are not ours.
type Gateway struct {
	Name string `yaml:"name"`
	// Group is what routes name. Default: the gateway's name.
	Group   string `yaml:"group"`
	Address Listen `yaml:"address"`
	// Priority orders the gateways of a group, 1 to 100: the lower first.
	Priority int `yaml:"priority"`
	// Weight is the share among those of equal priority, 1 to 1000.
	Weight int `yaml:"weight"`
	// Sources are where calls from the gateway come from; they need no password.
	Sources []netip.Prefix `yaml:"sources,omitempty"`
}

// Route is one line of the dial plan. Of several the longest prefix counts.
type Route struct {
	Prefix string   `yaml:"prefix"` // "+", digits, "*" and "#"; empty fits every number
	Groups []string `yaml:"groups"` // of gateways, in this order
	Strip  int      `yaml:"strip"`  // characters to take off the number's front, 0 to 30
	Add    string   `yaml:"add"`    // what to put before the rest
	// Reply is how long a gateway may be silent before the next is tried, 1s to 30s.
	Reply time.Duration `yaml:"reply"`
	// Failover are the final codes on which the next gateway is tried.
	Failover []int `yaml:"failover"`
}

func (g *Gateway) setDefaults() { g.Priority, g.Weight = 1, 1 }

func (t *Route) setDefaults() {
	t.Reply = 4 * time.Second
	t.Failover = []int{408, 500, 502, 503, 504}
}

// GroupName is the group that the gateway belongs to.
func (g *Gateway) GroupName() string {
	if g.Group == "" {
		return g.Name
	}
	return g.Group
}

func (r *report) checkGateways(c *Config) {
	names := map[string]string{}
	groups := map[string]bool{}
	for i := range c.Gateways {
		g, key := &c.Gateways[i], fmt.Sprintf("gateways[%d]", i)
		r.checkName(key+".name", g.Name)
		r.checkUnique(names, key+".name", g.Name)
		r.checkName(key+".group", g.GroupName())
		r.checkRange(key+".priority", g.Priority, 1, 100)
		r.checkRange(key+".weight", g.Weight, 1, 1000)
		if !g.Address.Addr.IsValid() {
			r.fail(key+".address", "is missing; give one such as udp://203.0.113.5:5060")
		}
		for j, s := range g.Sources {
			if s.IsValid() && s.Bits() == 0 {
				r.fail(fmt.Sprintf("%s.sources[%d]", key, j), "%s is everybody: anyone could call without a password", s)
			}
		}
		groups[g.GroupName()] = true
	}
	prefixes := map[string]int{}
	for i := range c.Routes {
		r.checkRoute(&c.Routes[i], fmt.Sprintf("routes[%d]", i), groups)
		if first, again := prefixes[c.Routes[i].Prefix]; again {
			r.fail(fmt.Sprintf("routes[%d].prefix", i), "%q is given already, in routes[%d]", c.Routes[i].Prefix, first)
		} else {
			prefixes[c.Routes[i].Prefix] = i
		}
	}
}

func (r *report) checkRoute(t *Route, key string, groups map[string]bool) {
	if !number(t.Prefix) {
		r.fail(key+".prefix", "%q is not what a number starts with: an optional +, then digits, * and #", t.Prefix)
	}
	if !number(t.Add) {
		r.fail(key+".add", "%q cannot stand before a number: an optional +, then digits, * and #", t.Add)
	}
	if len(t.Groups) == 0 {
		r.fail(key+".groups", "is missing: name at least one group of gateways")
	}
	for i, name := range t.Groups {
		if !groups[name] {
			r.fail(fmt.Sprintf("%s.groups[%d]", key, i), "no gateway is in the group %q", name)
		}
	}
	r.checkRange(key+".strip", t.Strip, 0, 30)
	r.checkDuration(key+".reply", t.Reply, time.Second, 30*time.Second)
	if t.Reply%time.Second != 0 {
		r.fail(key+".reply", "%s is not whole seconds", t.Reply)
	}
	for i, code := range t.Failover {
		r.checkRange(fmt.Sprintf("%s.failover[%d]", key, i), code, 300, 599)
	}
	if len(t.Failover) == 0 {
		r.fail(key+".failover", "is empty; a gateway that does not answer counts as 408")
	}
}

// number tells whether text can stand in a dialled number.
func number(text string) bool {
	return len(text) <= 32 && strings.Trim(strings.TrimPrefix(text, "+"), "0123456789*#") == ""
}
