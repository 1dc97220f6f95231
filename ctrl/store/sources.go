// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/admission"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Bans reads the bans, those that are over among them.
func (s *Store) Bans() (list []admission.Ban, err error) {
	err = s.read("SELECT source, since, until, reason, by FROM bans", func(rows *sql.Rows) error {
		var source string
		var since, until int64
		var b admission.Ban
		if err := rows.Scan(&source, &since, &until, &b.Reason, &b.By); err != nil {
			return err
		}
		b.Since, b.Until = time.UnixMilli(since), time.UnixMilli(until)
		var err error
		b.Source, err = netip.ParsePrefix(source)
		list = append(list, b)
		return err
	})
	return list, wrap(err, "reading bans")
}

// Prefixes reads the prefixes that were set at run time.
func (s *Store) Prefixes() (list []admission.Prefix, err error) {
	err = s.read("SELECT prefix, rule, note FROM prefixes", func(rows *sql.Rows) error {
		var prefix, rule string
		p := admission.Prefix{Origin: admission.OriginAPI}
		if err := rows.Scan(&prefix, &rule, &p.Note); err != nil {
			return err
		}
		var err error
		if p.Prefix, err = netip.ParsePrefix(prefix); err != nil {
			return err
		}
		for _, r := range [...]steer.Rule{steer.RuleAllow, steer.RuleDeny} {
			if r.String() == rule {
				p.Rule = r
			}
		}
		if p.Rule == steer.RuleNone {
			return fmt.Errorf("prefix %s has the rule %q", prefix, rule)
		}
		list = append(list, p)
		return nil
	})
	return list, wrap(err, "reading prefixes")
}

// read runs a query on the journal's goroutine, which owns the connection, and gives each row to one.
func (s *Store) read(query string, one func(*sql.Rows) error) error {
	var fault error // of the rows: it must not fail the writes of the same group
	err := s.do(context.Background(), func() error {
		rows, err := s.conn.QueryContext(context.Background(), query)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() && fault == nil {
			fault = one(rows)
		}
		return rows.Err()
	}, nil)
	if err == nil {
		err = fault
	}
	return err
}

// PutBan keeps a ban, in place of one of the same source, and returns when it is on disk.
func (s *Store) PutBan(ctx context.Context, b admission.Ban) error {
	return wrap(s.do(ctx, s.putBan(b), nil), "keeping the ban of "+b.Source.String())
}

// SubmitBan does the same and returns at once; done is called with the outcome.
func (s *Store) SubmitBan(b admission.Ban, done func(error)) error {
	return s.journal.submit(write{s.putBan(b), done})
}

func (s *Store) putBan(b admission.Ban) func() error {
	return s.exec("INSERT OR REPLACE INTO bans (source, since, until, reason, by) VALUES (?,?,?,?,?)",
		b.Source.String(), b.Since.UnixMilli(), b.Until.UnixMilli(), b.Reason, b.By)
}

// DeleteBan removes the ban of a source, if there is one.
func (s *Store) DeleteBan(ctx context.Context, source netip.Prefix) error {
	return wrap(s.do(ctx, s.exec("DELETE FROM bans WHERE source = ?", source.String()), nil), "deleting the ban of "+source.String())
}

// DeleteBansUntil removes the bans that end at a time or before.
func (s *Store) DeleteBansUntil(ctx context.Context, t time.Time) error {
	return wrap(s.do(ctx, s.exec("DELETE FROM bans WHERE until <= ?", t.UnixMilli()), nil), "deleting bans that are over")
}

// PutPrefix keeps a prefix, in place of the same with another rule.
func (s *Store) PutPrefix(ctx context.Context, p admission.Prefix) error {
	put := s.exec("INSERT OR REPLACE INTO prefixes (prefix, rule, note) VALUES (?,?,?)", p.Prefix.String(), p.Rule.String(), p.Note)
	return wrap(s.do(ctx, put, nil), "keeping the prefix "+p.Prefix.String())
}

// DeletePrefix removes a prefix, if it is there.
func (s *Store) DeletePrefix(ctx context.Context, p netip.Prefix) error {
	return wrap(s.do(ctx, s.exec("DELETE FROM prefixes WHERE prefix = ?", p.String()), nil), "deleting the prefix "+p.String())
}

func (s *Store) exec(statement string, args ...any) func() error {
	return func() error {
		_, err := s.conn.ExecContext(context.Background(), statement, args...)
		return err
	}
}
