// SPDX-License-Identifier: Apache-2.0

package route

import (
	"cmp"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/sipsteer/sipsteer/userspace/handover"
	"github.com/sipsteer/sipsteer/userspace/sip"
)

// maxGateways is how many gateways are tried for one call.
const maxGateways = 16

// Gateway is a way to numbers that are not ours.
type Gateway struct {
	Name     string
	Group    string
	Addr     netip.AddrPort
	Priority int            // the lower is tried first
	Weight   int            // share among those of its group and priority, at least 1
	Sources  []netip.Prefix // where its own calls come from
}

// Prefix is one line of the dial plan.
type Prefix struct {
	Prefix   string        // what a number starts with; empty fits every number
	Groups   []string      // of gateways, tried in this order
	Strip    int           // characters to take off the number's front, then
	Add      string        // what to put there
	Reply    time.Duration // a gateway that is silent for so long is passed over
	Failover []int         // final codes on which the next gateway is tried
}

// DialPlan finds gateways for numbers by the longest prefix. It never changes.
type DialPlan struct {
	gateways []Gateway // by priority
	prefixes map[string]*Prefix
	longest  int
}

// NewDialPlan makes a dial plan. A prefix that is given twice counts as it is
// given last; groups without gateways are passed over.
func NewDialPlan(gateways []Gateway, prefixes []Prefix) *DialPlan {
	p := &DialPlan{gateways: slices.Clone(gateways), prefixes: map[string]*Prefix{}}
	slices.SortStableFunc(p.gateways, func(a, b Gateway) int { return cmp.Compare(a.Priority, b.Priority) })
	for i := range prefixes {
		p.prefixes[prefixes[i].Prefix] = &prefixes[i]
		p.longest = max(p.longest, len(prefixes[i].Prefix))
	}
	return p
}

// Trunk tells whether calls from an address are a gateway's.
func (p *DialPlan) Trunk(a netip.Addr) bool {
	return slices.ContainsFunc(p.gateways, func(g Gateway) bool { return g.from(a) })
}

func (g *Gateway) from(a netip.Addr) bool {
	return slices.ContainsFunc(g.Sources, func(s netip.Prefix) bool { return s.Contains(a.Unmap()) })
}

// match is the line with the longest prefix of a number, or nil.
func (p *DialPlan) match(number string) *Prefix {
	for n := min(p.longest, len(number)); n >= 0; n-- {
		if line := p.prefixes[number[:n]]; line != nil {
			return line
		}
	}
	return nil
}

// Faults of a number.
var (
	errIncomplete = &sip.Error{Code: 484, Reason: "Address Incomplete"}
	errNoGateway  = &sip.Error{Code: 480, Reason: "No Gateway Available"}
)

// targets are the gateways for a number, to be tried one after the other. usable
// leaves gateways out. The error is a 404 without a line in the plan, a 484 for a
// number that is too short for it, and a 480 when no gateway is left.
func (p *DialPlan) targets(number string, seed uint64, usable func(*Gateway) bool) ([]Target, error) {
	line := p.match(number)
	switch {
	case line == nil:
		return nil, errNoUser
	case len(number) < line.Strip || len(number)-line.Strip+len(line.Add) == 0:
		return nil, errIncomplete
	}
	order := p.order(line, rand.New(rand.NewPCG(seed, 0)), usable)
	if len(order) == 0 {
		return nil, errNoGateway
	}
	user := strings.ReplaceAll(line.Add+number[line.Strip:], "#", "%23")
	var list []Target
	for i, g := range order[:min(len(order), maxGateways)] {
		t := Target{Contact: "sip:" + user + "@" + g.Addr.String(), Q: uint16(1000 * (len(order) - i) / len(order))}
		t.Target = handover.Target{URI: t.Contact, Next: i > 0}
		if i > 0 {
			t.Reply, t.On = line.Reply, line.Failover
		}
		list = append(list, t)
	}
	return list, nil
}

// order is the row of gateways for one call: group by group, in each by priority,
// and by chance according to weight where that is equal.
func (p *DialPlan) order(line *Prefix, r *rand.Rand, usable func(*Gateway) bool) (order []*Gateway) {
	for _, group := range line.Groups {
		var equal []*Gateway
		for i := range p.gateways {
			g := &p.gateways[i]
			if g.Group != group || !usable(g) {
				continue
			}
			if len(equal) > 0 && equal[0].Priority != g.Priority {
				order, equal = append(order, shuffled(equal, r)...), nil
			}
			equal = append(equal, g)
		}
		order = append(order, shuffled(equal, r)...)
	}
	return order
}

// shuffled draws gateways one by one, each with the chance of its weight.
func shuffled(set []*Gateway, r *rand.Rand) []*Gateway {
	var out []*Gateway
	for len(set) > 0 {
		sum := 0
		for _, g := range set {
			sum += g.Weight
		}
		at, i := r.IntN(sum), 0
		for at >= set[i].Weight {
			at -= set[i].Weight
			i++
		}
		out = append(out, set[i])
		set = slices.Delete(set, i, i+1)
	}
	return out
}

// numberOf is the number that a URI of ours names, without visual separators and
// the parameters of a user part (RFC 3261 §19.1.6); ok is false for a name.
func numberOf(u *sip.URI) (number string, ok bool) {
	text := u.Opaque
	if u.IsSIP() {
		text = sip.Unescape(u.User)
	}
	number = telNumber(text)
	digits := strings.TrimPrefix(number, "+")
	return number, digits != "" && strings.Trim(digits, "0123456789*#") == ""
}
