// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/sipsteer/sipsteer/ctrl/registrar"
	"github.com/sipsteer/sipsteer/ctrl/route"
	"github.com/sipsteer/sipsteer/ctrl/sanity"
	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

// allow is the Allow header field of answers to OPTIONS.
const allow = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, MESSAGE, SUBSCRIBE, NOTIFY, REFER, INFO, UPDATE, PRACK, PUBLISH\r\n"

// initial takes a request that begins something along the chain.
func (h *Handler) initial(d transport.Datagram) {
	m := &h.msg
	if err := sanity.Check(m); err != nil {
		h.refuse(d, err)
		return
	}
	tx := h.transaction(d)
	if f := h.seen.get(tx, h.Now()); f != nil {
		h.repeat(d, f)
		return
	}
	if names := sanity.RequiresExtension(m); names != "" {
		h.answer(d, 420, "Bad Extension", "Unsupported: "+names+"\r\n")
		return
	}
	u, _ := sip.ParseURI(m.RequestURI)
	own, ok := h.ownRoutes()
	if !ok {
		h.answer(d, 403, "Foreign Route")
		return
	}
	realm, local := h.Domains.Realm(&u)
	switch {
	case m.Is("REGISTER"):
		h.register(d, tx, realm, local)
	case m.Is("OPTIONS") && local && u.IsSIP() && u.User == nil:
		h.answer(d, 200, "OK", allow, "Accept: application/sdp\r\n")
	default:
		h.forward(d, tx, &u, own)
	}
}

// transaction is the key by which a repeated request is known again: the client
// repeats what makes up the transaction, and its own address (RFC 3261 §17.2.3).
func (h *Handler) transaction(d transport.Datagram) steer.Key {
	m, b := &h.msg, h.scratch[:0]
	for _, part := range [...][]byte{m.Method, m.RequestURI, m.First(sip.HVia), m.CallID(), m.Value(sip.HCSeq), m.Value(sip.HFrom)} {
		b = append(append(b, part...), 0)
	}
	b, _ = d.Remote.AppendBinary(b)
	h.scratch = b
	return h.Secret.Key(b)
}

// repeat does again what was done to the first copy of a request.
func (h *Handler) repeat(d transport.Datagram, f *fate) {
	switch {
	case f.answer != nil:
		_ = h.Send(transport.Datagram{Local: d.Local, Remote: replyTo(&h.msg, d.Remote), Data: f.answer})
	case f.handover != nil:
		h.handAgain(d, f)
	default:
		h.drop(DropRetransmission)
	}
}

// handAgain hands a repeated request to the worker that had it, or to another when that one is gone since: cookie and
// ticket hold for any.
func (h *Handler) handAgain(d transport.Datagram, f *fate) {
	worker, key := f.worker, h.Secret.Key(h.msg.CallID())
	if !h.Pool.Reachable(worker) {
		worker, _ = h.Dialogs.Holder(key)
	}
	if !h.Pool.Reachable(worker) {
		var ok bool
		if worker, ok = h.Pool.Choose(key); !ok || h.Dialogs.Repin(key, h.start(worker)) != nil {
			h.drop(DropHandover)
			return
		}
	}
	if h.Deliver(worker, transport.Datagram{Local: d.Local, Remote: d.Remote, Data: f.handover}) != nil {
		h.drop(DropHandover)
	}
}

// ownRoutes counts the Route elements at the front that name this service, as a
// phone with an outbound proxy puts them; ok is false when another follows: a
// request that begins something is routed here, not by its sender.
func (h *Handler) ownRoutes() (n int, ok bool) {
	for elem := range h.msg.Values(sip.HRoute) {
		a, err := sip.ParseAddress(elem)
		if err != nil {
			return n, false
		}
		if _, own := h.Domains.Realm(&a.URI); !own {
			return n, false
		}
		n++
	}
	return n, true
}

// register authenticates a REGISTER and gives it to the registrar (RFC 3261 §10.3).
func (h *Handler) register(d transport.Datagram, tx steer.Key, realm string, local bool) {
	if !local {
		h.answer(d, 403, "Not a Registrar for This Domain")
		return
	}
	to, _ := sip.ParseAddress(h.msg.Value(sip.HTo))
	if !to.URI.IsSIP() && !sip.EqualFold(to.URI.Scheme, "tel") {
		h.answer(d, 400, "To Is No Address of Record")
		return
	}
	aor, own := h.Domains.AOR(&to.URI)
	if owner, known := h.Accounts.Resolve(aor); own && known && owner != aor {
		aor = owner // an alias: the bindings are its user's, and the password too
		realm = realmOfUser(owner)
	}
	user, ok := h.authenticate(d, realm, sip.HAuthorization)
	if !ok {
		return
	}
	switch {
	case !own:
		h.conclude(d, tx, &sip.Error{Code: 404, Reason: "Not Found"})
		return
	case aor != user:
		h.conclude(d, tx, &sip.Error{Code: 403, Reason: "Not Your Address of Record"})
		return
	}
	h.seen.put(tx, &fate{}, h.Now()) // repeated before the store is done: wait
	// The answer comes later, from the store's goroutine: it needs bytes of its own.
	m := &sip.Message{}
	if err := sip.Parse(bytes.Clone(h.msg.Raw), m); err != nil {
		h.refuse(d, err)
		return
	}
	d.Data = m.Raw
	began := h.Now()
	h.Registrar.Register(began, m, d.Remote, d.Local, aor, func(a registrar.Answer) {
		h.took(StepStore, began)
		out := h.compose(nil, m, d.Remote, a.Code, a.Reason, a.Headers)
		h.seen.put(tx, &fate{answer: out}, h.Now())
		h.transmit(d, m, a.Code, out)
	})
}

// authenticate tells who sent the request, or answers with a challenge.
func (h *Handler) authenticate(d transport.Datagram, realm string, header sip.HeaderID) (user string, ok bool) {
	now, source, agent := h.Now(), d.Remote.Addr(), string(h.msg.Value(sip.HUserAgent))
	defer h.took(StepAuth, now)
	r := h.Auth.Verify(now, &h.msg, header, realm, source)
	if r.Proven {
		h.Failed(source)
	}
	switch {
	case r.OK:
		return r.User, true
	case r.Malformed != nil:
		h.answer(d, 400, "Malformed Credentials")
	case header == sip.HProxyAuthorization:
		h.answer(d, 407, "Proxy Authentication Required", h.Auth.Challenge(now, realm, source, agent, r.Stale, true)...)
	default:
		h.answer(d, 401, "Unauthorized", h.Auth.Challenge(now, realm, source, agent, r.Stale, false)...)
	}
	return "", false
}

// forward authenticates, routes and hands over any other request.
func (h *Handler) forward(d transport.Datagram, tx steer.Key, u *sip.URI, ownRoutes int) {
	m := &h.msg
	if n, given, _ := m.MaxForwards(); given && n == 0 {
		h.answer(d, 483, "Too Many Hops")
		return
	}
	if h.looped() {
		h.answer(d, 482, "Loop Detected")
		return
	}
	realm, ok := h.admitCaller(d, tx, u)
	if !ok {
		return
	}
	key := h.Secret.Key(m.CallID())
	now := h.Now()
	targets, err := h.Router.Route(u, route.Call{Now: now, Source: d.Remote.Addr(), Seed: binary.LittleEndian.Uint64(key[:])})
	h.took(StepRoute, now)
	if err != nil {
		h.conclude(d, tx, err)
		return
	}
	if h.Redirect {
		h.redirect(d, tx, targets)
		return
	}
	h.handOver(d, tx, realm, ownRoutes, targets)
}

// admitCaller tells whether the sender may call and in which realm it has proved
// itself, or answers. A gateway is known by its address and may use any From.
func (h *Handler) admitCaller(d transport.Datagram, tx steer.Key, u *sip.URI) (realm string, ok bool) {
	if h.Router.Trunk(d.Remote.Addr()) {
		return h.Domains.Primary(), true
	}
	from, _ := sip.ParseAddress(h.msg.Value(sip.HFrom))
	realm = h.realmOf(&from.URI, u)
	h.trunk = h.Trunk(d.Remote.Addr())
	if h.trunk != nil && h.mayClaim(h.trunk, &from.URI) {
		return realm, true
	}
	h.trunk = nil // it must prove itself like anybody
	user, ok := h.authenticate(d, realm, sip.HProxyAuthorization)
	if ok && !h.mayUse(user, &from.URI) {
		h.conclude(d, tx, &sip.Error{Code: 403, Reason: "From Is Not Your Address"})
		return realm, false
	}
	return realm, ok
}

// conclude answers a request whose sender has proved itself and remembers the
// answer: judging the repeated request again would refuse its nonce as used.
func (h *Handler) conclude(d transport.Datagram, tx steer.Key, err error) {
	h.concludeWith(d, tx, err)
}

// concludeWith does the same with more header lines.
func (h *Handler) concludeWith(d transport.Datagram, tx steer.Key, err error, lines ...string) {
	fault := &sip.Error{Code: 500, Reason: "Server Internal Error"}
	_ = errors.As(err, &fault)
	h.seen.put(tx, &fate{answer: bytes.Clone(h.answer(d, fault.Code, fault.Reason, lines...))}, h.Now())
}

// realmOf is the realm in which a caller must prove itself: that of its From
// where it is ours, else that of the address it calls, else the first domain.
func (h *Handler) realmOf(from, to *sip.URI) string {
	if aor, own := h.Domains.AOR(from); own {
		if owner, known := h.Accounts.Resolve(aor); known {
			return realmOfUser(owner)
		}
	}
	if realm, own := h.Domains.Realm(from); own {
		return realm
	}
	if realm, own := h.Domains.Realm(to); own {
		return realm
	}
	return h.Domains.Primary()
}

// mayUse tells whether an authenticated user may call under that From: its own
// address of record or an alias of it, or none at all (RFC 3323 §4.1.1.3).
func (h *Handler) mayUse(user string, from *sip.URI) bool {
	if sip.EqualFold(from.Host, "anonymous.invalid") {
		return true
	}
	aor, own := h.Domains.AOR(from)
	owner, known := h.Accounts.Resolve(aor)
	return own && known && owner == user
}

// realmOfUser is the domain of user@domain.
func realmOfUser(aor string) string {
	_, domain, _ := strings.Cut(aor, "@")
	return domain
}

// looped tells whether the request has been here with this Request-URI before:
// it carries a Via of this service, and a hand-over of the same call to the same
// address is remembered (RFC 3261 §16.3 step 4; a spiral has another
// Request-URI).
func (h *Handler) looped() bool {
	for elem := range h.msg.Values(sip.HVia) {
		via, err := sip.ParseVia(elem)
		if err != nil || !h.Domains.SelfHost(via.Host, via.Port) {
			continue
		}
		return h.seen.get(h.loopKey(), h.Now()) != nil
	}
	return false
}

func (h *Handler) loopKey() steer.Key {
	m, b := &h.msg, append(h.scratch[:0], "loop\x00"...)
	for _, part := range [...][]byte{m.Method, m.RequestURI, m.CallID(), m.Value(sip.HCSeq), m.Value(sip.HFrom)} {
		b = append(append(b, part...), 0)
	}
	h.scratch = b
	return h.Secret.Key(b)
}

// handOver chooses the worker, writes the pin, and only then lets the request go.
func (h *Handler) handOver(d transport.Datagram, tx steer.Key, realm string, ownRoutes int, targets []route.Target) {
	key, began := h.Secret.Key(h.msg.CallID()), h.Now()
	worker, ok := h.Dialogs.Holder(key)
	if !ok || !h.Pool.Reachable(worker) {
		if worker, ok = h.Pool.Choose(key); !ok {
			h.answer(d, 503, "No Worker Available", "Retry-After: 5\r\n")
			return
		}
	}
	err := h.Dialogs.Pin(key, h.start(worker))
	pinned := h.took(StepPin, began)
	if err != nil {
		reason := "Cannot Pin the Call"
		if errors.Is(err, steer.ErrFull) {
			reason = "Too Many Calls"
		}
		h.answer(d, 503, reason, "Retry-After: 10\r\n")
		return
	}
	data := h.rewrite(d.Remote.Addr(), worker, realm, ownRoutes, targets)
	err = h.Deliver(worker, transport.Datagram{Local: d.Local, Remote: d.Remote, Data: data})
	h.took(StepHandOver, pinned)
	if err != nil {
		h.drop(DropHandover)
		h.answer(d, 503, "Worker Unreachable", "Retry-After: 5\r\n")
		return
	}
	h.count.handedOver.Add(1)
	h.seen.put(tx, &fate{handover: data, worker: worker}, h.Now())
	h.seen.put(h.loopKey(), &fate{}, h.Now())
}
