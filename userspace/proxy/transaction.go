// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"net/netip"
	"strconv"

	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/txn"
)

// hopTarget is where requests to a party go; refresh says that this is its
// Contact, so that a later one replaces it.
type hopTarget struct {
	at      netip.AddrPort
	refresh bool
}

// serverTx is a server transaction with its response context: the branches on
// which the request went on, and the best answer so far (RFC 3261 §16.7).
type serverTx struct {
	machine txn.Server
	timer   timer
	key     string
	invite  bool
	trying  txn.Instant // when a request other than INVITE gets its 100, or Never

	local   int
	source  netip.AddrPort
	reply   netip.AddrPort // where responses go
	request []byte         // as it came, for answers of our own; nil once answered
	last    []byte         // the response to send again

	branches  []*clientTx
	one       [1]*clientTx // memory for the usual case
	fork      *fork        // nil with one target
	best      []byte       // as it would leave; nil for one of our own
	bestCode  int
	cancelled bool // by the caller
	sender    hopTarget
}

// clientTx is a client transaction: one branch of a response context, or a
// CANCEL of our own, which has no server.
type clientTx struct {
	machine txn.Client
	timer   timer
	key     string // branch, blank, method
	branch  string
	server  *serverTx

	local int
	dest  netip.AddrPort
	sent  []byte      // the request; after a non-2xx to INVITE the ACK
	limit txn.Instant // INVITE: timer C, later the end of waiting for a 487

	provisional bool // a 1xx has come, so a CANCEL may go
	cancel      cancelState
	expired     bool // by timer C
	final       int  // code, 0 while open

	st       string // of our Record-Route in the request
	direct   bool   // no Routes remained
	inDialog bool
}

// forked tells whether the branch is one of several.
func (ct *clientTx) forked() bool { return ct.server != nil && ct.server.fork != nil }

// closed tells whether the caller has its final failure, or nothing any more.
func (s *serverTx) closed() bool {
	switch s.machine.State() {
	case txn.Completed, txn.Confirmed, txn.Terminated:
		return true
	}
	return false
}

// invite tells whether the branch can be cancelled (RFC 3261 §9.1).
func (ct *clientTx) invite() bool { return ct.key[len(ct.branch)+1:] == "INVITE" }

type cancelState uint8

const (
	cancelNone cancelState = iota
	cancelWanted
	cancelSent
)

func (c *Core) newServer(p *packet) *serverTx {
	s := &serverTx{
		machine: txn.NewServer(c.cfg.Timing, p.m.Is("INVITE"), false),
		key:     string(c.transactionKey(p, p.cseq.Method)),
		invite:  p.m.Is("INVITE"),
		local:   p.local,
		source:  p.source,
		reply:   p.reply,
		request: bytes.Clone(p.m.Raw),
		trying:  txn.Never,
	}
	s.branches = s.one[:0]
	s.timer.owner = s
	c.servers[s.key] = s
	if !s.invite {
		s.trying = c.now + c.cfg.Timing.Patience()
		c.settleServer(s, 0)
	}
	return s
}

func (c *Core) newClient(s *serverTx, branch string, method []byte, h *hop, sent []byte) *clientTx {
	invite := string(method) == "INVITE"
	ct := &clientTx{
		machine: txn.NewClient(c.cfg.Timing, invite, false, c.now),
		key:     branch + " " + string(method),
		server:  s,
		local:   h.local,
		dest:    h.dest,
		sent:    bytes.Clone(sent),
		limit:   txn.Never,
	}
	ct.branch = ct.key[:len(branch)]
	if invite {
		ct.limit = c.now + c.cfg.TimerC
	}
	if s != nil {
		s.branches = append(s.branches, ct)
	}
	ct.timer.owner = ct
	c.clients[ct.key] = ct
	c.settle(ct, 0)
	return ct
}

// settle sets a client transaction's timer anew, or forgets it.
func (c *Core) settle(ct *clientTx, act txn.Action) {
	if act.Has(txn.Ended) {
		c.timers.remove(&ct.timer)
		if c.clients[ct.key] == ct {
			delete(c.clients, ct.key)
		}
		return
	}
	c.timers.set(&ct.timer, min(ct.machine.Next(), ct.limit))
}

func (c *Core) settleServer(s *serverTx, act txn.Action) {
	if act.Has(txn.Ended) {
		c.timers.remove(&s.timer)
		if c.servers[s.key] == s {
			delete(c.servers, s.key)
		}
		return
	}
	if s.machine.State() != txn.Trying {
		s.trying = txn.Never
	}
	c.timers.set(&s.timer, min(s.machine.Next(), s.trying))
}

// tick resends the last response, or ends the transaction. A request other than
// INVITE gets its 100 when its sender has come to repeat it slowly, and not before
// (RFC 4320 §4.1).
func (s *serverTx) tick(c *Core) {
	if c.now >= s.trying {
		s.trying = txn.Never
		c.answer(s, 100, "Trying")
		return
	}
	act := s.machine.Tick(c.now)
	if act.Has(txn.Send) {
		c.send(s.local, s.reply, s.last, nil)
	}
	c.settleServer(s, act)
}

// tick resends the request, or gives the branch up.
func (ct *clientTx) tick(c *Core) {
	if c.now >= ct.limit {
		c.limitReached(ct)
		return
	}
	act := ct.machine.Tick(c.now)
	if act.Has(txn.Send) {
		c.send(ct.local, ct.dest, ct.sent, ct)
	}
	c.settle(ct, act)
	if act.Has(txn.TimedOut) && ct.final == 0 {
		c.count.add(timedOut)
		c.branchDone(ct, 408, nil)
	}
}

// limitReached is timer C (RFC 3261 §16.8): first a CANCEL. When nothing comes
// of that for 64*T1 the branch counts as answered (§9.1); the transaction stays
// as long again, to acknowledge a late 487.
func (c *Core) limitReached(ct *clientTx) {
	switch {
	case ct.final != 0:
		c.settle(ct, txn.Ended)
	case ct.forked() && c.giveUp(ct):
	case ct.cancel != cancelSent:
		ct.expired = true
		c.sendCancel(ct)
	default:
		ct.limit = c.now + c.cfg.Timing.Limit()
		c.settle(ct, 0)
		c.count.add(timedOut)
		c.branchDone(ct, 408, nil)
	}
}

// cancelBranch cancels a branch as soon as it may: not before a provisional
// response (RFC 3261 §9.1).
func (c *Core) cancelBranch(ct *clientTx) {
	switch {
	case ct.final != 0 || ct.cancel == cancelSent || !ct.invite():
	case ct.provisional:
		c.sendCancel(ct)
	default:
		ct.cancel = cancelWanted
	}
}

func (c *Core) sendCancel(ct *clientTx) {
	ct.cancel = cancelSent
	ct.limit = c.now + c.cfg.Timing.Limit()
	c.settle(ct, 0)
	sent := c.hopRequest(ct, methodCANCEL, nil)
	h := hop{dest: ct.dest, local: ct.local}
	own := c.newClient(nil, ct.branch, methodCANCEL, &h, sent)
	c.send(own.local, own.dest, sent, own)
}

// hopRequest builds the ACK to a non-2xx (RFC 3261 §17.1.1.3) or the CANCEL
// (§9.1) from the INVITE that was sent; to is the value of To when it differs.
func (c *Core) hopRequest(ct *clientTx, method, to []byte) []byte {
	m := &c.kept
	if sip.Parse(ct.sent, m) != nil {
		return nil // we wrote it ourselves
	}
	from := len(c.buf)
	b := append(append(append(c.buf, method...), ' '), m.RequestURI...)
	b = append(append(append(b, " SIP/2.0\r\nVia: "...), m.First(sip.HVia)...), "\r\n"...)
	cseq, _ := sip.ParseCSeq(m.Value(sip.HCSeq))
	for i := range m.Headers {
		switch h := &m.Headers[i]; h.ID {
		case sip.HTo:
			if to != nil {
				b = append(append(append(b, "To: "...), to...), "\r\n"...)
				continue
			}
			b = append(b, h.Line...)
		case sip.HRoute, sip.HFrom, sip.HCallID:
			b = append(b, h.Line...)
		}
	}
	b = append(b, "Max-Forwards: 70\r\nCSeq: "...)
	b = strconv.AppendUint(b, uint64(cseq.Number), 10)
	b = append(append(append(b, ' '), method...), "\r\nContent-Length: 0\r\n\r\n"...)
	c.buf = b
	return c.written(from)
}
