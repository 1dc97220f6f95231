// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"net/netip"
	"time"
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

// StatusSource reports what the daemon does, at once to several goroutines.
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

// RecordFilter selects call records; zero fields select all.
type RecordFilter struct {
	After        int64 // only records with a higher id
	Since, Until time.Time
	CallID       string
	User         string // user@host, caller or callee
	Limit        int    // at most this many; always above 0
}

// Records lists call records.
type Records interface {
	// Records returns the lowest ids first; more says that Limit cut the list.
	Records(ctx context.Context, f RecordFilter) (list []CallRecord, more bool, err error)
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

// Aliases manages further addresses of users. Alias and user are user@host, as
// ParseAOR returns it.
type Aliases interface {
	Aliases(ctx context.Context) ([]Alias, error)
	// AddAlias wraps ErrExists for an address that is a user or an alias, ErrNotFound
	// for a user who is not there, and ErrInvalid for a host that no service is
	// responsible for.
	AddAlias(ctx context.Context, alias, user string) error
	// RemoveAlias wraps ErrNotFound.
	RemoveAlias(ctx context.Context, alias string) error
}

// Domains manages what the services are responsible for beyond the config.
type Domains interface {
	Domains(ctx context.Context) ([]Domain, error)
	// AddDomain wraps ErrExists for a domain of any service, ErrNotFound for an
	// unknown service, and ErrInvalid for what is no domain. An empty service is the
	// only one there is.
	AddDomain(ctx context.Context, domain, service string) (Domain, error)
	// RemoveDomain wraps ErrNotFound, and ErrInvalid for a domain of the config.
	RemoveDomain(ctx context.Context, domain string) error
}

// DialPlan shows where calls to numbers go. It is the config's; nothing changes it
// at run time.
type DialPlan interface {
	Routes(ctx context.Context) ([]Route, error)
	Gateways(ctx context.Context) ([]Gateway, error)
}

// Admission manages whom the node hears.
type Admission interface {
	Bans(ctx context.Context) ([]Ban, error)
	// AddBan bans the source that an address belongs to, or changes its ban. It
	// wraps ErrInvalid for one that is always heard, and ErrExists when there is no room.
	AddBan(ctx context.Context, a netip.Addr, length time.Duration, reason string) (Ban, error)
	// RemoveBan wraps ErrNotFound.
	RemoveBan(ctx context.Context, a netip.Addr) error
	Prefixes(ctx context.Context) ([]Prefix, error)
	// SetPrefix adds a prefix or changes its rule. It wraps ErrExists for one of the
	// config file, and when there is no room.
	SetPrefix(ctx context.Context, p netip.Prefix, deny bool, note string) (Prefix, error)
	// RemovePrefix wraps ErrNotFound, and ErrExists for one of the config file.
	RemovePrefix(ctx context.Context, p netip.Prefix) error
}

// Sources is everything the API serves. All fields are needed.
type Sources struct {
	Status        StatusSource
	Metrics       MetricsSource
	Workers       Workers
	Dialogs       Dialogs
	Records       Records
	Registrations Registrations
	Users         Users
	Aliases       Aliases
	Domains       Domains
	DialPlan      DialPlan
	Admission     Admission
}
