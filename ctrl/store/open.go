// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite" // also registers the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Open opens the store at sqlite:///ABSOLUTE/PATH, makes it when it is not there
// (directory 0700, file 0600) and brings an older schema up to date. It returns
// an error that wraps ErrInUse, ErrForeign or ErrNewer, or that names the
// directory or file that cannot be used.
func Open(location string) (*Store, error) {
	path, err := filePath(location)
	if err != nil {
		return nil, err
	}
	s, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", path, err)
	}
	return s, nil
}

func filePath(location string) (string, error) {
	rest, ok := strings.CutPrefix(location, "sqlite://")
	if !ok {
		return "", fmt.Errorf("opening the store %q: only sqlite:///ABSOLUTE/PATH is known", location)
	}
	if !filepath.IsAbs(rest) || filepath.Clean(rest) == "/" || strings.HasSuffix(rest, "/") {
		return "", fmt.Errorf("opening the store %q: sqlite:// must be followed by an absolute path of a file", location)
	}
	return filepath.Clean(rest), nil
}

func open(path string) (_ *Store, err error) {
	lock, err := claim(path)
	if err != nil {
		return nil, err
	}
	s := &Store{lock: lock, aliases: pairs{what: "alias", table: "aliases"}, domains: pairs{what: "domain", table: "domains"}}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	// The path may hold '?', '%' or '#', which mean something in a URI.
	dsn := (&url.URL{Scheme: "file", Path: path}).String()
	if s.db, err = sql.Open("sqlite", dsn); err != nil {
		return nil, err
	}
	s.db.SetMaxOpenConns(1)
	if s.conn, err = s.db.Conn(context.Background()); err != nil {
		return nil, explain(err)
	}
	if err = s.configure(); err != nil {
		return nil, explain(err)
	}
	if err = s.migrate(); err != nil {
		return nil, explain(err)
	}
	if err = s.prepare(); err != nil {
		return nil, explain(err)
	}
	if err = errors.Join(s.loadUsers(), s.loadPairs()); err != nil {
		return nil, explain(err)
	}
	s.journal.start(s)
	return s, nil
}

// claim makes directory and file with tight permissions and takes the lock that
// keeps a second daemon out. The lock is on a file of its own: closing any
// descriptor of the database would drop SQLite's own locks on it.
func claim(path string) (lock *os.File, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("making its directory: %w", err)
	}
	lock, err = os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("its directory must be writable: %w", err)
	}
	if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, fmt.Errorf("locking %s.lock: %w", path, err)
	}
	if err = checkFile(path); err != nil {
		lock.Close()
		return nil, err
	}
	return lock, nil
}

// checkFile makes the database file or sees that it can be one.
func checkFile(path string) error {
	const magic = "SQLite format 3\x00"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return &fs.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	case info.Size() == 0:
		return nil
	}
	head := make([]byte, len(magic))
	if _, err := f.ReadAt(head, 0); err != nil || string(head) != magic {
		return ErrForeign
	}
	return nil
}

// configure sets what holds for the connection. synchronous=FULL makes every
// commit wait for the disk.
func (s *Store) configure() error {
	for _, pragma := range []string{
		"busy_timeout=5000", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON",
		"cache_size=-65536",       // KiB: refreshes hit pages in no order
		"wal_autocheckpoint=8192", // pages: a page refreshed often is copied once
	} {
		if _, err := s.conn.ExecContext(context.Background(), "PRAGMA "+pragma); err != nil {
			return fmt.Errorf("setting %s: %w", pragma, err)
		}
	}
	return nil
}

// explain turns SQLite's word for a file that is none of its own into ours.
func explain(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) && e.Code()&0xff == sqlite3.SQLITE_NOTADB {
		return ErrForeign
	}
	return err
}
