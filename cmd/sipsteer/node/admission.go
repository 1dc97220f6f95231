// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"net/netip"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/admission"
	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/ctrl/chain"
	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/ctrl/route"
	"github.com/sipsteer/sipsteer/userspace/datapath"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// sourceTable is the source policy where it is carried out: always in memory, for
// what comes up, and in the kernel where there is one.
type sourceTable struct {
	memory *steer.Sources
	kernel *datapath.Sources // nil without
}

func (t *sourceTable) Replace(p steer.SourcePolicy) error {
	if t.kernel != nil {
		if err := t.kernel.Replace(p); err != nil {
			return err
		}
	}
	t.memory.Replace(p)
	return nil
}

func (t *sourceTable) SetPrefix(p netip.Prefix, r steer.Rule) error {
	if t.kernel != nil {
		if err := t.kernel.SetPrefix(p, r); err != nil {
			return err
		}
	}
	t.memory.SetPrefix(p, r)
	return nil
}

func (t *sourceTable) SetBan(source netip.Prefix, untilNS uint64) error {
	if t.kernel != nil {
		if err := t.kernel.SetBan(source, untilNS); err != nil {
			return err
		}
	}
	t.memory.SetBan(source, untilNS)
	return nil
}

func (t *sourceTable) Rule(a netip.Addr) steer.Rule { return t.memory.Rule(a) }

func (t *sourceTable) Judge(from netip.Addr) (steer.Outcome, bool) {
	return t.memory.Judge(from, datapath.NowPrecise())
}

func (t *sourceTable) Pay(from netip.Addr, service uint16) steer.Outcome {
	if t.kernel != nil {
		return t.kernel.Pay(from, service, datapath.NowPrecise())
	}
	return t.memory.Pay(from, service, datapath.NowPrecise())
}

func (t *sourceTable) KernelPays() bool { return t.kernel != nil }

// openAdmission brings the source policy of config and store into force, before
// any packet is looked at.
func (n *Node) openAdmission(context.Context) (err error) {
	for _, t := range n.cfg.Trunks {
		n.trunks = append(n.trunks, admission.Trunk{Name: t.Name, Prefixes: plainPrefixes(t.Prefixes), Domains: t.Domains})
	}
	p := &n.cfg.Policy
	n.from = &sourceTable{memory: steer.NewSources(), kernel: n.table.sources()}
	n.gate, err = admission.Open(admission.Config{
		Fixed:  admission.Fixed(plainPrefixes(p.Allow), plainPrefixes(p.Deny), n.trunks),
		Source: rate(p.Rate.Source), Service: rate(p.Rate.Service),
		Ban:    admission.BanRule{Failures: p.Ban.Failures, Within: p.Ban.Within, For: p.Ban.For, AtMost: p.Ban.AtMost},
		Tables: n.from, Store: n.store, Clock: datapath.NowPrecise, Now: time.Now, Log: n.log,
	})
	return err
}

func plainPrefixes(list []config.Prefix) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, p := range list {
		out[i] = p.Prefix
	}
	return out
}

func rate(r config.Rate) steer.Rate {
	if r.Burst == 0 {
		r.Burst = r.PerSecond
	}
	return steer.NewRate(r.PerSecond, r.Burst)
}

// trunk is the trunk that an address belongs to, for the chain.
func (n *Node) trunk(a netip.Addr) *chain.Trunk {
	if t := admission.TrunkOf(n.trunks, a); t != nil {
		return &chain.Trunk{Domains: t.Domains}
	}
	return nil
}

// ownDomains are the domains and addresses of all services.
func (n *Node) ownDomains() *route.Domains {
	var domains []string
	var listen []netip.AddrPort
	for _, s := range n.cfg.Services {
		domains = append(domains, s.Domains...)
		for _, l := range s.Listen {
			listen = append(listen, l.Addr)
		}
	}
	return route.NewDomains(domains, listen)
}

// Bans lists the bans in force.
func (n *Node) Bans(context.Context) ([]api.Ban, error) {
	var list []api.Ban
	for _, b := range n.gate.Bans() {
		list = append(list, apiBan(b))
	}
	return list, nil
}

// AddBan bans the source of an address.
func (n *Node) AddBan(ctx context.Context, a netip.Addr, length time.Duration, reason string) (api.Ban, error) {
	b, err := n.gate.Ban(ctx, a, length, reason, api.ByOperator)
	return apiBan(b), translate(err)
}

// RemoveBan lifts the ban of the source of an address.
func (n *Node) RemoveBan(ctx context.Context, a netip.Addr) error {
	return translate(n.gate.Unban(ctx, a, api.ByOperator))
}

func apiBan(b admission.Ban) api.Ban {
	return api.Ban{Source: api.SourceText(b.Source), Since: b.Since, Until: b.Until, Reason: b.Reason, By: b.By}
}

// Prefixes lists the prefixes with a rule.
func (n *Node) Prefixes(context.Context) ([]api.Prefix, error) {
	var list []api.Prefix
	for _, p := range n.gate.Prefixes() {
		list = append(list, apiPrefix(p))
	}
	return list, nil
}

// SetPrefix gives a prefix a rule.
func (n *Node) SetPrefix(ctx context.Context, p netip.Prefix, deny bool, note string) (api.Prefix, error) {
	rule := steer.RuleAllow
	if deny {
		rule = steer.RuleDeny
	}
	set, err := n.gate.SetPrefix(ctx, p, rule, note)
	return apiPrefix(set), translate(err)
}

// RemovePrefix takes the rule of a prefix away.
func (n *Node) RemovePrefix(ctx context.Context, p netip.Prefix) error {
	return translate(n.gate.RemovePrefix(ctx, p))
}

func apiPrefix(p admission.Prefix) api.Prefix {
	return api.Prefix{Prefix: p.Prefix.String(), Rule: p.Rule.String(), Origin: p.Origin, Note: p.Note}
}
