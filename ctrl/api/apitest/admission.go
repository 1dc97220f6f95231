// SPDX-License-Identifier: Apache-2.0

package apitest

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Bans lists Banned.
func (d *Daemon) Bans(context.Context) ([]api.Ban, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.Banned), d.Err
}

// AddBan bans from noon of 2026-03-01 on.
func (d *Daemon) AddBan(_ context.Context, a netip.Addr, length time.Duration, reason string) (api.Ban, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	since := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b := api.Ban{Source: api.SourceText(steer.SourceOf(a)), Since: since, Until: since.Add(length), Reason: reason, By: api.ByOperator}
	d.Banned = append(d.Banned, b)
	return b, d.Err
}

// RemoveBan drops from Banned.
func (d *Daemon) RemoveBan(_ context.Context, a netip.Addr) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.Banned)
	source := api.SourceText(steer.SourceOf(a))
	d.Banned = slices.DeleteFunc(d.Banned, func(b api.Ban) bool { return b.Source == source })
	if len(d.Banned) == before {
		return fmt.Errorf("ban of %s: %w", source, api.ErrNotFound)
	}
	return d.Err
}

// Prefixes lists Ruled.
func (d *Daemon) Prefixes(context.Context) ([]api.Prefix, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.Ruled), d.Err
}

// SetPrefix adds to Ruled.
func (d *Daemon) SetPrefix(_ context.Context, p netip.Prefix, deny bool, note string) (api.Prefix, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	set := api.Prefix{Prefix: p.String(), Rule: "allow", Origin: "api", Note: note}
	if deny {
		set.Rule = "deny"
	}
	d.Ruled = append(d.Ruled, set)
	return set, d.Err
}

// RemovePrefix drops from Ruled.
func (d *Daemon) RemovePrefix(_ context.Context, p netip.Prefix) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.Ruled)
	d.Ruled = slices.DeleteFunc(d.Ruled, func(r api.Prefix) bool { return r.Prefix == p.String() })
	if len(d.Ruled) == before {
		return fmt.Errorf("prefix %s: %w", p, api.ErrNotFound)
	}
	return d.Err
}
