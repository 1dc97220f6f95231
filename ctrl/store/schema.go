// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// migrations lead from one schema version to the next: the first makes version 1
// of an empty file. One that was released is never changed; add another.
var migrations = [...]string{
	// Times are milliseconds since 1970, addresses IP:PORT or empty. WITHOUT
	// ROWID keeps a user's bindings together and saves a second index.
	`CREATE TABLE users (
		aor          TEXT PRIMARY KEY,
		md5          TEXT NOT NULL,
		sha256       TEXT NOT NULL,
		sha512_256   TEXT NOT NULL,
		md5_full        TEXT NOT NULL, -- the same for a client whose user name is the whole AOR
		sha256_full     TEXT NOT NULL,
		sha512_256_full TEXT NOT NULL,
		created      INTEGER NOT NULL
	) STRICT, WITHOUT ROWID;
	CREATE TABLE bindings (
		aor        TEXT NOT NULL,
		contact    TEXT NOT NULL,
		received   TEXT NOT NULL,
		local      TEXT NOT NULL,
		path       TEXT NOT NULL, -- a JSON list, or empty
		q          INTEGER NOT NULL, -- thousandths
		call_id    TEXT NOT NULL,
		cseq       INTEGER NOT NULL,
		expires    INTEGER NOT NULL,
		updated    INTEGER NOT NULL,
		user_agent TEXT NOT NULL,
		instance   TEXT NOT NULL,
		PRIMARY KEY (aor, contact)
	) STRICT, WITHOUT ROWID;
	CREATE TABLE secrets (
		name  TEXT PRIMARY KEY,
		value BLOB NOT NULL
	) STRICT, WITHOUT ROWID;
	CREATE TABLE workers (
		name TEXT PRIMARY KEY,
		id   INTEGER NOT NULL UNIQUE
	) STRICT, WITHOUT ROWID;`,
	`CREATE TABLE worker_settings (
		name    TEXT PRIMARY KEY,
		drained INTEGER NOT NULL,
		weight  INTEGER NOT NULL -- 0: as in the config
	) STRICT, WITHOUT ROWID;`,
	`CREATE TABLE aliases (
		name  TEXT PRIMARY KEY, -- an address of record
		value TEXT NOT NULL     -- the user's own
	) STRICT, WITHOUT ROWID;
	CREATE TABLE domains (
		name  TEXT PRIMARY KEY,
		value TEXT NOT NULL -- the service's name
	) STRICT, WITHOUT ROWID;`,
	// Ids of dropped records are not given again: the file of call records goes
	// by them. A time that never came is 0.
	`CREATE TABLE records (
		id          INTEGER PRIMARY KEY AUTOINCREMENT,
		boot        TEXT NOT NULL,
		key         TEXT NOT NULL,
		start_ns    INTEGER NOT NULL,
		call_id     TEXT NOT NULL,
		call_id_cut INTEGER NOT NULL,
		from_uri    TEXT NOT NULL,
		to_uri      TEXT NOT NULL,
		service     TEXT NOT NULL,
		worker      TEXT NOT NULL,
		started     INTEGER NOT NULL,
		rang        INTEGER NOT NULL,
		answered    INTEGER NOT NULL,
		ended       INTEGER NOT NULL,
		final_code  INTEGER NOT NULL,
		ended_by    TEXT NOT NULL,
		cause       TEXT NOT NULL,
		requests    INTEGER NOT NULL,
		responses   INTEGER NOT NULL,
		UNIQUE (key, start_ns, boot)
	) STRICT;
	CREATE INDEX records_by_end ON records (ended);
	CREATE INDEX records_by_call_id ON records (call_id);
	CREATE TABLE records_written (
		one INTEGER PRIMARY KEY,
		id  INTEGER NOT NULL
	) STRICT;`,
	// Whom the node hears, as changed at run time; both keys are prefixes.
	`CREATE TABLE bans (
		source TEXT PRIMARY KEY,
		since  INTEGER NOT NULL,
		until  INTEGER NOT NULL,
		reason TEXT NOT NULL,
		by     TEXT NOT NULL
	) STRICT, WITHOUT ROWID;
	CREATE TABLE prefixes (
		prefix TEXT PRIMARY KEY,
		rule   TEXT NOT NULL, -- allow or deny
		note   TEXT NOT NULL
	) STRICT, WITHOUT ROWID;`,
}

// migrate brings the schema to the latest version, all steps or none.
func (s *Store) migrate() error {
	ctx := context.Background()
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	version, err := schemaVersion(ctx, tx)
	if err != nil {
		return err
	}
	if version > len(migrations) {
		return fmt.Errorf("schema version %d, this program knows %d: %w", version, len(migrations), ErrNewer)
	}
	if version == len(migrations) {
		return nil
	}
	for i, step := range migrations[version:] {
		if _, err := tx.ExecContext(ctx, step); err != nil {
			return fmt.Errorf("bringing the schema to version %d: %w", version+i+1, err)
		}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE schema_version SET version = ?", len(migrations)); err != nil {
		return err
	}
	return tx.Commit()
}

// schemaVersion reads the version; an empty file gets the table with version 0.
// A file with tables of somebody else's is left alone.
func schemaVersion(ctx context.Context, tx *sql.Tx) (int, error) {
	var ours, tables int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE name = 'schema_version'), count(*)
		FROM sqlite_schema WHERE type = 'table'`).Scan(&ours, &tables)
	switch {
	case err != nil:
		return 0, err
	case ours == 0 && tables > 0:
		return 0, ErrForeign
	case ours == 0:
		_, err := tx.ExecContext(ctx, `CREATE TABLE schema_version (version INTEGER NOT NULL) STRICT;
			INSERT INTO schema_version VALUES (0)`)
		return 0, err
	}
	var version int
	err = tx.QueryRowContext(ctx, "SELECT version FROM schema_version").Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrForeign
	}
	return version, err
}

// statements are prepared once: preparing costs more than executing.
type statements struct {
	begin, commit, rollback    *sql.Stmt
	putBinding, dropBinding    *sql.Stmt
	addUser, setUser, dropUser *sql.Stmt
	dropUserBindings           *sql.Stmt
	addRecord                  *sql.Stmt
}

func (s *Store) prepare() error {
	for _, p := range []struct {
		at   **sql.Stmt
		text string
	}{
		{&s.stmt.begin, "BEGIN IMMEDIATE"},
		{&s.stmt.commit, "COMMIT"},
		{&s.stmt.rollback, "ROLLBACK"},
		{&s.stmt.putBinding, `INSERT OR REPLACE INTO bindings (aor, contact, received, local, path, q,
			call_id, cseq, expires, updated, user_agent, instance) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)`},
		{&s.stmt.dropBinding, "DELETE FROM bindings WHERE aor = ? AND contact = ?"},
		{&s.stmt.addUser, `INSERT INTO users (aor, md5, sha256, sha512_256, md5_full, sha256_full,
			sha512_256_full, created) VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`},
		{&s.stmt.setUser, `UPDATE users SET md5 = ?2, sha256 = ?3, sha512_256 = ?4, md5_full = ?5,
			sha256_full = ?6, sha512_256_full = ?7 WHERE aor = ?1`},
		{&s.stmt.dropUser, "DELETE FROM users WHERE aor = ?"},
		{&s.stmt.dropUserBindings, "DELETE FROM bindings WHERE aor = ?"},
		{&s.stmt.addRecord, `INSERT INTO records (boot, key, start_ns, call_id, call_id_cut, from_uri, to_uri,
			service, worker, started, rang, answered, ended, final_code, ended_by, cause, requests, responses)
			VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING`},
	} {
		stmt, err := s.conn.PrepareContext(context.Background(), p.text)
		if err != nil {
			return fmt.Errorf("preparing %q: %w", p.text, err)
		}
		*p.at = stmt
	}
	return nil
}

func (st *statements) close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{st.begin, st.commit, st.rollback, st.putBinding, st.dropBinding,
		st.addUser, st.setUser, st.dropUser, st.dropUserBindings, st.addRecord} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(errs...)
}
