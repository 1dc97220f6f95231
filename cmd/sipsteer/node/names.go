// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/ctrl/route"
)

// Aliases lists the further addresses of users.
func (n *Node) Aliases(context.Context) ([]api.Alias, error) {
	var list []api.Alias
	for _, p := range n.store.Aliases() {
		list = append(list, api.Alias{Alias: p.Name, User: p.Value})
	}
	return list, nil
}

// AddAlias gives a user another address, in one of the services' domains.
func (n *Node) AddAlias(ctx context.Context, alias, user string) error {
	if err := n.checkDomain(alias); err != nil {
		return err
	}
	return translate(n.store.AddAlias(ctx, alias, user))
}

// RemoveAlias takes an address from its user.
func (n *Node) RemoveAlias(ctx context.Context, alias string) error {
	return translate(n.store.DeleteAlias(ctx, alias))
}

// checkDomain wants an address of record in a domain of ours.
func (n *Node) checkDomain(aor string) error {
	_, host, _ := strings.Cut(aor, "@")
	var domains []string
	for _, s := range n.services {
		domains = append(domains, n.domainsOf(s)...)
	}
	if slices.ContainsFunc(domains, func(d string) bool { return route.SameHost(d, host) }) {
		return nil
	}
	return api.Refuse(api.ErrInvalid, fmt.Errorf("no service has the domain %s; there are: %s", host, strings.Join(domains, ", ")))
}

// domainsOf are a service's domains: the config's, then those that were added.
func (n *Node) domainsOf(s *service) []string {
	domains := slices.Clone(s.config.Domains)
	for _, p := range n.store.Domains() {
		if p.Value == s.config.Name {
			domains = append(domains, p.Name)
		}
	}
	return domains
}

// Domains lists what the services are responsible for.
func (n *Node) Domains(context.Context) ([]api.Domain, error) {
	var list []api.Domain
	for _, s := range n.services {
		for i, d := range n.domainsOf(s) {
			list = append(list, api.Domain{Domain: d, Service: s.config.Name, Config: i < len(s.config.Domains)})
		}
	}
	return list, nil
}

// AddDomain makes a service responsible for a domain, at once and from then on.
func (n *Node) AddDomain(ctx context.Context, domain, name string) (api.Domain, error) {
	canonical, ok := config.CanonicalDomain(domain)
	if !ok {
		return api.Domain{}, api.Refuse(api.ErrInvalid, fmt.Errorf("%q is neither a domain name nor a literal IP address", domain))
	}
	s, err := n.serviceNamed(name)
	if err != nil {
		return api.Domain{}, err
	}
	for _, other := range n.services {
		if slices.Contains(n.domainsOf(other), canonical) {
			return api.Domain{}, api.Refuse(api.ErrExists, fmt.Errorf("%s is a domain of service %s already", canonical, other.config.Name))
		}
	}
	if err := n.store.AddDomain(ctx, canonical, s.config.Name); err != nil {
		return api.Domain{}, translate(err)
	}
	s.domains.Set(n.domainsOf(s))
	return api.Domain{Domain: canonical, Service: s.config.Name}, nil
}

func (n *Node) serviceNamed(name string) (*service, error) {
	var names []string
	for _, s := range n.services {
		if s.config.Name == name || name == "" && len(n.services) == 1 {
			return s, nil
		}
		names = append(names, s.config.Name)
	}
	if name == "" {
		return nil, api.Refuse(api.ErrInvalid, fmt.Errorf("name the service; there are: %s", strings.Join(names, ", ")))
	}
	return nil, api.Refuse(api.ErrNotFound, fmt.Errorf("there is no service %s; there are: %s", name, strings.Join(names, ", ")))
}

// RemoveDomain takes back a domain that was added. Its users stay and are not
// reached.
func (n *Node) RemoveDomain(ctx context.Context, domain string) error {
	canonical, _ := config.CanonicalDomain(domain)
	for _, s := range n.services {
		if slices.Contains(s.config.Domains, canonical) {
			return api.Refuse(api.ErrInvalid, fmt.Errorf("%s is in the config file; take it out there and restart", canonical))
		}
	}
	if err := n.store.DeleteDomain(ctx, canonical); err != nil {
		return translate(err)
	}
	for _, s := range n.services {
		s.domains.Set(n.domainsOf(s))
	}
	return nil
}
