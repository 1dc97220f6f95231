// SPDX-License-Identifier: Apache-2.0

// Package store keeps what must outlive the process, in one SQLite file: users,
// aliases, domains, bindings, secrets and worker numbers.
//
// One goroutine writes. It gathers what is waiting, commits it in one
// transaction, waits for the disk once, and then tells each caller; so the price
// of durability is shared by all that happens at the same time. What is read
// often (users) is also in memory and never waits for the disk.
package store

import (
	"database/sql"
	"errors"
	"os"
	"sync"
)

// Errors that a caller may test for.
var (
	ErrExists   = errors.New("exists already")
	ErrNotFound = errors.New("not found")
	ErrInUse    = errors.New("it is in use by another sipsteer")
	ErrForeign  = errors.New("the file is not a sipsteer store")
	ErrNewer    = errors.New("it was written by a newer sipsteer")
	ErrClosed   = errors.New("the store is closed")
)

// Store is an open store. It is safe for concurrent use.
type Store struct {
	lock *os.File
	db   *sql.DB
	conn *sql.Conn // used by Open, then by the journal's goroutine alone
	stmt statements

	journal journal

	mu      sync.RWMutex
	users   map[string]User
	aliases pairs
	domains pairs
}

// Close writes what is waiting, closes the file and lets another daemon have it.
// Calls of Submit from then on get ErrClosed. It returns the first error.
func (s *Store) Close() error {
	if !s.journal.stop() {
		return nil
	}
	return s.release()
}

func (s *Store) release() error {
	var errs []error
	errs = append(errs, s.stmt.close())
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}
