// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
)

// WorkerSetting is what an operator has said of a worker while the daemon ran.
// It holds over a restart.
type WorkerSetting struct {
	Drained bool
	Weight  int // in place of the config's; 0 = as in the config
}

// WorkerSettings returns the settings by the workers' names, also of those that
// are not in the config any more.
func (s *Store) WorkerSettings() (map[string]WorkerSetting, error) {
	all := map[string]WorkerSetting{}
	err := s.do(context.Background(), func() error {
		rows, err := s.conn.QueryContext(context.Background(), "SELECT name, drained, weight FROM worker_settings")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var set WorkerSetting
			if err := rows.Scan(&name, &set.Drained, &set.Weight); err != nil {
				return err
			}
			all[name] = set
		}
		return rows.Err()
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("reading the settings of workers: %w", err)
	}
	return all, nil
}

// SetWorker keeps the setting of a worker; it is durable on return.
func (s *Store) SetWorker(ctx context.Context, name string, set WorkerSetting) error {
	err := s.do(ctx, func() error {
		_, err := s.conn.ExecContext(context.Background(),
			"INSERT OR REPLACE INTO worker_settings (name, drained, weight) VALUES (?, ?, ?)", name, set.Drained, set.Weight)
		return err
	}, nil)
	return wrap(err, fmt.Sprintf("keeping the setting of worker %q", name))
}
