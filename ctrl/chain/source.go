// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"slices"

	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

// owes tells whether a datagram is to be paid for here: one that begins
// something, or cannot be judged at all, unless a program in front has judged it
// and taken the token.
func (h *Handler) owes(d transport.Datagram, m steer.Message, v steer.Verdict) bool {
	if v.Action != steer.ActionPass || v.Outcome == steer.PassNoPin {
		return false
	}
	return d.Opaque || m.Full || m.Unjudged != steer.Undecided || !h.Sources.KernelPays()
}

// paid takes what a datagram owes. One that cannot pay is dropped.
func (h *Handler) paid(d transport.Datagram, m steer.Message, v steer.Verdict) bool {
	if !h.owes(d, m, v) {
		return true
	}
	o := h.Sources.Pay(d.Remote.Addr(), h.Service)
	if o != steer.Undecided {
		h.refuseSource(o)
	}
	return o == steer.Undecided
}

func noPins(steer.Key) (steer.Pin, bool) { return steer.Pin{}, false }

// refuseSource drops what the source policy refuses. It is not answered: the
// answer would go wherever the sender pointed it.
func (h *Handler) refuseSource(o steer.Outcome) {
	h.count.outcomes[o].Add(1)
	h.drop(dropCause(o))
}

// mayClaim tells whether a trunk may call in the name of an address: of its own
// users and of nobody, and of ours as far as the config lets it. A number without
// a domain (tel) counts as ours.
func (h *Handler) mayClaim(t *Trunk, u *sip.URI) bool {
	realm, own := h.Own.Realm(u)
	if !own {
		realm, own = h.Domains.Realm(u) // a domain that was added at run time
	}
	return !own || slices.Contains(t.Domains, realm)
}

// dropIdentities removes the identities that only a trusted element may assert
// (RFC 3325 §5 and §9.1): a phone is none, and a trunk is for what it may claim.
func (h *Handler) dropIdentities() {
	for i := range h.msg.Headers {
		f := &h.msg.Headers[i]
		if !sip.EqualFold(f.Name, "P-Asserted-Identity") && !sip.EqualFold(f.Name, "Remote-Party-ID") {
			continue
		}
		if h.trunk == nil || !h.mayAssert(f.Value) {
			h.edit.Delete(f.Line)
		}
	}
}

func (h *Handler) mayAssert(value []byte) bool {
	for elem := range sip.Elements(value) {
		a, err := sip.ParseAddress(elem)
		if err != nil || !h.mayClaim(h.trunk, &a.URI) {
			return false
		}
	}
	return true
}
