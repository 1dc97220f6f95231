// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"net/netip"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/chain"
	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/ctrl/pool"
	"github.com/sipsteer/sipsteer/ctrl/route"
	"github.com/sipsteer/sipsteer/userspace/proxy"
	"github.com/sipsteer/sipsteer/userspace/sip"
)

// service is one VIP with its workers and its chain.
type service struct {
	id      uint16
	config  config.Service
	pool    *pool.Pool
	domains *route.Domains
	chain   *chain.Chain
}

func (n *Node) forking() route.Forking {
	return route.Forking{MaxTargets: n.cfg.Forking.MaxTargets, Ring: n.cfg.Forking.Ring}
}

// openServices wires a chain for each service.
func (n *Node) openServices(context.Context) error {
	plan := n.dialPlan()
	for _, s := range n.services {
		if s.config.Policy == config.PolicyDirect {
			n.openDirect(s)
			continue
		}
		var listen []netip.AddrPort
		for _, l := range s.config.Listen {
			listen = append(listen, l.Addr)
		}
		domains := route.NewDomains(s.config.Domains, listen)
		domains.Set(n.domainsOf(s))
		s.domains = domains
		s.chain = chain.New(chain.Config{
			Service: s.id, Secret: n.keys.pins.Service(s.config.Name),
			Pins: n.table.pins(), Dialogs: n.dialogs, Pool: s.pool,
			Domains: domains, Accounts: n.store, Router: route.New(domains, n.locations, n.store, n.forking(), plan),
			Auth: n.auth, Registrar: n.registrar,
			Redirect: s.config.Policy == config.PolicyRedirect,
			Signer:   n.signer, Deliver: n.deliver, Send: n.sockets.send,
			Answered: func(m *sip.Message) (uint32, bool) { return proxy.Answered(n.signer, m) },
			Now:      time.Now,
			Sources:  n.from, Trunk: n.trunk, Own: n.ownDomains(), Failed: n.gate.Failed,
		})
	}
	return nil
}
