// SPDX-License-Identifier: Apache-2.0

// Package chain is the control plane's way of a datagram: an ordered row of
// small decisions, each taken by a package of its own.
//
//	source policy → steer (what the kernel could not judge) → sanity →
//	repetition → authentication → registrar or routing → worker choice → pin → hand-over
//
// What the kernel steers never comes here.
package chain

import (
	"net/netip"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/auth"
	"github.com/sipsteer/sipsteer/ctrl/dialog"
	"github.com/sipsteer/sipsteer/ctrl/pool"
	"github.com/sipsteer/sipsteer/ctrl/registrar"
	"github.com/sipsteer/sipsteer/ctrl/route"
	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/token"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

// Pins is what the chain asks of the table of pins.
type Pins interface {
	Get(steer.Key) (steer.Pin, bool)
	Note(steer.Key, steer.Message) bool
}

// Deliver gives a datagram to a worker, by the worker's forwarding mode.
type Deliver func(worker uint32, d transport.Datagram) error

// Send sends a datagram from a service address.
type Send func(transport.Datagram) error

// Answered tells which worker's request a response answers, by the proof in its
// top Via; ok is false for any other response.
type Answered func(*sip.Message) (worker uint32, ok bool)

// Balancer names the worker of a message of a service with policy direct, as the
// kernel does, and notes the message in its pin or makes one; 0 when no worker
// can have it.
type Balancer func(key steer.Key, m steer.Message, source netip.Addr) (worker uint32, err error)

// Registrar answers REGISTER requests, through done once the change is durable.
type Registrar interface {
	Register(now time.Time, m *sip.Message, source, local netip.AddrPort, aor string, done func(registrar.Answer))
}

// Sources is the source policy.
type Sources interface {
	// Judge tells whether a source is heard (Undecided) or why not; trusted ones
	// pay nothing.
	Judge(from netip.Addr) (o steer.Outcome, trusted bool)
	// Pay takes the tokens for a request that begins something, of its source and
	// of the service; Undecided when it is paid.
	Pay(from netip.Addr, service uint16) steer.Outcome
	// KernelPays tells whether a program in front has taken the tokens for what it
	// judged itself.
	KernelPays() bool
}

// Trunk is what a peer without a password may do; nil for any other sender.
type Trunk struct {
	Domains []string // own domains in whose name it may call
}

// Config is what a chain is wired of. Every field is needed but Redirect, and
// Balance, which makes it a chain for policy direct: that one takes Secret,
// Deliver, Send, Signer and Sources, and leaves the others alone.
type Config struct {
	Service   uint16       // number of the service, as in pins
	Secret    steer.Secret // of the service
	Pins      Pins
	Dialogs   *dialog.Dialogs
	Pool      *pool.Pool
	Domains   *route.Domains
	Accounts  route.Users
	Router    *route.Router
	Auth      *auth.Verifier
	Registrar Registrar
	Redirect  bool // answer 302 instead of handing over
	Signer    *token.Signer
	Deliver   Deliver
	Send      Send
	Answered  Answered
	Balance   Balancer
	Now       func() time.Time
	Sources   Sources
	Trunk     func(netip.Addr) *Trunk
	Own       *route.Domains // of all services, which no trunk may claim unasked
	// Failed is told of each sender that failed to prove itself, when it is proven
	// that it receives what is sent to its address.
	Failed func(netip.Addr)
}

// Chain decides for one service. It is safe for concurrent use through
// Handlers, one a goroutine.
type Chain struct {
	Config
	seen  *seen
	count counters
}

// New makes a chain.
func New(c Config) *Chain { return &Chain{Config: c, seen: newSeen()} }

// Handler takes the datagrams of one socket, one after the other.
type Handler struct {
	*Chain
	msg     sip.Message
	edit    sip.Editor
	out     []byte // an answer or a request being written
	scratch []byte
	trunk   *Trunk // that sent the request in hand; nil for others
}

// NewHandler makes a handler for one goroutine.
func (c *Chain) NewHandler() *Handler { return &Handler{Chain: c} }

// Handle decides about one datagram that the kernel passed up. It keeps nothing
// of d.Data when it returns.
func (h *Handler) Handle(d transport.Datagram) {
	o, trusted := h.Sources.Judge(d.Remote.Addr())
	if o != steer.Undecided {
		h.refuseSource(o)
		return
	}
	m := steer.Judge(d.Data)
	if h.Balance != nil {
		if trusted || h.paid(d, m, steer.Decide(m, noPins, h.Secret)) {
			h.direct(d, m)
		}
		return
	}
	v := steer.Decide(m, h.Pins.Get, h.Secret)
	if !trusted && !h.paid(d, m, v) {
		return
	}
	h.count.outcomes[v.Outcome].Add(1)
	switch v.Action {
	case steer.ActionSteer:
		h.steer(d, m, v)
	case steer.ActionDrop:
		h.drop(dropCause(v.Outcome))
	default:
		h.up(d, m)
	}
}

// steer does what the kernel would have done, had it been able to judge. When
// the worker is gone, what can prove its dialog is taken up by another.
func (h *Handler) steer(d transport.Datagram, m steer.Message, v steer.Verdict) {
	if !h.Pool.Reachable(v.Pin.Worker) {
		h.up(d, m)
		return
	}
	h.Pins.Note(v.Key, m)
	if err := h.Deliver(v.Pin.Worker, d); err != nil {
		h.drop(DropHandover)
		return
	}
	h.count.steered.Add(1)
	h.count.workers[v.Pin.Worker%uint32(len(h.count.workers))].Add(1)
}

func dropCause(o steer.Outcome) Cause {
	switch o {
	case steer.DropKeepalive:
		return DropKeepalive
	case steer.DropDenied:
		return DropDenied
	case steer.DropBanned:
		return DropBanned
	case steer.DropSourceRate:
		return DropSourceRate
	case steer.DropServiceRate:
		return DropServiceRate
	}
	return DropNotSIP
}

func (h *Handler) drop(c Cause) { h.count.dropped[c].Add(1) }

// up handles what no pin steers.
func (h *Handler) up(d transport.Datagram, judged steer.Message) {
	m := &h.msg
	if err := sip.Parse(d.Data, m); err != nil {
		h.refuse(d, err)
		return
	}
	if !m.IsRequest() {
		h.count.received[methodResponse].Add(1)
		h.response(d)
		return
	}
	h.count.countMethod(m.Method)
	if m.Is("ACK") {
		h.ack(d, judged)
		return
	}
	if err := sip.Validate(m); err != nil {
		h.refuse(d, err)
		return
	}
	switch {
	case judged.Unjudged != steer.Undecided:
		h.answer(d, 400, "Malformed Message: "+judged.Unjudged.String())
	case m.Is("CANCEL"):
		h.answer(d, 481, "Call/Transaction Does Not Exist")
	case judged.HasToTag:
		h.inDialog(d, judged)
	default:
		h.initial(d)
	}
}

// refuse answers a message that could not be read, where it can be answered.
func (h *Handler) refuse(d transport.Datagram, fault error) {
	e, ok := fault.(*sip.Error)
	switch {
	case !ok || e == sip.ErrNotSIP:
		h.drop(DropNotSIP)
	case !sip.Answerable(&h.msg):
		h.drop(DropMalformed)
	default:
		h.answer(d, e.Code, e.Reason)
	}
}
