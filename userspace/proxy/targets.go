// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"hash/maphash"
	"net/netip"
	"time"

	"github.com/sipsteer/sipsteer/userspace/txn"
)

// targetIdle is how long a dialog is remembered without a target refresh or a
// request that needed it, sweepEvery how often idle ones are looked for.
const (
	targetIdle = 24 * time.Hour
	sweepEvery = 10 * time.Minute
)

// targets remembers where the parties of a dialog have moved since it began
// (target refresh, RFC 3261 §12.2). Where they began is in the Record-Route
// (parameter st), so a dialog whose contacts never change costs no memory here.
//
// A dialog is found by 128 bits of a keyed hash over Call-ID and tags; its
// parties are in the order of their tags, so that the tags need not be kept.
type targets struct {
	seeds   [2]maphash.Seed
	dialogs map[dialogKey]dialog
	limit   int
	sweepAt txn.Instant
	scratch []byte
}

type dialogKey [2]uint64

type dialog struct {
	party [2]endpoint
	seen  txn.Instant
}

// endpoint is a netip.AddrPort without pointers; port 0 is unknown.
type endpoint struct {
	ip   [16]byte
	port uint16
}

func toEndpoint(a netip.AddrPort) endpoint {
	return endpoint{ip: a.Addr().As16(), port: a.Port()}
}

func newTargets(limit int) targets {
	return targets{
		seeds:   [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		dialogs: map[dialogKey]dialog{},
		limit:   limit,
		sweepAt: txn.Never,
	}
}

// key finds the dialog and the place of the party with the tag own in it.
func (t *targets) key(callID, own, other []byte) (k dialogKey, place int) {
	a, b := own, other
	if bytes.Compare(a, b) > 0 {
		a, b, place = b, a, 1
	}
	t.scratch = append(append(t.scratch[:0], callID...), 0)
	t.scratch = append(append(append(t.scratch, a...), 0), b...)
	for i := range k {
		k[i] = maphash.Bytes(t.seeds[i], t.scratch)
	}
	return k, place
}

// learn notes the current target of the party with the tag own. A full table
// learns no new dialogs; those live on by their Record-Route.
func (t *targets) learn(now txn.Instant, callID, own, other []byte, at netip.AddrPort) {
	if !at.IsValid() || len(own) == 0 || len(other) == 0 || bytes.Equal(own, other) {
		return
	}
	k, place := t.key(callID, own, other)
	d, known := t.dialogs[k]
	if !known && len(t.dialogs) >= t.limit {
		return
	}
	d.party[place], d.seen = toEndpoint(at), now
	t.dialogs[k] = d
	if t.sweepAt == txn.Never {
		t.sweepAt = now + sweepEvery
	}
}

// allows tells whether at is the current target of the party with the tag to,
// in a dialog to which the sender's tag from belongs.
func (t *targets) allows(now txn.Instant, callID, from, to []byte, at netip.AddrPort) bool {
	if len(t.dialogs) == 0 {
		return false
	}
	k, place := t.key(callID, to, from)
	d, ok := t.dialogs[k]
	if !ok || d.party[place] != toEndpoint(at) {
		return false
	}
	d.seen = now
	t.dialogs[k] = d
	return true
}

// forget drops a dialog that has ended.
func (t *targets) forget(callID, one, other []byte) {
	if len(t.dialogs) > 0 {
		k, _ := t.key(callID, one, other)
		delete(t.dialogs, k)
	}
}

// sweep drops idle dialogs when it is time.
func (t *targets) sweep(now txn.Instant) {
	if now < t.sweepAt {
		return
	}
	for k, d := range t.dialogs {
		if now-d.seen > targetIdle {
			delete(t.dialogs, k)
		}
	}
	t.sweepAt = now + sweepEvery
	if len(t.dialogs) == 0 {
		t.sweepAt = txn.Never
	}
}
