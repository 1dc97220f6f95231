// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"

	"github.com/sipsteer/sipsteer/userspace/handover"
	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/txn"
)

// maxDatagram is the largest payload that UDP over IPv4 carries.
const maxDatagram = 65507

// request takes a valid request: a retransmission to its transaction, the rest
// to admission.
func (c *Core) request(p *packet) {
	switch {
	case p.m.Is("ACK"):
		c.ack(p)
		return
	case c.absorbed(p):
		return
	case p.m.Is("CANCEL"):
		c.cancel(p)
		return
	case c.asked(p):
		// The balancer wants to know whether this worker serves.
		c.reply(p, 200, "OK", allow)
		return
	}
	h, ref := c.admit(p)
	if p.toTag == nil && ref.outcome != refusedTicket && p.m.Get(sip.HTarget) != nil {
		ref = c.fork(p)
	} else if ref.code == 0 {
		ref = c.forward(p, &h)
	}
	if ref.code != 0 {
		c.refuse(p, ref)
	}
}

// allow is the Allow header field of answers to OPTIONS.
const allow = "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, MESSAGE, SUBSCRIBE, NOTIFY, REFER, INFO, UPDATE, PRACK, PUBLISH\r\n"

// asked tells an OPTIONS that is for this server itself (RFC 3261 §11).
func (c *Core) asked(p *packet) bool {
	if !p.m.Is("OPTIONS") || p.toTag != nil {
		return false
	}
	u, err := sip.ParseURI(p.m.RequestURI)
	return err == nil && u.IsSIP() && u.User == nil && c.isOurs(u.Host, u.Port)
}

// absorbed serves a retransmission from its server transaction.
func (c *Core) absorbed(p *packet) bool {
	s := c.servers[string(c.transactionKey(p, p.cseq.Method))]
	if s == nil {
		return false
	}
	c.count.add(retransmission)
	if s.machine.Request().Has(txn.Send) {
		c.send(s.local, s.reply, s.last, nil)
	}
	return true
}

// admit decides whether a request may go on, and where to.
func (c *Core) admit(p *packet) (h hop, ref refusal) {
	initial := p.toTag == nil
	if initial && !c.ticketed(p.m, p) {
		return h, refusal{refusedTicket, 403, "Not From The Control Plane", ""}
	}
	h, ref = c.resolve(p)
	if initial {
		h.cookie = p.m.Value(sip.HCookie)
	} else if proof := c.inDialog(p, &h, ref); proof.code != 0 {
		return h, proof
	}
	if required := p.m.Value(sip.HProxyRequire); required != nil && ref.code == 0 && !p.m.Is("ACK") {
		extra := "Unsupported: " + string(required) + "\r\n"
		return h, refusal{refusedExtension, 420, "Bad Extension", extra}
	}
	return h, ref
}

// ticketed tells whether the control plane handed the request over.
func (c *Core) ticketed(m *sip.Message, p *packet) bool {
	cookie, ticket := m.Value(sip.HCookie), m.Value(sip.HTicket)
	return len(cookie) > 0 && m.Count(sip.HCookie) == 1 && m.Count(sip.HTicket) == 1 &&
		c.cfg.Signer.VerifyTicket(string(ticket), string(cookie), p.callID, p.branch, m.RequestURI, handover.Signed(m))
}

// inDialog checks the proof of a request with a To tag: a Route of ours whose
// cookie holds for the Call-ID, and a next hop that this Route or the dialog
// allows. unreachable is what resolve found.
func (c *Core) inDialog(p *packet, h *hop, unreachable refusal) refusal {
	if unreachable.code == 400 {
		return unreachable
	}
	if len(h.cookie) == 0 {
		return refusal{refusedDialog, 481, "Call/Transaction Does Not Exist", ""}
	}
	if !c.cfg.Signer.OwnCookie(string(h.cookie), p.callID) {
		return refusal{refusedDialog, 481, "Call/Transaction Does Not Exist", ""}
	}
	if unreachable.code != 0 {
		return unreachable
	}
	if c.targets.allows(c.now, p.callID, p.fromTag, p.toTag, h.dest) ||
		c.cfg.Signer.VerifyTarget(string(h.st), p.callID, h.dest) {
		return refusal{}
	}
	return refusal{refusedTarget, 403, "Next Hop Is Not In This Dialog", ""}
}

// forward sends a request on in a client transaction of its own (RFC 3261
// §16.6).
func (c *Core) forward(p *packet, h *hop) refusal {
	if ref := c.room(p, 1); ref.code != 0 {
		return ref
	}
	mark := round(p, h.dest)
	if c.looped(p, mark) {
		return refusal{refusedLoop, 482, "Loop Detected", ""}
	}
	branch := c.newBranch(p, mark)
	sent, st, sender, ref := c.rewrite(p, h, branch)
	if ref.code != 0 {
		return ref
	}
	s := c.newServer(p)
	s.sender = sender
	if s.invite {
		c.answer(s, 100, "Trying")
	}
	ct := c.newClient(s, branch, p.m.Method, h, sent)
	ct.st, ct.direct, ct.inDialog = st, !h.routed, p.toTag != nil
	c.count.add(forwardedRequest)
	c.send(ct.local, ct.dest, sent, ct)
	return refusal{}
}

// room refuses a request with that many targets when the table is full.
func (c *Core) room(p *packet, branches int) refusal {
	limit := c.cfg.MaxTransactions
	if p.toTag == nil {
		limit -= limit / 10 // calls that stand come before new ones
	}
	if c.live()+1+branches > limit {
		return refusal{refusedOverload, 503, "Too Many Transactions", "Retry-After: 5\r\n"}
	}
	return refusal{}
}

// rewrite makes the request that leaves. It changes the Via, Max-Forwards,
// Route and Record-Route header fields, takes the control plane's own out, and
// touches the Request-URI and Contact for NAT alone. st is what our Record-Route
// got (empty without one), sender where requests for the sender go when this
// request refreshes its target.
func (c *Core) rewrite(p *packet, h *hop, branch string) (sent []byte, st string, sender hopTarget, ref refusal) {
	m := p.m
	c.ed.Reset(m)
	if ref = c.lessHops(p); ref.code != 0 {
		return nil, "", sender, ref
	}
	c.ed.Prepend(m, sip.HVia, c.ownVia(h.local, branch))
	if !bytes.Equal(p.topElem, p.via) {
		c.ed.Replace(p.topElem, p.via)
	}
	c.ed.DeleteAll(m, sip.HCookie)
	c.ed.DeleteAll(m, sip.HTicket)
	if h.uri != nil {
		c.ed.Replace(m.RequestURI, h.uri)
	}
	if h.strict {
		c.ed.Prepend(m, sip.HRoute, h.routes)
		c.ed.DeleteAll(m, sip.HRoute)
	} else if h.pop > 0 {
		c.ed.PopFirst(m, sip.HRoute, h.pop)
	}
	sender = c.senderTarget(p)
	if p.toTag == nil && recordRoutes(m.Method) {
		st = c.targetProof(p.callID, sender.at)
		c.line = c.appendRecordRoutes(c.line[:0], p.local, h, st)
		c.insertRecordRoute(m, c.line)
	}
	from := len(c.buf)
	c.buf = c.ed.AppendTo(c.buf)
	if sent = c.written(from); len(sent) > maxDatagram {
		return nil, "", sender, refusal{refusedMalformed, 513, "Message Too Large", ""}
	}
	return sent, st, sender, refusal{}
}

// senderTarget finds where requests to the sender will go, and puts an alias
// into its Contact where it needs one.
func (c *Core) senderTarget(p *packet) (t hopTarget) {
	if !refreshesTarget(p.m.Method) && (p.toTag != nil || !recordRoutes(p.m.Method)) {
		return t
	}
	at, routed := neighbour(p.m)
	vias := 0
	for range p.m.Values(sip.HVia) {
		vias++
	}
	t.refresh = !routed && vias == 1
	t.at = contactTarget(p.m, &c.ed, p.source, t.refresh)
	if routed {
		t.at = at
	}
	return t
}

// ack takes an ACK: one to a non-2xx ends at its transaction, one to a 2xx goes
// on without any (RFC 3261 §16.11).
func (c *Core) ack(p *packet) {
	if s := c.servers[string(c.transactionKey(p, methodINVITE))]; s != nil {
		act := s.machine.ACK(c.now)
		c.settleServer(s, act)
		if !act.Has(txn.Pass) {
			c.count.add(retransmission)
			return
		}
	}
	if p.toTag == nil {
		c.count.add(droppedACK)
		return
	}
	h, ref := c.admit(p)
	if ref.code == 0 {
		mark := round(p, h.dest)
		var sent []byte
		sent, _, _, ref = c.rewrite(p, &h, c.newBranch(p, mark))
		if ref.code == 0 && c.looped(p, mark) {
			ref = refusal{outcome: refusedLoop, code: 482}
		}
		if ref.code == 0 {
			c.count.add(forwardedRequest)
			c.send(h.local, h.dest, sent, nil)
			return
		}
	}
	if ref.outcome == refusedDialog {
		ref.outcome = droppedACK
	}
	c.refuse(p, ref)
}

// cancel takes a CANCEL (RFC 3261 §16.10).
func (c *Core) cancel(p *packet) {
	s := c.servers[string(c.transactionKey(p, methodINVITE))]
	if s == nil {
		c.refuse(p, refusal{refusedCancel, 481, "Call/Transaction Does Not Exist", ""})
		return
	}
	own := c.newServer(p)
	c.answer(own, 200, "OK")
	if s.machine.State() != txn.Proceeding {
		return
	}
	s.cancelled = true
	c.cancelOthers(s, nil)
}
