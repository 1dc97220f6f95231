// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"

	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/ctrl/route"
)

// dialPlan is the config's gateways and routes as routing sees them.
func (n *Node) dialPlan() *route.DialPlan {
	var gateways []route.Gateway
	for i := range n.cfg.Gateways {
		g := &n.cfg.Gateways[i]
		gateways = append(gateways, route.Gateway{
			Name: g.Name, Group: g.GroupName(), Addr: g.Address.Addr,
			Priority: g.Priority, Weight: g.Weight, Sources: g.Sources,
		})
	}
	var prefixes []route.Prefix
	for _, t := range n.cfg.Routes {
		prefixes = append(prefixes, route.Prefix{
			Prefix: t.Prefix, Groups: t.Groups, Strip: t.Strip, Add: t.Add, Reply: t.Reply, Failover: t.Failover,
		})
	}
	return route.NewDialPlan(gateways, prefixes)
}

// Routes lists the dial plan as the config has it.
func (n *Node) Routes(context.Context) ([]api.Route, error) {
	var list []api.Route
	for _, t := range n.cfg.Routes {
		list = append(list, api.Route{
			Prefix: t.Prefix, Groups: t.Groups, Strip: t.Strip, Add: t.Add,
			ReplySeconds: t.Reply.Seconds(), Failover: t.Failover,
		})
	}
	return list, nil
}

// Gateways lists the gateways as the config has them.
func (n *Node) Gateways(context.Context) ([]api.Gateway, error) {
	var list []api.Gateway
	for i := range n.cfg.Gateways {
		g := &n.cfg.Gateways[i]
		one := api.Gateway{
			Name: g.Name, Group: g.GroupName(), Address: g.Address.String(),
			Priority: g.Priority, Weight: g.Weight, Sources: []string{},
		}
		for _, s := range g.Sources {
			one.Sources = append(one.Sources, s.String())
		}
		list = append(list, one)
	}
	return list, nil
}
