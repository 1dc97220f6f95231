// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
)

// Peek reads a secret and the names of workers by their numbers from a store that a daemon may be using. It changes
// nothing, takes no lock, and makes no file where there is none.
func Peek(location, secret string) (value []byte, workers map[uint32]string, err error) {
	path, err := filePath(location)
	if err != nil {
		return nil, nil, err
	}
	dsn := (&url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro"}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the store %s: %w", path, err)
	}
	defer db.Close()
	if workers, err = peekWorkers(db); err != nil {
		return nil, nil, fmt.Errorf("reading the store %s: %w", path, explain(err))
	}
	row := db.QueryRowContext(context.Background(), "SELECT value FROM secrets WHERE name = ?", secret)
	if err := row.Scan(&value); err != nil && err != sql.ErrNoRows {
		return nil, nil, fmt.Errorf("reading the secret of the store %s: %w", path, err)
	}
	return value, workers, nil
}

func peekWorkers(db *sql.DB) (map[uint32]string, error) {
	rows, err := db.QueryContext(context.Background(), "SELECT id, name FROM workers")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	workers := map[uint32]string{}
	for rows.Next() {
		var id uint32
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, err
		}
		workers[id] = name
	}
	return workers, rows.Err()
}
