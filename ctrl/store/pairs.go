// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
)

// Pair is a name and what it stands for.
type Pair struct{ Name, Value string }

// pairs is a small table of names, all of it in memory too.
type pairs struct {
	what   string // for errors
	table  string // with the columns name and value
	values map[string]string
}

func (s *Store) loadPairs() error {
	for _, p := range []*pairs{&s.aliases, &s.domains} {
		p.values = map[string]string{}
		rows, err := s.conn.QueryContext(context.Background(), "SELECT name, value FROM "+p.table)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var one Pair
			if err := rows.Scan(&one.Name, &one.Value); err != nil {
				return err
			}
			p.values[one.Name] = one.Value
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) pair(p *pairs, name string) (value string, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	value, ok = p.values[name]
	return value, ok
}

func (s *Store) listPairs(p *pairs) []Pair {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var list []Pair
	for name, value := range maps.All(p.values) {
		list = append(list, Pair{name, value})
	}
	slices.SortFunc(list, func(a, b Pair) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// addPair keeps a pair unless the name is taken. allowed is asked on the journal's
// goroutine, so that nothing changes meanwhile.
func (s *Store) addPair(ctx context.Context, p *pairs, one Pair, allowed func() error) error {
	var refused error
	added := false
	err := s.do(ctx, func() (err error) {
		if refused = allowed(); refused != nil {
			return nil
		}
		added, err = touched(s.conn.ExecContext(context.Background(),
			"INSERT INTO "+p.table+" (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", one.Name, one.Value))
		return err
	}, func() {
		if added {
			s.mu.Lock()
			defer s.mu.Unlock()
			p.values[one.Name] = one.Value
		}
	})
	switch {
	case err != nil:
	case refused != nil:
		err = refused
	case !added:
		err = ErrExists
	}
	return wrap(err, "adding "+p.what+" "+one.Name)
}

func (s *Store) dropPair(ctx context.Context, p *pairs, name string) error {
	found := false
	err := s.do(ctx, func() (err error) {
		found, err = touched(s.conn.ExecContext(context.Background(), "DELETE FROM "+p.table+" WHERE name = ?", name))
		return err
	}, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(p.values, name)
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return wrap(err, "deleting "+p.what+" "+name)
}

// AddAlias makes another address of record of a user's: it is looked up and may
// be registered as the user's own. The error wraps ErrNotFound when there is no
// such user, and ErrExists when the alias is a user or an alias already.
func (s *Store) AddAlias(ctx context.Context, alias, aor string) error {
	return s.addPair(ctx, &s.aliases, Pair{alias, aor}, func() error {
		if _, ok := s.User(aor); !ok {
			return wrap(ErrNotFound, "user "+aor)
		}
		if _, ok := s.User(alias); ok {
			return ErrExists
		}
		return nil
	})
}

// DeleteAlias removes an alias. The error wraps ErrNotFound.
func (s *Store) DeleteAlias(ctx context.Context, alias string) error {
	return s.dropPair(ctx, &s.aliases, alias)
}

// Aliases are all aliases with their users, by alias.
func (s *Store) Aliases() []Pair { return s.listPairs(&s.aliases) }

// Resolve is the user whom an address of record belongs to: itself, or the one it
// is an alias of. It never waits for the disk.
func (s *Store) Resolve(aor string) (user string, ok bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if _, ok := s.users[aor]; ok {
		return aor, true
	}
	user, ok = s.aliases.values[aor]
	return user, ok
}

// AddDomain gives a service one more domain. The error wraps ErrExists.
func (s *Store) AddDomain(ctx context.Context, domain, service string) error {
	return s.addPair(ctx, &s.domains, Pair{domain, service}, func() error { return nil })
}

// DeleteDomain removes a domain that AddDomain added. The error wraps ErrNotFound.
func (s *Store) DeleteDomain(ctx context.Context, domain string) error {
	return s.dropPair(ctx, &s.domains, domain)
}

// Domains are all domains that were added, with their services.
func (s *Store) Domains() []Pair { return s.listPairs(&s.domains) }

// Domain is the service that an added domain belongs to.
func (s *Store) Domain(domain string) (service string, ok bool) { return s.pair(&s.domains, domain) }
