// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"

	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/txn"
)

// response takes a valid response (RFC 3261 §16.7).
func (c *Core) response(p *packet) {
	via, err := sip.ParseVia(p.topElem)
	if err != nil || !c.isOurs(via.Host, via.Port) {
		c.count.add(droppedForeign)
		return
	}
	c.key = append(append(append(c.key[:0], p.branch...), ' '), p.cseq.Method...)
	ct := c.clients[string(c.key)]
	switch {
	case ct == nil:
		c.stray(p)
	case ct.server != nil && ct.server.closed() && p.m.Status/100 == 2 && ct.invite():
		c.stray(p) // a 2xx after its INVITE is forgotten, or that crossed our failure
	default:
		c.matched(p, ct)
	}
}

func (c *Core) matched(p *packet, ct *clientTx) {
	act := ct.machine.Response(c.now, p.m.Status)
	if act.Has(txn.SendACK) {
		c.acknowledge(p, ct)
	}
	switch {
	case !act.Has(txn.Pass):
		c.count.add(retransmission)
	case ct.server != nil:
		c.pass(p, ct)
	}
	if ct.final != 0 && ct.machine.State() != txn.Proceeding {
		ct.limit = txn.Never
	}
	c.settle(ct, act)
}

// acknowledge sends the ACK to a non-2xx, and keeps it in the INVITE's place for
// the next time.
func (c *Core) acknowledge(p *packet, ct *clientTx) {
	if !bytes.HasPrefix(ct.sent, []byte("ACK ")) {
		ct.sent = bytes.Clone(c.hopRequest(ct, []byte("ACK"), p.m.Value(sip.HTo)))
	}
	c.send(ct.local, ct.dest, ct.sent, nil)
}

// pass takes a response that is new to its branch.
func (c *Core) pass(p *packet, ct *clientTx) {
	s, code := ct.server, p.m.Status
	if code < 200 {
		c.provisional(ct, code)
		if code == 100 || ct.final != 0 {
			return
		}
	}
	data, callee := c.upstream(p, ct)
	switch {
	case data == nil:
	case code < 200:
		c.respond(s, code, data)
	case code < 300:
		c.refresh(p, ct, callee)
		if ct.final == 0 {
			ct.final = code
		}
		ct.sent = nil
		c.respond(s, code, data)
		c.cancelOthers(s, ct)
	case ct.final == 0:
		if (code == 481 || code == 408) && p.is("BYE") {
			c.targets.forget(p.callID, p.fromTag, p.toTag)
		}
		if code == 487 && ct.expired && !s.cancelled { // our timer C, not the callee's wish
			code, data = 408, nil
		}
		c.branchDone(ct, code, data)
	}
}

// provisional takes a 1xx: a CANCEL that waits may go, and timer C starts anew
// with each but 100 (RFC 3261 §16.7 step 2).
func (c *Core) provisional(ct *clientTx, code int) {
	first := !ct.provisional
	ct.provisional = true
	if ct.cancel == cancelWanted {
		c.sendCancel(ct)
	}
	if ct.machine.State() != txn.Proceeding || ct.cancel != cancelNone || ct.limit == txn.Never {
		return
	}
	if code > 100 || first && ct.forked() {
		ct.limit = c.ringLimit(ct.server)
	}
}

// upstream makes the response that leaves: without our Via, with our
// Record-Route facing the callee, with an alias in the callee's Contact where it
// needs one. ct is nil when the transaction is not known. callee is where requests
// to it go when this response refreshes its target.
func (c *Core) upstream(p *packet, ct *clientTx) (data []byte, callee hopTarget) {
	m := p.m
	c.ed.Reset(m)
	c.ed.PopFirst(m, sip.HVia, 1)
	if m.Status > 100 && m.Status < 300 && refreshesTarget(p.cseq.Method) {
		callee = c.faceCallee(p, ct)
	}
	from := len(c.buf)
	c.buf = c.ed.AppendTo(c.buf)
	data = c.written(from)
	return data, callee
}

func (c *Core) faceCallee(p *packet, ct *clientTx) (callee hopTarget) {
	var own ownRecordRoutes
	direct := false
	switch {
	case ct == nil:
		own = c.findOwn(p.m, c.matchProven(p))
		direct = own.n > 0 && own.above == nil
	case ct.inDialog:
		direct = ct.direct
	default:
		own = c.findOwn(p.m, matchSent(ct.st))
		direct = own.above == nil && (own.n > 0 || ct.direct)
	}
	callee = hopTarget{at: contactTarget(p.m, &c.ed, p.source, direct), refresh: direct}
	if own.n == 0 {
		return callee
	}
	hop := callee.at
	if own.above != nil {
		hop = addressTarget(own.above)
	}
	proof := []byte(c.targetProof(p.callID, hop))
	for _, st := range own.st[:own.n] {
		c.ed.Replace(st, proof)
	}
	return callee
}

// refresh notes where the parties of a dialog are now, after a 2xx to a request
// that refreshes targets; after one to BYE the dialog is over. What an initial
// request and its answer say stands in the Record-Route and needs no note.
func (c *Core) refresh(p *packet, ct *clientTx, callee hopTarget) {
	if p.is("BYE") {
		c.targets.forget(p.callID, p.fromTag, p.toTag)
		return
	}
	if !ct.inDialog || !refreshesTarget(p.cseq.Method) {
		return
	}
	if sender := ct.server.sender; sender.refresh {
		c.targets.learn(c.now, p.callID, p.fromTag, p.toTag, sender.at)
	}
	if callee.refresh {
		c.targets.learn(c.now, p.callID, p.toTag, p.fromTag, callee.at)
	}
}

// respond sends a response upstream if its transaction's state allows it.
func (c *Core) respond(s *serverTx, code int, data []byte) {
	act := s.machine.Respond(c.now, code)
	if act.Has(txn.Send) {
		c.count.add(forwardedResponse)
		c.sendResponse(s, code, data)
	}
	c.settleServer(s, act)
}

// answer responds with a message of our own.
func (c *Core) answer(s *serverTx, code int, reason string) {
	m := &c.kept
	if s.request == nil || sip.Parse(s.request, m) != nil {
		return
	}
	from := len(c.buf)
	tag := ""
	if code > 100 {
		a, _ := sip.ParseAddress(m.Value(sip.HFrom))
		tag = c.cfg.Signer.ToTag(m.CallID(), a.Tag())
	}
	c.buf = sip.AppendResponse(c.buf, m, s.source, code, reason, tag, timestamp(m, code)...)
	act := s.machine.Respond(c.now, code)
	if act.Has(txn.Send) {
		c.countAnswer(code)
		c.sendResponse(s, code, c.written(from))
	}
	c.settleServer(s, act)
}

// timestamp is what a 100 copies so that the client can tell its round trip
// (RFC 3261 §8.2.6.1): it leaves at once, so there is no delay to add.
func timestamp(m *sip.Message, code int) []string {
	if code != 100 {
		return nil
	}
	for i := range m.Headers {
		if h := &m.Headers[i]; h.ID == sip.HOther && sip.EqualFold(h.Name, "Timestamp") {
			return []string{string(h.Line)}
		}
	}
	return nil
}

func (c *Core) sendResponse(s *serverTx, code int, data []byte) {
	c.send(s.local, s.reply, data, nil)
	if code >= 200 {
		s.request = nil
	}
	if s.invite && code >= 200 && code < 300 {
		s.last = nil // RFC 6026: nobody asks this transaction for it again
		return
	}
	// A fresh slice: an earlier response may be in out and not sent yet.
	s.last = bytes.Clone(data)
}

// stray takes a response whose transaction is not known, as after a restart. If
// its branch is our work for the Via below, it goes on there (RFC 3261 §16.7 and
// §16.11).
func (c *Core) stray(p *packet) {
	own := true
	var next sip.Via
	for elem := range p.m.Values(sip.HVia) {
		if !own {
			next, _ = sip.ParseVia(elem)
			break
		}
		own = false
	}
	to, ok := next.Target()
	if next.Raw == nil || !ok {
		c.count.add(droppedNoVia)
		return
	}
	if _, ok := c.proves(p, p.branch, &next); !ok || p.m.Status == 100 {
		c.count.add(droppedStray)
		return
	}
	data, _ := c.upstream(p, nil)
	c.count.add(forwardedResponse)
	c.send(c.egress(to), to, data, nil)
}
