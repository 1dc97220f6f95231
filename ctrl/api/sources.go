// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
)

// Errors that a source wraps so that a client learns what it did wrong. Any
// other error is answered 500.
var (
	ErrNotFound = errors.New("not found")
	ErrExists   = errors.New("exists already")
	ErrInvalid  = errors.New("invalid")
)

// Refuse gives err, whose text the client reads, one of the meanings above: the
// result matches both with errors.Is and says what err says.
func Refuse(meaning, err error) error { return refusal{meaning: meaning, err: err} }

type refusal struct{ meaning, err error }

func (r refusal) Error() string { return r.err.Error() }

func (r refusal) Unwrap() []error { return []error{r.meaning, r.err} }

// StatusSource reports what the daemon does. Status is called for each scrape
// of /metrics, at once from several goroutines.
type StatusSource interface {
	Status(ctx context.Context) (Status, error)
}

// Workers changes which workers get new calls, and how many; what is changed
// holds over a restart. All methods wrap ErrNotFound for a name that is not in
// the config and do nothing when the worker is in that state already.
type Workers interface {
	Drain(ctx context.Context, name string) error
	Undrain(ctx context.Context, name string) error
	// SetWeight sets a worker's share, 1 to MaxWeight; 0 takes the config's again.
	SetWeight(ctx context.Context, name string, weight int) error
}

// MaxWeight is the largest weight of a worker.
const MaxWeight = 1000

// DialogFilter selects dialogs; zero fields select all.
type DialogFilter struct {
	CallID string
	State  string // early, confirmed or ended
	Limit  int    // at most this many; always above 0
}

// Dialogs lists pins.
type Dialogs interface {
	// Dialogs returns the oldest dialogs first; more says that Limit cut the list.
	Dialogs(ctx context.Context, f DialogFilter) (list []Dialog, more bool, err error)
}

// Registrations lists and removes bindings. An AOR is user@host, as ParseAOR
// returns it.
type Registrations interface {
	// Registrations returns the bindings of aor, or of everybody when it is empty.
	Registrations(ctx context.Context, aor string) ([]Registration, error)
	// RemoveRegistrations drops all bindings of aor and returns how many there were.
	RemoveRegistrations(ctx context.Context, aor string) (int, error)
}

// Users manages accounts. An AOR is user@host, as ParseAOR returns it.
type Users interface {
	Users(ctx context.Context) ([]User, error)
	// AddUser wraps ErrExists for an account that is there, and ErrInvalid for a
	// host that no service is responsible for.
	AddUser(ctx context.Context, aor, password string) error
	// RemoveUser also drops the user's bindings; it wraps ErrNotFound.
	RemoveUser(ctx context.Context, aor string) error
	// SetPassword wraps ErrNotFound.
	SetPassword(ctx context.Context, aor, password string) error
}

// Sources is everything the API serves. All fields are needed.
type Sources struct {
	Status        StatusSource
	Workers       Workers
	Dialogs       Dialogs
	Registrations Registrations
	Users         Users
}
