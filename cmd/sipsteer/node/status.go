// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"strconv"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/ctrl/chain"
	"github.com/sipsteer/sipsteer/ctrl/dialog"
	"github.com/sipsteer/sipsteer/ctrl/pool"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Mode is the datapath's mode in effect: native, generic or off.
func (n *Node) Mode() string { return n.table.mode() }

// Why says why packets are steered in user space although the config asks for
// XDP, or is empty.
func (n *Node) Why() string { return n.why }

// Status reports what the node does; it makes the node an api.StatusSource.
func (n *Node) Status(context.Context) (api.Status, error) {
	counts, err := n.dialogs.Count()
	if err != nil {
		return api.Status{}, err
	}
	registrations := uint64(0)
	for range n.locations.All(time.Now()) {
		registrations++
	}
	control := n.controlCounters()
	parts, err := n.workerParts(counts.Worker, control)
	if err != nil {
		return api.Status{}, err
	}
	s, err := n.report(counts, registrations, control, parts)
	s.Services = n.serviceStatus()
	return s, err
}

// report is the status, but for the services, with what was counted before.
func (n *Node) report(counts dialog.Counts, registrations uint64, control chain.Counters, parts []api.WorkerPart) (api.Status, error) {
	path, err := n.datapathStatus(control)
	if err != nil {
		return api.Status{}, err
	}
	return api.Status{
		Node: n.cfg.Node, Version: n.opts.Version, UptimeSeconds: time.Since(n.started).Seconds(),
		Datapath: path, Control: controlStatus(control), Registrations: registrations, Workers: n.workerStatus(parts),
		Dialogs: api.DialogCounts{
			Early: uint64(counts.Early), Confirmed: uint64(counts.Confirmed), Ended: uint64(counts.Ended),
			Total: uint64(counts.Early + counts.Confirmed + counts.Ended),
		},
		Policy: n.policyStatus(),
	}, nil
}

func (n *Node) policyStatus() api.PolicyStatus {
	bans, prefixes := n.gate.Count()
	return api.PolicyStatus{Bans: uint64(bans), Prefixes: uint64(prefixes)}
}

func (n *Node) serviceStatus() []api.ServiceStatus {
	var list []api.ServiceStatus
	for _, svc := range n.services {
		one := api.ServiceStatus{Name: svc.config.Name, Policy: svc.config.Policy, Domains: n.domainsOf(svc)}
		for _, w := range svc.pool.Workers() {
			one.Workers = append(one.Workers, w.Name)
		}
		for _, l := range svc.config.Listen {
			one.Listen = append(one.Listen, l.String())
		}
		list = append(list, one)
	}
	return list
}

// controlCounters adds up the chains of all services.
func (n *Node) controlCounters() chain.Counters {
	sum := chain.Counters{
		Received: map[string]uint64{}, Answered: map[int]uint64{}, Dropped: map[string]uint64{},
		Outcomes: map[steer.Outcome]uint64{}, Workers: map[uint32]uint64{},
	}
	for _, s := range n.services {
		c := s.chain.Counters()
		addAll(sum.Received, c.Received)
		addAll(sum.Answered, c.Answered)
		addAll(sum.Dropped, c.Dropped)
		addAll(sum.Outcomes, c.Outcomes)
		addAll(sum.Workers, c.Workers)
		sum.Steered += c.Steered
		sum.HandedOver += c.HandedOver
		sum.OwnACK += c.OwnACK
	}
	return sum
}

func addAll[K comparable](sum, more map[K]uint64) {
	for k, v := range more {
		sum[k] += v
	}
}

func controlStatus(c chain.Counters) api.ControlStatus {
	answered := map[string]uint64{}
	for code, n := range c.Answered {
		answered[strconv.Itoa(code)] = n
	}
	return api.ControlStatus{
		Received: c.Received, Steered: c.Steered, Answered: answered, HandedOver: c.HandedOver,
		OwnACK: c.OwnACK, Dropped: c.Dropped,
	}
}

// datapathStatus sums the outcomes up by what they did to the packet. Without a
// kernel datapath the twin's decisions take their place.
func (n *Node) datapathStatus(control chain.Counters) (api.DatapathStatus, error) {
	s := api.DatapathStatus{Mode: n.table.mode(), Dropped: map[string]uint64{}, Outcomes: map[string]uint64{}, Direct: map[string]uint64{}}
	events, err := n.table.directEvents()
	if err != nil {
		return s, err
	}
	for e, count := range events {
		s.Direct[e.String()] = count
	}
	outcomes := control.Outcomes
	if n.table.kernel() {
		s.Interfaces = n.cfg.Datapath.Interfaces
		var err error
		if outcomes, err = n.table.counters(); err != nil {
			return s, err
		}
	} else {
		s.Steered = control.Steered
	}
	for o, count := range outcomes {
		if o == steer.Undecided {
			continue
		}
		s.Outcomes[o.String()] = count
		switch {
		case o == steer.PassNotOurs:
		case o.Action() == steer.ActionSteer:
			s.Steered += count
		case o.Action() == steer.ActionDrop:
			s.Dropped[o.String()[len("drop_"):]] = count
		default:
			s.Passed += count
		}
	}
	return s, nil
}

// workerParts shows each worker once for each service it works for.
func (n *Node) workerParts(dialogs map[uint32]int, control chain.Counters) ([]api.WorkerPart, error) {
	packets, err := n.table.workerPackets()
	if err != nil {
		return nil, err
	}
	var list []api.WorkerPart
	for _, w := range n.workers {
		part := api.WorkerPart{
			Worker: w.spec.Name, Service: w.service,
			Steered: packets[w.id] + control.Workers[w.id], Dialogs: uint64(dialogs[w.id]),
		}
		if w.proxy != nil {
			stats := api.ProxyStats(w.proxy.Stats())
			part.Proxy = &stats
		}
		list = append(list, part)
	}
	return list, nil
}

// workerStatus shows each worker of the config once, whatever the number of
// services it works for.
func (n *Node) workerStatus(parts []api.WorkerPart) []api.WorkerStatus {
	known := n.poolWorkers()
	var list []api.WorkerStatus
	for _, spec := range n.cfg.Workers {
		w := api.WorkerStatus{Name: spec.Name, Forward: spec.Forward, Weight: known[spec.Name].Weight}
		if spec.Address.IsValid() {
			w.Address = spec.Address.String()
		}
		for _, part := range parts {
			if part.Worker == spec.Name {
				w.Steered += part.Steered
				w.Dialogs += part.Dialogs
			}
		}
		w.State = known[spec.Name].State.String()
		if w.State == api.WorkerDraining && w.Dialogs == 0 {
			w.State = api.WorkerDrained
		}
		n.addHealth(&w)
		list = append(list, w)
	}
	return list
}

// poolWorkers is each worker by name, as the pools have it; services agree about
// its weight. It is down when one of them cannot use it, or when it serves none.
func (n *Node) poolWorkers() map[string]pool.Worker {
	known := map[string]pool.Worker{}
	for _, s := range n.services {
		for _, w := range s.pool.Workers() {
			if before, ok := known[w.Name]; !ok || before.State != pool.Down {
				known[w.Name] = w
			}
		}
	}
	return known
}
