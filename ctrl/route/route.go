// SPDX-License-Identifier: Apache-2.0

// Package route decides where a request that begins something goes: from its
// Request-URI, over the own domains and the location service, to contacts
// (RFC 3261 §16.5). It sends nothing and keeps nothing.
package route

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/location"
	"github.com/sipsteer/sipsteer/userspace/handover"
	"github.com/sipsteer/sipsteer/userspace/sip"
)

// Locations looks up where a user is registered, best contact first.
type Locations interface {
	Lookup(aor string, now time.Time) []location.Binding
}

// Users tells which user an address of record belongs to: itself, or the one it is
// an alias of.
type Users interface {
	Resolve(aor string) (user string, ok bool)
}

// Target is one place to send a request to.
type Target struct {
	handover.Target
	Contact string // the URI without what only a worker knows to use
	Q       uint16 // preference in thousandths
}

// Forking bounds the search for a user with several contacts.
type Forking struct {
	MaxTargets int           // at most so many contacts are tried, the best ones
	Ring       time.Duration // how long contacts ring before those of lower preference do
}

// Router decides for one service.
type Router struct {
	domains   *Domains
	locations Locations
	users     Users
	forking   Forking
	plan      *DialPlan // nil: no numbers but the users' own
}

// Call is what routing looks at beside the Request-URI.
type Call struct {
	Now    time.Time
	Source netip.Addr // where the request came from
	Seed   uint64     // the same for the same call, so that it is routed the same
}

// New makes a router over the service's domains; p may be nil.
func New(d *Domains, l Locations, u Users, f Forking, p *DialPlan) *Router {
	return &Router{domains: d, locations: l, users: u, forking: f, plan: p}
}

// Trunk tells whether calls from an address are a gateway's, which needs no
// password.
func (r *Router) Trunk(a netip.Addr) bool { return r.plan != nil && r.plan.Trunk(a) }

// Faults that a Request-URI can have.
var (
	errForeign     = &sip.Error{Code: 403, Reason: "Relaying to Foreign Domains Denied"}
	errNoUser      = &sip.Error{Code: 404, Reason: "Not Found"}
	errOffline     = &sip.Error{Code: 480, Reason: "Temporarily Unavailable"}
	errUnreachable = &sip.Error{Code: 480, Reason: "No Usable Contact"}
	errLoop        = &sip.Error{Code: 482, Reason: "Loop Detected"}
	errScheme      = &sip.Error{Code: 416, Reason: "Unsupported URI Scheme"}
)

// Route gives the targets of a Request-URI, best first, or the *sip.Error that
// answers the request: 403 foreign, 404 no such user or number, 416 scheme, 480 not
// registered or not reachable, 482 a contact that is this service itself.
func (r *Router) Route(u *sip.URI, c Call) ([]Target, error) {
	// sips asks for TLS on every hop (RFC 3261 §26.2.2), which there is not.
	if !sip.EqualFold(u.Scheme, "sip") && !sip.EqualFold(u.Scheme, "tel") {
		return nil, errScheme
	}
	if _, own := r.domains.Realm(u); !own {
		return nil, errForeign
	}
	aor, ok := r.domains.AOR(u)
	if !ok {
		return nil, errNoUser
	}
	user, known := r.users.Resolve(aor)
	if !known {
		return r.number(u, c)
	}
	bindings := r.locations.Lookup(user, c.Now)
	if len(bindings) == 0 {
		return nil, errOffline
	}
	var targets []Target
	var fault error = errUnreachable
	for _, b := range bindings {
		t, err := r.target(b)
		if err != nil {
			fault = err
			continue
		}
		targets = append(targets, t)
	}
	if len(targets) == 0 {
		return nil, fault
	}
	return r.group(targets), nil
}

// number looks what is no user of ours up in the dial plan. A call is not sent
// back to the gateway that it came from.
func (r *Router) number(u *sip.URI, c Call) ([]Target, error) {
	number, ok := numberOf(u)
	if !ok || r.plan == nil {
		return nil, errNoUser
	}
	return r.plan.targets(number, c.Seed, func(g *Gateway) bool {
		return r.domains.Listens(g.Addr.Addr()) && !r.domains.Self(g.Addr) && !g.from(c.Source)
	})
}

// group cuts the targets to their limit and marks where those of a lower q begin:
// equal ones are tried at once, the others in their turn (RFC 3261 §16.6).
func (r *Router) group(targets []Target) []Target {
	targets = targets[:min(len(targets), r.forking.MaxTargets)]
	for i := 1; i < len(targets); i++ {
		if targets[i].Q != targets[i-1].Q {
			targets[i].Next, targets[i].Ring = true, r.forking.Ring
		}
	}
	return targets
}

// target turns a binding into a Request-URI with the address behind NAT.
func (r *Router) target(b location.Binding) (Target, error) {
	u, err := sip.ParseURI([]byte(b.Contact))
	if err != nil || !sip.EqualFold(u.Scheme, "sip") {
		return Target{}, errUnreachable
	}
	if transport, ok := u.Params.Get("transport"); ok && !sip.EqualFold(transport, "udp") {
		return Target{}, errUnreachable
	}
	t := Target{Q: b.Q}
	t.URI = contactURI(b.Contact, &u)
	t.Contact = t.URI
	if len(b.Path) > 0 {
		t.Route = b.Path
		return t, nil
	}
	addr := b.Received
	if addr.IsValid() {
		t.URI += fmt.Sprintf(";alias=%s~%d~1", bracketed(addr.Addr()), addr.Port())
	} else {
		host, ok := u.Addr()
		if !ok {
			return Target{}, errUnreachable
		}
		addr = netip.AddrPortFrom(host, u.PortOr(5060))
	}
	switch {
	case r.domains.Self(addr):
		return Target{}, errLoop
	case !r.domains.Listens(addr.Addr()):
		return Target{}, errUnreachable
	}
	return t, nil
}

// contactURI is a contact as a Request-URI: without the header part, which has no
// place there (RFC 3261 §19.1.1), and without an alias of the phone's own, which
// would send the request anywhere.
func contactURI(contact string, u *sip.URI) string {
	end := len(contact) - len(u.Headers)
	if u.Headers != nil {
		end-- // the question mark
	}
	base := contact[:end-len(u.Params)]
	return base + string(u.Params.Without("alias"))
}

func bracketed(a netip.Addr) string {
	if a.Is6() {
		return "[" + a.String() + "]"
	}
	return a.String()
}
