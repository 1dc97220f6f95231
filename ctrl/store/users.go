// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/auth"
)

// User is an account. Of the password only digests are kept.
type User struct {
	AOR     string    // user@domain, the domain in lower case
	HA1     Digests   // over the user part, as most phones have it
	HA1Full Digests   // over the whole AOR as the user name
	Created time.Time // whole milliseconds
}

// Digests is HA1 by each algorithm, in lower-case hexadecimal digits.
type Digests struct{ MD5, SHA256, SHA512256 string }

// NewUser makes the account of an address of record, with the domain as realm.
// The error is for an AOR that is not user@domain.
func NewUser(aor, password string, now time.Time) (User, error) {
	name, realm, ok := strings.Cut(aor, "@")
	if !ok || name == "" || realm == "" || strings.Contains(realm, "@") || strings.Contains(name, ":") {
		return User{}, fmt.Errorf("making a user: %q is not user@domain", aor)
	}
	digests := func(name string) Digests {
		return Digests{
			MD5:       auth.HA1(auth.MD5, name, realm, password),
			SHA256:    auth.HA1(auth.SHA256, name, realm, password),
			SHA512256: auth.HA1(auth.SHA512256, name, realm, password),
		}
	}
	return User{AOR: aor, HA1: digests(name), HA1Full: digests(aor), Created: time.UnixMilli(now.UnixMilli())}, nil
}

func (d *Digests) by(alg auth.Algorithm) string {
	switch alg {
	case auth.MD5:
		return d.MD5
	case auth.SHA256:
		return d.SHA256
	case auth.SHA512256:
		return d.SHA512256
	}
	return ""
}

// AddUser adds an account and returns when it is on disk. The error wraps
// ErrExists when the AOR is taken, by a user or an alias.
func (s *Store) AddUser(ctx context.Context, u User) error {
	added := false
	err := s.do(ctx, func() (err error) {
		if _, taken := s.pair(&s.aliases, u.AOR); taken {
			return nil
		}
		added, err = touched(s.stmt.addUser.ExecContext(context.Background(), userRow(&u, u.Created.UnixMilli())...))
		return err
	}, func() {
		if added {
			s.cache(u)
		}
	})
	if err == nil && !added {
		err = ErrExists
	}
	return wrap(err, "adding user "+u.AOR)
}

// SetUser changes the digests of an account, Created apart. The error wraps
// ErrNotFound.
func (s *Store) SetUser(ctx context.Context, u User) error {
	found := false
	err := s.do(ctx, func() (err error) {
		found, err = touched(s.stmt.setUser.ExecContext(context.Background(), userRow(&u)...))
		return err
	}, func() {
		if found {
			old, _ := s.User(u.AOR)
			u.Created = old.Created
			s.cache(u)
		}
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return wrap(err, "changing user "+u.AOR)
}

// DeleteUser removes an account, its aliases and the bindings it has on disk; the bindings in
// memory are the caller's to remove, afterwards. The error wraps ErrNotFound.
func (s *Store) DeleteUser(ctx context.Context, aor string) error {
	found := false
	err := s.do(ctx, func() (err error) {
		if found, err = touched(s.stmt.dropUser.ExecContext(context.Background(), aor)); err != nil {
			return err
		}
		if _, err = s.stmt.dropUserBindings.ExecContext(context.Background(), aor); err != nil {
			return err
		}
		_, err = s.conn.ExecContext(context.Background(), "DELETE FROM aliases WHERE value = ?", aor)
		return err
	}, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.users, aor)
		maps.DeleteFunc(s.aliases.values, func(_, user string) bool { return user == aor })
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return wrap(err, "deleting user "+aor)
}

// Users are all accounts, by AOR.
func (s *Store) Users() []User {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.SortedFunc(maps.Values(s.users), func(a, b User) int { return cmp.Compare(a.AOR, b.AOR) })
}

// User is the account of an AOR. It never waits for the disk.
func (s *Store) User(aor string) (User, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	u, ok := s.users[aor]
	return u, ok
}

// HA1 makes the store an auth.Credentials: username is the user part or the whole
// AOR, realm the domain.
func (s *Store) HA1(username, realm string, alg auth.Algorithm) (string, bool) {
	name, domain, full := strings.Cut(username, "@")
	if full && domain != realm {
		return "", false
	}
	u, ok := s.User(name + "@" + realm)
	if !ok {
		return "", false
	}
	ha1 := u.HA1.by(alg)
	if full {
		ha1 = u.HA1Full.by(alg)
	}
	return ha1, ha1 != ""
}

func (s *Store) cache(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[u.AOR] = u
}

func (s *Store) loadUsers() error {
	s.users = map[string]User{}
	rows, err := s.conn.QueryContext(context.Background(), `SELECT aor, md5, sha256, sha512_256,
		md5_full, sha256_full, sha512_256_full, created FROM users`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var u User
		var created int64
		if err := rows.Scan(&u.AOR, &u.HA1.MD5, &u.HA1.SHA256, &u.HA1.SHA512256,
			&u.HA1Full.MD5, &u.HA1Full.SHA256, &u.HA1Full.SHA512256, &created); err != nil {
			return err
		}
		u.Created = time.UnixMilli(created)
		s.users[u.AOR] = u
	}
	return rows.Err()
}

func userRow(u *User, more ...any) []any {
	return append([]any{u.AOR, u.HA1.MD5, u.HA1.SHA256, u.HA1.SHA512256,
		u.HA1Full.MD5, u.HA1Full.SHA256, u.HA1Full.SHA512256}, more...)
}

// touched tells whether a statement changed a row.
func touched(result interface{ RowsAffected() (int64, error) }, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

func wrap(err error, doing string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}
