// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"slices"

	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/ctrl/pool"
	"github.com/sipsteer/sipsteer/ctrl/store"
)

// Drain stops new calls to a worker in every service.
func (n *Node) Drain(ctx context.Context, name string) error {
	return n.set(ctx, name, func(s *store.WorkerSetting) { s.Drained = true })
}

// Undrain lets a worker have new calls again.
func (n *Node) Undrain(ctx context.Context, name string) error {
	return n.set(ctx, name, func(s *store.WorkerSetting) { s.Drained = false })
}

// SetWeight changes a worker's share of new calls in every service; 0 takes the
// config's again.
func (n *Node) SetWeight(ctx context.Context, name string, weight int) error {
	return n.set(ctx, name, func(s *store.WorkerSetting) { s.Weight = weight })
}

// set changes what an operator has said of a worker: in the store first, so that
// what was answered holds over a restart.
func (n *Node) set(ctx context.Context, name string, change func(*store.WorkerSetting)) error {
	i := slices.IndexFunc(n.cfg.Workers, func(w config.WorkerSpec) bool { return w.Name == name })
	if i < 0 {
		return translate(fmt.Errorf("worker %q: %w", name, pool.ErrUnknown))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	set := n.settings[name]
	change(&set)
	if err := n.store.SetWorker(ctx, name, set); err != nil {
		return err
	}
	n.settings[name] = set
	for _, s := range n.services {
		if !s.config.Serves(name) {
			continue
		}
		if err := s.pool.Drain(name, set.Drained); err != nil {
			return translate(err)
		}
		if err := s.pool.SetWeight(name, n.weight(n.cfg.Workers[i])); err != nil {
			return translate(err)
		}
	}
	n.log.Info("worker changed", "worker", name, "draining", set.Drained, "weight", n.weight(n.cfg.Workers[i]))
	return nil
}

// weight is a worker's share: what an operator has set, else the config's.
func (n *Node) weight(spec config.WorkerSpec) int {
	if w := n.settings[spec.Name].Weight; w > 0 {
		return w
	}
	return spec.Weight
}
