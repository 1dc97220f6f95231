// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/auth"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newStore opens a store in a directory of its own.
func newStore(t testing.TB) (s *Store, location string) {
	t.Helper()
	location = "sqlite://" + filepath.Join(t.TempDir(), "state", "sip.db")
	return reopen(t, location), location
}

func reopen(t testing.TB, location string) *Store {
	t.Helper()
	s, err := Open(location)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return s
}

func mustUser(t testing.TB, aor, password string) User {
	t.Helper()
	u, err := NewUser(aor, password, epoch)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestOpenMakesPrivateFiles(t *testing.T) {
	s, location := newStore(t)
	if err := s.AddUser(context.Background(), mustUser(t, "alice@example.com", "x")); err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(location, "sqlite://")
	for name, want := range map[string]os.FileMode{
		filepath.Dir(path): 0o700, path: 0o600, path + "-wal": 0o600, path + ".lock": 0o600,
	} {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %o, want %o", filepath.Base(name), got, want)
		}
	}
}

func TestEveryCommitWaitsForTheDisk(t *testing.T) {
	s, _ := newStore(t)
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1"} {
		var got string
		err := s.do(context.Background(), func() error {
			return s.conn.QueryRowContext(context.Background(), "PRAGMA "+pragma).Scan(&got)
		}, nil)
		if err != nil || got != want {
			t.Errorf("%s = %q, %v; want %s", pragma, got, err, want)
		}
	}
}

func TestOpenTakesAnyFileName(t *testing.T) {
	dir := t.TempDir()
	name := "a b?c=d%20#e.db"
	reopen(t, "sqlite://"+filepath.Join(dir, name))
	if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
		t.Error(err)
	}
}

func TestOpenRefusesWhatItCannotUse(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	database := func(name, statements string) string {
		db, err := sql.Open("sqlite", filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Exec(statements); err != nil {
			t.Fatal(err)
		}
		return filepath.Join(dir, name)
	}
	held := filepath.Join(dir, "held.db")
	reopen(t, "sqlite://"+held)

	tests := []struct {
		name, location string
		want           error
		text           string
	}{
		{"other scheme", "postgres://host/db", nil, "only sqlite:///ABSOLUTE/PATH"},
		{"relative path", "sqlite://var/sip.db", nil, "absolute path"},
		{"no path", "sqlite:///", nil, "absolute path"},
		{"directory under a file", "sqlite://" + file("plain", "") + "/sip.db", nil, "making its directory"},
		{"a directory", "sqlite://" + dir, nil, "is a directory"},
		{"text file", "sqlite://" + file("notes.txt", "not a database, but longer than the mark"), ErrForeign, ""},
		{"short file", "sqlite://" + file("short", "abc"), ErrForeign, ""},
		{"mark alone", "sqlite://" + file("mark", "SQLite format 3\x00"+strings.Repeat("x", 4096)), ErrForeign, ""},
		{"another program's database", "sqlite://" + database("other.db", "CREATE TABLE t (x)"), ErrForeign, ""},
		{"newer schema", "sqlite://" + database("newer.db",
			"CREATE TABLE schema_version (version INTEGER); INSERT INTO schema_version VALUES (999)"), ErrNewer, "version 999"},
		{"version lost", "sqlite://" + database("lost.db", "CREATE TABLE schema_version (version INTEGER)"), ErrForeign, ""},
		{"in use", "sqlite://" + held, ErrInUse, "held.db"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Open(tt.location)
			if err == nil {
				s.Close()
				t.Fatal("opened")
			}
			if tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("error %q, want one with %v %q", err, tt.want, tt.text)
			}
		})
	}
}

func TestCloseLetsTheNextOneIn(t *testing.T) {
	s, location := newStore(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if err := s.AddUser(context.Background(), User{AOR: "a@x"}); !errors.Is(err, ErrClosed) {
		t.Errorf("AddUser after Close: %v, want ErrClosed", err)
	}
	reopen(t, location)
}

func TestUsersOutliveARestart(t *testing.T) {
	ctx := context.Background()
	s, location := newStore(t)
	for _, aor := range []string{"bob@example.com", "alice@example.com", "carol@example.com"} {
		if err := s.AddUser(ctx, mustUser(t, aor, "old")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.AddUser(ctx, mustUser(t, "bob@example.com", "other")); !errors.Is(err, ErrExists) {
		t.Errorf("adding bob again: %v, want ErrExists", err)
	}
	later, _ := NewUser("alice@example.com", "new", epoch.Add(time.Hour))
	if err := s.SetUser(ctx, later); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteUser(ctx, "carol@example.com"); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{s.DeleteUser(ctx, "carol@example.com"), s.SetUser(ctx, mustUser(t, "carol@example.com", ""))} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("carol after she was deleted: %v, want ErrNotFound", err)
		}
	}

	check := func(t *testing.T, s *Store) {
		users := s.Users()
		if len(users) != 2 || users[0].AOR != "alice@example.com" || users[1].AOR != "bob@example.com" {
			t.Fatalf("users %+v", users)
		}
		if users[0].HA1 != later.HA1 || users[0].HA1Full != later.HA1Full || !users[0].Created.Equal(epoch) {
			t.Errorf("alice is %+v, want her new password and her old date", users[0])
		}
		_, carol := s.Resolve("carol@example.com")
		if _, bob := s.Resolve("bob@example.com"); carol || !bob {
			t.Error("Resolve is wrong about carol or bob")
		}
	}
	t.Run("before", func(t *testing.T) { check(t, s) })
	s.Close()
	t.Run("after", func(t *testing.T) { check(t, reopen(t, location)) })
}

func TestHA1IsForTheNameAsGiven(t *testing.T) {
	s, _ := newStore(t)
	if err := s.AddUser(context.Background(), mustUser(t, "alice@example.com", "open sesame")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		username, realm string
		known           bool
	}{
		{"alice", "example.com", true},
		{"alice@example.com", "example.com", true},
		{"alice@example.org", "example.com", false},
		{"alice", "example.org", false},
		{"Alice", "example.com", false},
		{"", "example.com", false},
		{"alice@", "example.com", false},
	}
	for _, tt := range tests {
		for _, alg := range auth.Algorithms() {
			got, known := s.HA1(tt.username, tt.realm, alg)
			want := ""
			if tt.known {
				want = auth.HA1(alg, tt.username, tt.realm, "open sesame")
			}
			if got != want || known != tt.known {
				t.Errorf("HA1(%q, %q, %v) = %q, %v; want %q", tt.username, tt.realm, alg, got, known, want)
			}
		}
	}
}

func TestNewUserRefusesOddAddresses(t *testing.T) {
	for _, aor := range []string{"", "alice", "@x", "alice@", "a@b@c", "a:b@c"} {
		if _, err := NewUser(aor, "x", epoch); err == nil {
			t.Errorf("NewUser(%q) succeeded", aor)
		}
	}
}

func TestSecretsAndWorkerNumbersStayTheSame(t *testing.T) {
	s, location := newStore(t)
	get := func(s *Store, name string) (string, uint32) {
		secret, err := s.Secret(name)
		if err != nil || len(secret) != 32 {
			t.Fatalf("secret of %d bytes, %v", len(secret), err)
		}
		id, err := s.WorkerID(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(secret), id
	}
	secret1, id1 := get(s, "w1")
	secret2, id2 := get(s, "w2")
	if secret1 == secret2 || id1 != 1 || id2 != 2 {
		t.Errorf("numbers %d and %d, secrets differ: %v", id1, id2, secret1 != secret2)
	}
	s.Close()
	s = reopen(t, location)
	for _, want := range []struct {
		name, secret string
		id           uint32
	}{{"w2", secret2, 2}, {"w1", secret1, 1}} {
		if secret, id := get(s, want.name); secret != want.secret || id != want.id {
			t.Errorf("%s after the restart: number %d, same secret: %v", want.name, id, secret == want.secret)
		}
	}
	if _, id := get(s, "w3"); id != 3 {
		t.Errorf("w3 has number %d, want 3", id)
	}
}

func TestWorkerSettingsOutliveARestart(t *testing.T) {
	s, location := newStore(t)
	want := map[string]WorkerSetting{"w1": {Drained: true}, "w2": {Weight: 7}}
	for _, set := range []struct {
		name string
		to   WorkerSetting
	}{{"w1", WorkerSetting{Weight: 3}}, {"w1", want["w1"]}, {"w2", want["w2"]}} {
		if err := s.SetWorker(t.Context(), set.name, set.to); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	got, err := reopen(t, location).WorkerSettings()
	if err != nil || !maps.Equal(got, want) {
		t.Fatalf("after the restart: %v, %v; want %v", got, err, want)
	}
}

func TestWorkerNumbersRunOut(t *testing.T) {
	s, _ := newStore(t)
	err := s.do(context.Background(), func() error {
		_, err := s.conn.ExecContext(context.Background(), "INSERT INTO workers VALUES ('last', ?)", MaxWorkerID)
		return err
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if id, err := s.WorkerID("one more"); err == nil {
		t.Errorf("got number %d, want an error", id)
	}
	if id, err := s.WorkerID("last"); err != nil || id != MaxWorkerID {
		t.Errorf("number %d, %v", id, err)
	}
}
