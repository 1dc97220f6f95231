// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
)

// MaxWorkerID is the highest number that WorkerID gives.
const MaxWorkerID = 4095

// Secret gives 32 random bytes that belong to a name: made and kept when it is
// first asked for, the same ever after.
func (s *Store) Secret(name string) ([]byte, error) {
	var value []byte
	err := s.do(context.Background(), func() error {
		ctx := context.Background()
		err := s.conn.QueryRowContext(ctx, "SELECT value FROM secrets WHERE name = ?", name).Scan(&value)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		value = make([]byte, 32)
		rand.Read(value) // never fails (crypto/rand)
		_, err = s.conn.ExecContext(ctx, "INSERT INTO secrets (name, value) VALUES (?, ?)", name, value)
		return err
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("getting the secret %q: %w", name, err)
	}
	return value, nil
}

// WorkerID gives the number, 1 to MaxWorkerID, that stands for a worker in pins.
// A name keeps its number for ever, also when the worker is gone from the
// config, so that pins of before a restart still mean the same worker.
func (s *Store) WorkerID(name string) (uint32, error) {
	var id uint32
	err := s.do(context.Background(), func() error {
		ctx := context.Background()
		err := s.conn.QueryRowContext(ctx, "SELECT id FROM workers WHERE name = ?", name).Scan(&id)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		err = s.conn.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) + 1 FROM workers").Scan(&id)
		if err != nil || id > MaxWorkerID {
			return err
		}
		_, err = s.conn.ExecContext(ctx, "INSERT INTO workers (name, id) VALUES (?, ?)", name, id)
		return err
	}, nil)
	if err == nil && id > MaxWorkerID {
		id, err = 0, fmt.Errorf("all %d numbers are taken", MaxWorkerID)
	}
	return id, wrap(err, fmt.Sprintf("getting the number of worker %q", name))
}
