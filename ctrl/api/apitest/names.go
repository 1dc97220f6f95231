// SPDX-License-Identifier: Apache-2.0

package apitest

import (
	"context"
	"fmt"
	"slices"

	"github.com/sipsteer/sipsteer/ctrl/api"
)

// Aliases lists what AddAlias kept.
func (d *Daemon) Aliases(context.Context) ([]api.Alias, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.aliases), d.Err
}

// AddAlias keeps an alias of a user who is there.
func (d *Daemon) AddAlias(_ context.Context, alias, user string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.Passwords[user]; !ok {
		return fmt.Errorf("user %s: %w", user, api.ErrNotFound)
	}
	d.aliases = append(d.aliases, api.Alias{Alias: alias, User: user})
	return d.Err
}

// RemoveAlias forgets it.
func (d *Daemon) RemoveAlias(_ context.Context, alias string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.aliases)
	d.aliases = slices.DeleteFunc(d.aliases, func(a api.Alias) bool { return a.Alias == alias })
	if len(d.aliases) == before {
		return fmt.Errorf("alias %s: %w", alias, api.ErrNotFound)
	}
	return d.Err
}

// Domains lists those of the report and what AddDomain kept.
func (d *Daemon) Domains(context.Context) ([]api.Domain, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := []api.Domain{{Domain: "example.com", Service: "edge", Config: true}}
	return append(list, d.domains...), d.Err
}

// AddDomain keeps a domain.
func (d *Daemon) AddDomain(_ context.Context, domain, service string) (api.Domain, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if service == "" {
		service = "edge"
	}
	added := api.Domain{Domain: domain, Service: service}
	d.domains = append(d.domains, added)
	return added, d.Err
}

// RemoveDomain forgets it.
func (d *Daemon) RemoveDomain(_ context.Context, domain string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.domains)
	d.domains = slices.DeleteFunc(d.domains, func(a api.Domain) bool { return a.Domain == domain })
	if len(d.domains) == before {
		return fmt.Errorf("domain %s: %w", domain, api.ErrNotFound)
	}
	return d.Err
}

// Routes is one line.
func (d *Daemon) Routes(context.Context) ([]api.Route, error) {
	return []api.Route{{Prefix: "+49", Groups: []string{"carrier"}, Strip: 3, Add: "0", ReplySeconds: 4, Failover: []int{408, 503}}}, d.Err
}

// Gateways is one gateway.
func (d *Daemon) Gateways(context.Context) ([]api.Gateway, error) {
	return []api.Gateway{{Name: "g1", Group: "carrier", Address: "udp://203.0.113.5:5060", Priority: 1, Weight: 1, Sources: []string{}}}, d.Err
}
