// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// memory is a store and a table in memory, whose writes can be made to fail.
type memory struct {
	*steer.Sources
	bans     map[netip.Prefix]Ban
	prefixes map[netip.Prefix]Prefix
	broken   error
}

func newMemory() *memory {
	return &memory{Sources: steer.NewSources(), bans: map[netip.Prefix]Ban{}, prefixes: map[netip.Prefix]Prefix{}}
}

func (m *memory) Bans() ([]Ban, error)        { return slices.Collect(maps.Values(m.bans)), nil }
func (m *memory) Prefixes() ([]Prefix, error) { return slices.Collect(maps.Values(m.prefixes)), nil }
func (m *memory) put(change func()) error {
	if m.broken == nil {
		change()
	}
	return m.broken
}
func (m *memory) PutBan(_ context.Context, b Ban) error {
	return m.put(func() { m.bans[b.Source] = b })
}
func (m *memory) SubmitBan(b Ban, done func(error)) error {
	done(m.PutBan(context.Background(), b))
	return nil
}
func (m *memory) DeleteBan(_ context.Context, p netip.Prefix) error {
	return m.put(func() { delete(m.bans, p) })
}
func (m *memory) DeleteBansUntil(_ context.Context, t time.Time) error {
	return m.put(func() { maps.DeleteFunc(m.bans, func(_ netip.Prefix, b Ban) bool { return !b.Until.After(t) }) })
}
func (m *memory) PutPrefix(_ context.Context, p Prefix) error {
	return m.put(func() { m.prefixes[p.Prefix] = p })
}
func (m *memory) DeletePrefix(_ context.Context, p netip.Prefix) error {
	return m.put(func() { delete(m.prefixes, p) })
}

// Tables, as the gate sees them.
type tables struct{ *steer.Sources }

func (t tables) Replace(p steer.SourcePolicy) error           { t.Sources.Replace(p); return nil }
func (t tables) SetPrefix(p netip.Prefix, r steer.Rule) error { t.Sources.SetPrefix(p, r); return nil }
func (t tables) SetBan(p netip.Prefix, until uint64) error    { t.Sources.SetBan(p, until); return nil }

// fixture is a gate whose clock is moved by hand.
type fixture struct {
	*Gate
	*memory
	at time.Time
}

func (f *fixture) clock() uint64 { return uint64(f.at.Sub(noon)) + 1000 }

func (f *fixture) heard(addr string) bool {
	o, _ := f.Sources.Judge(netip.MustParseAddr(addr), f.clock())
	return o == steer.Undecided
}

func open(t *testing.T, m *memory, at time.Time, fixed ...Prefix) *fixture {
	t.Helper()
	f := &fixture{memory: m, at: at}
	m.Sources = steer.NewSources() // as after a restart
	g, err := Open(Config{
		Fixed: fixed, Ban: rule, Tables: tables{m.Sources}, Store: m, Clock: f.clock,
		Now: func() time.Time { return f.at }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Gate = g
	return f
}

var (
	ctx      = context.Background()
	attacker = netip.MustParseAddr("198.51.100.66")
	carrier  = netip.MustParsePrefix("203.0.113.0/24")
	trunk    = Prefix{Prefix: carrier, Rule: steer.RuleAllow, Origin: "trunk carrier"}
)

func TestABanHoldsOverARestartAndEndsInTime(t *testing.T) {
	m := newMemory()
	f := open(t, m, noon)
	if _, err := f.Ban(ctx, attacker, time.Hour, "scans", "operator"); err != nil {
		t.Fatal(err)
	}
	if f.heard("198.51.100.66") || !f.heard("198.51.100.67") {
		t.Fatal("the wrong one is banned")
	}
	f = open(t, m, noon.Add(59*time.Minute))
	list := f.Gate.Bans()
	if len(list) != 1 || list[0].Reason != "scans" || !list[0].Until.Equal(noon.Add(time.Hour)) || f.heard("198.51.100.66") {
		t.Fatalf("after a restart: %+v", list)
	}
	f.at = noon.Add(time.Hour)
	if !f.heard("198.51.100.66") || len(f.Gate.Bans()) != 0 {
		t.Error("the ban has not ended")
	}
	if err := f.Sweep(ctx); err != nil || len(m.bans) != 0 {
		t.Errorf("swept: %v, %d bans are kept", err, len(m.bans))
	}
	m.bans[source] = Ban{Source: source, Until: noon}
	if f = open(t, m, noon.Add(time.Minute)); !f.heard("198.51.100.7") {
		t.Error("a ban that ended while the daemon was away is in force")
	}
}

func TestUnban(t *testing.T) {
	f := open(t, newMemory(), noon)
	if err := f.Unban(ctx, attacker, "operator"); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody is banned: %v", err)
	}
	for range 3 {
		f.Failed(attacker)
	}
	if f.heard("198.51.100.66") {
		t.Fatal("not banned")
	}
	if err := f.Unban(ctx, attacker, "operator"); err != nil || !f.heard("198.51.100.66") || len(f.Gate.bans) != 0 {
		t.Errorf("unban: %v", err)
	}
	f.Failed(attacker)
	f.Failed(attacker)
	if !f.heard("198.51.100.66") {
		t.Error("banned again too soon")
	}
}

func TestFailuresBanAndAreListed(t *testing.T) {
	m := newMemory()
	f := open(t, m, noon)
	for range 3 {
		f.Failed(attacker)
	}
	list := f.Gate.Bans()
	if len(list) != 1 || list[0].By != ByFailures || !list[0].Until.Equal(noon.Add(10*time.Minute)) || len(m.bans) != 1 {
		t.Errorf("bans %+v, kept %d", list, len(m.bans))
	}
}

func TestFailuresDoNotShortenALongerBan(t *testing.T) {
	f := open(t, newMemory(), noon)
	if _, err := f.Ban(ctx, attacker, 24*time.Hour, "", "operator"); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		f.Failed(attacker)
	}
	if got := f.Gate.Bans()[0].Until; !got.Equal(noon.Add(24 * time.Hour)) {
		t.Errorf("ends %s", got)
	}
}

func TestAllowedSourcesAreNeverBanned(t *testing.T) {
	f := open(t, newMemory(), noon, trunk)
	peer := netip.MustParseAddr("203.0.113.5")
	for range 100 {
		f.Failed(peer)
	}
	if _, err := f.Ban(ctx, peer, time.Hour, "", "operator"); !errors.Is(err, ErrInvalid) {
		t.Errorf("banning a trunk: %v", err)
	}
	if !f.heard("203.0.113.5") || len(f.Gate.Bans()) != 0 {
		t.Error("a trunk is banned")
	}
}

func TestWhatTheStoreRefusesChangesNothing(t *testing.T) {
	m := newMemory()
	f := open(t, m, noon)
	if _, err := f.Ban(ctx, attacker, time.Hour, "", "operator"); err != nil {
		t.Fatal(err)
	}
	m.broken = errors.New("disk full")
	_, errBan := f.Ban(ctx, netip.MustParseAddr("198.51.100.67"), time.Hour, "", "operator")
	_, errPrefix := f.Gate.SetPrefix(ctx, carrier, steer.RuleDeny, "")
	if errBan == nil || errPrefix == nil || f.Unban(ctx, attacker, "operator") == nil {
		t.Error("no error")
	}
	if !f.heard("198.51.100.67") || !f.heard("203.0.113.5") || f.heard("198.51.100.66") {
		t.Error("something changed")
	}
}

func TestPrefixesOfTheFileStandAgainstTheStore(t *testing.T) {
	m := newMemory()
	m.prefixes[carrier] = Prefix{Prefix: carrier, Rule: steer.RuleDeny, Origin: OriginAPI}
	f := open(t, m, noon, trunk)
	if !f.heard("203.0.113.5") {
		t.Error("the store overrules the config file")
	}
	if _, err := f.Gate.SetPrefix(ctx, carrier, steer.RuleDeny, ""); !errors.Is(err, ErrFixed) {
		t.Errorf("changing a prefix of the file: %v", err)
	}
	if err := f.RemovePrefix(ctx, carrier); !errors.Is(err, ErrFixed) {
		t.Errorf("removing a prefix of the file: %v", err)
	}
	one := netip.MustParsePrefix("203.0.113.9/32")
	if _, err := f.Gate.SetPrefix(ctx, one, steer.RuleDeny, "noise"); err != nil || f.heard("203.0.113.9") {
		t.Errorf("a longer deny prefix: %v", err)
	}
	if list := f.Gate.Prefixes(); len(list) != 2 || list[0].Origin != "trunk carrier" || list[1].Note != "noise" {
		t.Errorf("prefixes %+v", list)
	}
	if err := f.RemovePrefix(ctx, one); err != nil || !f.heard("203.0.113.9") || len(m.prefixes) != 1 {
		t.Errorf("removing it: %v", err)
	}
	if err := f.RemovePrefix(ctx, one); !errors.Is(err, ErrNotFound) {
		t.Errorf("removing it twice: %v", err)
	}
}

func TestTrunkOf(t *testing.T) {
	trunks := []Trunk{{Name: "wide", Prefixes: []netip.Prefix{carrier}}, {Name: "narrow", Prefixes: []netip.Prefix{netip.MustParsePrefix("203.0.113.128/25")}}}
	for addr, want := range map[string]string{"203.0.113.5": "wide", "203.0.113.200": "narrow", "::ffff:203.0.113.5": "wide", "198.51.100.1": ""} {
		got := ""
		if found := TrunkOf(trunks, netip.MustParseAddr(addr)); found != nil {
			got = found.Name
		}
		if got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
}
