// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Prefixes lists the prefixes, those of the config file among them, by address and length.
func (g *Gate) Prefixes() []Prefix {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.SortedFunc(maps.Values(g.prefixes), func(a, b Prefix) int {
		return cmp.Or(a.Prefix.Addr().Compare(b.Prefix.Addr()), cmp.Compare(a.Prefix.Bits(), b.Prefix.Bits()))
	})
}

// SetPrefix adds a prefix or changes its rule, durably. Bans of sources in an allowed prefix stay listed and have no
// effect. The error wraps ErrFixed for one of the config file, and steer.ErrTooMany.
func (g *Gate) SetPrefix(ctx context.Context, p netip.Prefix, r steer.Rule, note string) (Prefix, error) {
	g.changing.Lock()
	defer g.changing.Unlock()
	out := Prefix{Prefix: p.Masked(), Rule: r, Origin: OriginAPI, Note: note}
	if err := g.changeable(out.Prefix); err != nil {
		return out, fmt.Errorf("setting the prefix %s: %w", out.Prefix, err)
	}
	if err := g.Store.PutPrefix(ctx, out); err != nil {
		return out, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.Tables.SetPrefix(out.Prefix, r); err != nil {
		return out, err
	}
	g.prefixes[out.Prefix] = out
	g.Log.Info("prefix set", "prefix", out.Prefix, "rule", r, "note", note)
	return out, nil
}

func (g *Gate) changeable(p netip.Prefix) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	old, again := g.prefixes[p]
	switch {
	case again && old.fixed():
		return ErrFixed
	case !again && len(g.prefixes) >= steer.MaxPrefixes:
		return steer.ErrTooMany
	}
	return nil
}

// RemovePrefix removes a prefix, durably. The error wraps ErrNotFound, or ErrFixed for one of the config file.
func (g *Gate) RemovePrefix(ctx context.Context, p netip.Prefix) error {
	g.changing.Lock()
	defer g.changing.Unlock()
	p = p.Masked()
	g.mu.Lock()
	old, there := g.prefixes[p]
	g.mu.Unlock()
	switch {
	case !there:
		return fmt.Errorf("removing the prefix %s: %w", p, ErrNotFound)
	case old.fixed():
		return fmt.Errorf("removing the prefix %s: %w", p, ErrFixed)
	}
	if err := g.Store.DeletePrefix(ctx, p); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.Tables.SetPrefix(p, steer.RuleNone); err != nil {
		return err
	}
	delete(g.prefixes, p)
	g.Log.Info("prefix removed", "prefix", p)
	return nil
}
