// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestAliasesOutliveARestartAndGoWithTheirUser(t *testing.T) {
	location := "sqlite://" + t.TempDir() + "/a.db"
	s, err := Open(location)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, aor := range []string{"alice@a.example", "bob@a.example"} {
		u, err := NewUser(aor, "secret", time.Now())
		if err != nil || s.AddUser(ctx, u) != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		alias, aor string
		want       error
	}{
		{"4711@b.example", "alice@a.example", nil}, {"+49@a.example", "bob@a.example", nil},
		{"4711@b.example", "bob@a.example", ErrExists}, {"bob@a.example", "alice@a.example", ErrExists},
		{"x@a.example", "nobody@a.example", ErrNotFound}, {"x@a.example", "4711@b.example", ErrNotFound},
	} {
		if err := s.AddAlias(ctx, c.alias, c.aor); !errors.Is(err, c.want) {
			t.Errorf("alias %s of %s: %v, want %v", c.alias, c.aor, err, c.want)
		}
	}
	u, _ := NewUser("4711@b.example", "secret", time.Now())
	if err := s.AddUser(ctx, u); !errors.Is(err, ErrExists) {
		t.Errorf("a user in the place of an alias: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(location); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for aor, want := range map[string]string{"4711@b.example": "alice@a.example", "alice@a.example": "alice@a.example", "x@a.example": ""} {
		if got, ok := s.Resolve(aor); got != want || ok != (want != "") {
			t.Errorf("%s is %q, %v; want %q", aor, got, ok, want)
		}
	}
	if err := s.DeleteUser(ctx, "alice@a.example"); err != nil {
		t.Fatal(err)
	}
	if got := s.Aliases(); !reflect.DeepEqual(got, []Pair{{"+49@a.example", "bob@a.example"}}) {
		t.Errorf("aliases after alice has gone: %v", got)
	}
	if err := errors.Join(s.DeleteAlias(ctx, "+49@a.example")); err != nil || !errors.Is(s.DeleteAlias(ctx, "+49@a.example"), ErrNotFound) {
		t.Errorf("deleting an alias: %v", err)
	}
}

func TestDomainsAreKept(t *testing.T) {
	location := "sqlite://" + t.TempDir() + "/a.db"
	s, err := Open(location)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if err := s.AddDomain(ctx, "b.example", "edge"); err != nil || !errors.Is(s.AddDomain(ctx, "b.example", "core"), ErrExists) {
		t.Fatalf("adding a domain: %v", err)
	}
	s.Close()
	if s, err = Open(location); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if service, ok := s.Domain("b.example"); service != "edge" || !ok || len(s.Domains()) != 1 {
		t.Errorf("after a restart: %q, %v", service, s.Domains())
	}
	if err := s.DeleteDomain(ctx, "b.example"); err != nil || !errors.Is(s.DeleteDomain(ctx, "b.example"), ErrNotFound) {
		t.Errorf("deleting a domain: %v", err)
	}
}
