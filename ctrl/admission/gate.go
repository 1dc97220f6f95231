// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Tables is where the policy is carried out. Times are nanoseconds of Config.Clock.
type Tables interface {
	Replace(steer.SourcePolicy) error
	SetPrefix(netip.Prefix, steer.Rule) error // RuleNone removes it
	SetBan(source netip.Prefix, untilNS uint64) error
	Rule(netip.Addr) steer.Rule
}

// Store keeps what was changed at run time. What it returns without an error is on disk.
type Store interface {
	Bans() ([]Ban, error)
	PutBan(context.Context, Ban) error
	// SubmitBan does the same without waiting; done gets the outcome.
	SubmitBan(b Ban, done func(error)) error
	DeleteBan(ctx context.Context, source netip.Prefix) error
	DeleteBansUntil(context.Context, time.Time) error
	Prefixes() ([]Prefix, error)
	PutPrefix(context.Context, Prefix) error
	DeletePrefix(context.Context, netip.Prefix) error
}

// Config is what a Gate is wired of; every field is needed.
type Config struct {
	Fixed           []Prefix // those of the config file
	Source, Service steer.Rate
	Ban             BanRule
	Tables          Tables
	Store           Store
	Clock           func() uint64 // the tables' clock
	Now             func() time.Time
	Log             *slog.Logger
}

// Gate holds the source policy of a node. The store is the truth, the tables follow it. It is safe for concurrent use.
type Gate struct {
	Config
	failures *Failures

	changing sync.Mutex // one change at a time may wait for the store
	mu       sync.Mutex
	bans     map[netip.Prefix]Ban
	prefixes map[netip.Prefix]Prefix
}

// Open reads the store and brings the tables to what it says. Where the config file and the store disagree about a
// prefix, the file is right.
func Open(c Config) (*Gate, error) {
	g := &Gate{Config: c, failures: NewFailures(c.Ban), bans: map[netip.Prefix]Ban{}, prefixes: map[netip.Prefix]Prefix{}}
	stored, err := c.Store.Prefixes()
	if err != nil {
		return nil, fmt.Errorf("reading the prefixes: %w", err)
	}
	for _, p := range append(stored, c.Fixed...) {
		g.prefixes[p.Prefix] = p
	}
	bans, err := c.Store.Bans()
	if err != nil {
		return nil, fmt.Errorf("reading the bans: %w", err)
	}
	policy := steer.SourcePolicy{
		Prefixes: map[netip.Prefix]steer.Rule{}, Bans: map[netip.Prefix]uint64{}, Source: c.Source, Service: c.Service,
	}
	for _, p := range g.prefixes {
		policy.Prefixes[p.Prefix] = p.Rule
	}
	for _, b := range bans {
		if until := g.clockAt(b.Until); until != 0 {
			g.bans[b.Source] = b
			policy.Bans[b.Source] = until
		}
	}
	if err := c.Tables.Replace(policy); err != nil {
		return nil, fmt.Errorf("setting up the source policy: %w", err)
	}
	return g, nil
}

// clockAt is a wall-clock time on the tables' clock; 0 when it is over.
func (g *Gate) clockAt(t time.Time) uint64 {
	left := t.Sub(g.Now())
	if left <= 0 {
		return 0
	}
	return g.Clock() + uint64(left)
}

// moment is now, as exact as the store keeps it.
func (g *Gate) moment() time.Time { return g.Now().Truncate(time.Millisecond) }

// Bans lists the bans in force, by source.
func (g *Gate) Bans() []Ban {
	now := g.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	list := slices.Collect(maps.Values(g.bans))
	list = slices.DeleteFunc(list, func(b Ban) bool { return !b.Until.After(now) })
	slices.SortFunc(list, func(a, b Ban) int { return a.Source.Addr().Compare(b.Source.Addr()) })
	return list
}

// Count returns how many bans and prefixes there are; bans that are over count until Sweep removes them.
func (g *Gate) Count() (bans, prefixes int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.bans), len(g.prefixes)
}

// Ban bans the source of an address, durably, and returns the ban. One that stands is replaced. The error wraps ErrInvalid for a
// source that is always heard, and steer.ErrTooMany.
func (g *Gate) Ban(ctx context.Context, addr netip.Addr, length time.Duration, reason, by string) (Ban, error) {
	g.changing.Lock()
	defer g.changing.Unlock()
	now := g.moment()
	b := Ban{Source: steer.SourceOf(addr), Since: now, Until: now.Add(length), Reason: reason, By: by}
	if g.Tables.Rule(addr) == steer.RuleAllow {
		return b, fmt.Errorf("banning %s: it is in an allowed prefix and always heard: %w", addr, ErrInvalid)
	}
	if err := g.room(b.Source); err != nil {
		return b, err
	}
	if err := g.Store.PutBan(ctx, b); err != nil {
		return b, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return b, g.set(b)
}

func (g *Gate) room(source netip.Prefix) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, again := g.bans[source]; !again && len(g.bans) >= steer.MaxBans {
		return fmt.Errorf("banning %s: %w", source, steer.ErrTooMany)
	}
	return nil
}

// set carries a ban out; g.mu is held.
func (g *Gate) set(b Ban) error {
	if err := g.Tables.SetBan(b.Source, g.clockAt(b.Until)); err != nil {
		return err
	}
	g.bans[b.Source] = b
	g.Log.Info("banned", "source", b.Source, "until", b.Until, "reason", b.Reason, "by", b.By)
	return nil
}

// Unban lifts the ban of the source of an address. The error wraps ErrNotFound.
func (g *Gate) Unban(ctx context.Context, addr netip.Addr, by string) error {
	g.changing.Lock()
	defer g.changing.Unlock()
	source := steer.SourceOf(addr)
	g.mu.Lock()
	_, banned := g.bans[source]
	g.mu.Unlock()
	if !banned {
		return fmt.Errorf("lifting the ban of %s: %w", source, ErrNotFound)
	}
	if err := g.Store.DeleteBan(ctx, source); err != nil {
		return err
	}
	g.failures.Forget(source)
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.Tables.SetBan(source, 0); err != nil {
		return err
	}
	delete(g.bans, source)
	g.Log.Info("ban lifted", "source", source, "by", by)
	return nil
}

// Failed counts a failure of a sender that is proven to receive at its address, and bans it when it is one too many.
// It does not wait for the store.
func (g *Gate) Failed(addr netip.Addr) {
	if g.Tables.Rule(addr) == steer.RuleAllow {
		return
	}
	now, source := g.moment(), steer.SourceOf(addr)
	length := g.failures.Failed(source, now)
	if length == 0 {
		return
	}
	if err := g.room(source); err != nil {
		g.Log.Warn("cannot ban", "source", source, "cause", err)
		return
	}
	b := Ban{Source: source, Since: now, Until: now.Add(length), Reason: "repeated authentication failures", By: ByFailures}
	g.mu.Lock()
	defer g.mu.Unlock()
	if old, banned := g.bans[source]; banned && old.Until.After(b.Until) {
		return // what was on its way when a longer ban began
	}
	if err := g.set(b); err != nil {
		g.Log.Error("banning failed", "source", source, "cause", err)
		return
	}
	keep := func(err error) {
		if err != nil {
			g.Log.Error("a ban is in force, but would not survive a restart", "source", source, "cause", err)
		}
	}
	if err := g.Store.SubmitBan(b, keep); err != nil {
		keep(err)
	}
}

// Sweep removes the bans that are over; those who enforce them have ignored them since.
func (g *Gate) Sweep(ctx context.Context) error {
	now := g.Now()
	g.mu.Lock()
	over := 0
	for source, b := range g.bans {
		if b.Until.After(now) {
			continue
		}
		if err := g.Tables.SetBan(source, 0); err != nil {
			g.mu.Unlock()
			return err
		}
		delete(g.bans, source)
		over++
	}
	g.mu.Unlock()
	if over == 0 {
		return nil
	}
	return g.Store.DeleteBansUntil(ctx, now)
}
