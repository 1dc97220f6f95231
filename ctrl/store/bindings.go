// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/location"
)

func (s *Store) applyChange(c *location.Change) error {
	ctx := context.Background()
	for i := range c.Put {
		b := &c.Put[i]
		path, err := packPath(b.Path)
		if err != nil {
			return err
		}
		if _, err := s.stmt.putBinding.ExecContext(ctx, c.AOR, b.Contact, packAddr(b.Received), packAddr(b.Local),
			path, int64(b.Q), b.CallID, int64(b.CSeq), b.Expires.UnixMilli(), b.Updated.UnixMilli(),
			b.UserAgent, b.Instance); err != nil {
			return fmt.Errorf("writing a binding of %s: %w", c.AOR, err)
		}
	}
	for _, contact := range c.Drop {
		if _, err := s.stmt.dropBinding.ExecContext(ctx, c.AOR, contact); err != nil {
			return fmt.Errorf("dropping a binding of %s: %w", c.AOR, err)
		}
	}
	return nil
}

// pageSize is how many bindings are read at a time, so that neither memory nor
// the writes that wait meanwhile add up.
const pageSize = 1024

// Bindings gives all bindings on disk, expired ones included, and ends after the
// first error.
func (s *Store) Bindings() iter.Seq2[location.Binding, error] {
	return func(yield func(location.Binding, error) bool) {
		var last location.Binding
		for {
			var page []location.Binding
			err := s.do(context.Background(), func() (err error) {
				page, err = s.readPage(last.AOR, last.Contact)
				return err
			}, nil)
			if err != nil {
				yield(location.Binding{}, err)
				return
			}
			for _, b := range page {
				if !yield(b, nil) {
					return
				}
			}
			if len(page) < pageSize {
				return
			}
			last = page[len(page)-1]
		}
	}
}

// readPage reads the bindings that follow the one named, by AOR and contact.
func (s *Store) readPage(aor, contact string) (page []location.Binding, err error) {
	rows, err := s.conn.QueryContext(context.Background(), `SELECT aor, contact, received, local, path, q,
		call_id, cseq, expires, updated, user_agent, instance FROM bindings
		WHERE (aor, contact) > (?, ?) ORDER BY aor, contact LIMIT ?`, aor, contact, pageSize)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var b location.Binding
		if err := scanBinding(rows, &b); err != nil {
			return nil, fmt.Errorf("reading a binding of %q: %w", b.AOR, err)
		}
		page = append(page, b)
	}
	return page, rows.Err()
}

func scanBinding(rows *sql.Rows, b *location.Binding) error {
	var received, local, path string
	var expires, updated int64
	if err := rows.Scan(&b.AOR, &b.Contact, &received, &local, &path, &b.Q, &b.CallID, &b.CSeq,
		&expires, &updated, &b.UserAgent, &b.Instance); err != nil {
		return err
	}
	b.Expires, b.Updated = time.UnixMilli(expires), time.UnixMilli(updated)
	return errors.Join(unpackAddr(received, &b.Received), unpackAddr(local, &b.Local), unpackPath(path, &b.Path))
}

func packAddr(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func unpackAddr(text string, a *netip.AddrPort) (err error) {
	if text != "" {
		*a, err = netip.ParseAddrPort(text)
	}
	return err
}

func packPath(path []string) (string, error) {
	if len(path) == 0 {
		return "", nil
	}
	text, err := json.Marshal(path)
	return string(text), err
}

func unpackPath(text string, path *[]string) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), path)
}
