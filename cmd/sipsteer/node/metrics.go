// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"

	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/ctrl/chain"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Metrics reports what a scrape shows; it makes the node an api.MetricsSource. It
// walks no table: pins and bindings were counted by the last sweep. What counts
// above zero only in trouble is there as 0 before.
func (n *Node) Metrics(context.Context) (api.Metrics, error) {
	counts, err := n.dialogs.Recent()
	if err != nil {
		return api.Metrics{}, err
	}
	control := n.controlCounters()
	parts, err := n.workerParts(counts.Worker, control)
	if err != nil {
		return api.Metrics{}, err
	}
	s, err := n.report(counts, uint64(n.locations.Count()), control, parts)
	if err != nil {
		return api.Metrics{}, err
	}
	for _, o := range steer.Outcomes() {
		s.Datapath.Outcomes[o.String()] += 0
		if o.Action() == steer.ActionDrop {
			s.Datapath.Dropped[o.String()[len("drop_"):]] += 0
		}
	}
	m := api.Metrics{Status: s, ConfiguredMode: n.cfg.Datapath.Mode, MaxPins: n.cfg.Datapath.MaxPins, Parts: parts}
	for _, svc := range n.services {
		m.ByService = append(m.ByService, serviceMetrics(svc))
	}
	return m, nil
}

func serviceMetrics(s *service) api.ServiceMetrics {
	m := api.ServiceMetrics{
		Name: s.config.Name, Control: controlStatus(s.chain.Counters()), Steps: map[string]api.Histogram{},
	}
	for _, cause := range chain.Causes() {
		m.Control.Dropped[cause] += 0
	}
	for _, method := range chain.Methods() {
		m.Control.Received[method] += 0
	}
	for step, h := range s.chain.Steps() {
		m.Steps[step] = api.Histogram(h)
	}
	return m
}
