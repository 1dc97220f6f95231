// SPDX-License-Identifier: Apache-2.0

// Package location is the location service (RFC 3261 §10): which contacts an
// address of record is bound to. Lookups are answered from memory and wait for
// nothing; changes count only once a journal has made them durable.
package location

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Binding ties a contact to an address of record until it expires. A Binding in a
// Table is never changed in place; treat Path as read-only.
type Binding struct {
	AOR       string         // user@host
	Contact   string         // the URI as registered, without angle brackets; unique within the AOR
	Received  netip.AddrPort // where the REGISTER came from when the contact is behind NAT, else zero
	Local     netip.AddrPort // the VIP it was registered through
	Path      []string       // elements of Path, first hop first (RFC 3327)
	Q         uint16         // preference in thousandths, 0 to 1000
	CSeq      uint32         // of the REGISTER that made or refreshed it
	CallID    string         // likewise
	Expires   time.Time      // whole milliseconds
	Updated   time.Time      // when it was made or refreshed; whole milliseconds
	UserAgent string         // what the phone calls itself; may be empty
	Instance  string         // +sip.instance as registered, with quotes (RFC 5626); may be empty
}

// Expired tells whether the binding is no longer good at now.
func (b *Binding) Expired(now time.Time) bool { return !b.Expires.After(now) }

// same tells whether nothing differs, so that nothing need be written.
func (b *Binding) same(c *Binding) bool {
	return b.AOR == c.AOR && b.Contact == c.Contact && b.Received == c.Received &&
		b.Local == c.Local && slices.Equal(b.Path, c.Path) && b.Q == c.Q &&
		b.CSeq == c.CSeq && b.CallID == c.CallID && b.Expires.Equal(c.Expires) &&
		b.Updated.Equal(c.Updated) && b.UserAgent == c.UserAgent && b.Instance == c.Instance
}

// byPreference orders the highest q first, then the latest update.
func byPreference(a, b Binding) int {
	if a.Q != b.Q {
		return cmp.Compare(b.Q, a.Q)
	}
	return b.Updated.Compare(a.Updated)
}

// live drops what has expired at now. It returns set itself when all is live.
func live(set []Binding, now time.Time) []Binding {
	expired := func(b Binding) bool { return b.Expired(now) }
	if !slices.ContainsFunc(set, expired) {
		return set
	}
	return slices.DeleteFunc(slices.Clone(set), expired)
}

// Change is what a journal makes durable, all of it or nothing: Put is written
// over the bindings with the same AOR and Contact, then the contacts in Drop are
// removed.
type Change struct {
	AOR  string
	Put  []Binding
	Drop []string
}

// Empty tells whether there is nothing to write.
func (c *Change) Empty() bool { return len(c.Put) == 0 && len(c.Drop) == 0 }

// difference is the change that leads from one set of bindings to the next.
func difference(aor string, from, to []Binding) Change {
	change := Change{AOR: aor}
	for i := range to {
		j := find(from, to[i].Contact)
		if j < 0 || !from[j].same(&to[i]) {
			change.Put = append(change.Put, to[i])
		}
	}
	for i := range from {
		if find(to, from[i].Contact) < 0 {
			change.Drop = append(change.Drop, from[i].Contact)
		}
	}
	return change
}

func find(set []Binding, contact string) int {
	for i := range set {
		if set[i].Contact == contact {
			return i
		}
	}
	return -1
}

// Sorted is a copy of a set of bindings with the highest q first, then the latest
// update.
func Sorted(set []Binding) []Binding {
	sorted := slices.Clone(set)
	slices.SortStableFunc(sorted, byPreference)
	return sorted
}
