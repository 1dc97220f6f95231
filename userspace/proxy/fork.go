// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"slices"

	"github.com/sipsteer/sipsteer/userspace/handover"
	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/txn"
)

// fork is what a response context with several targets has more (RFC 3261 §16.5
// to §16.7). The control plane has put them into groups; those of a group are
// tried at once, the groups one after the other.
type fork struct {
	pending    []handover.Target // not tried yet, the next group first
	ring       txn.Instant       // until when the current group may ring
	breadth    int               // branches that the request may have at a time
	code       int               // best final code of the current group
	challenges []byte            // header lines of the 401 and 407 that are not the best
}

// fork sends a request on to the targets that the control plane has named.
func (c *Core) fork(p *packet) refusal {
	all, err := handover.Read(p.m)
	if err != nil {
		return refusal{refusedMalformed, 400, "Malformed Target", ""}
	}
	if ref := c.room(p, len(all)); ref.code != 0 {
		return ref
	}
	if n, has, err := p.m.MaxForwards(); err != nil || has && n == 0 {
		return c.lessHops(p)
	}
	most, ref := breadth(p.m)
	if ref.code != 0 {
		return ref
	}
	s := c.newServer(p)
	s.fork = &fork{pending: all, breadth: most}
	if s.invite {
		c.answer(s, 100, "Trying")
	}
	if !c.nextGroup(s) {
		c.conclude(s)
	}
	return refusal{}
}

// nextGroup tries the next group of targets, and the one behind it when no request
// could be sent to any of that: no bad target stops the search. It is false when
// there is none to try.
func (c *Core) nextGroup(s *serverTx) bool {
	f := s.fork
	for len(f.pending) > 0 {
		if on := f.pending[0].On; f.code != 0 && len(on) > 0 && !slices.Contains(on, f.code) {
			return false
		}
		if s.best != nil {
			s.best = bytes.Clone(s.best)
		}
		if c.tryGroup(s, f.takeGroup()) {
			return true
		}
	}
	return false
}

// takeGroup takes the next group off the targets, or as much of it as may be tried
// at once; the rest has its turn afterwards (RFC 5393 §5.3.3).
func (f *fork) takeGroup() []handover.Target {
	n := 1
	for n < len(f.pending) && !f.pending[n].Next && n < f.breadth {
		n++
	}
	group := f.pending[:n]
	f.pending, f.code = f.pending[n:], 0
	return group
}

// tryGroup sends to the targets of a group. It is false when none could be sent
// to.
func (c *Core) tryGroup(s *serverTx, group []handover.Target) (sent bool) {
	f := s.fork
	f.ring = txn.Never
	reply := txn.Never
	if len(f.pending) > 0 && s.invite {
		if d := f.pending[0].Ring; d > 0 {
			f.ring = c.now + d
		}
		if d := f.pending[0].Reply; d > 0 {
			reply = c.now + d
		}
	}
	for i := range group {
		ct, ref := c.tryTarget(s, &group[i], f.breadth/len(group))
		switch {
		case ref.outcome == refusedLoop:
			c.count.add(ref.outcome)
			c.consider(s, 482, nil)
		case ref.code != 0:
			c.count.add(ref.outcome)
			c.consider(s, 503, nil)
		default:
			ct.limit = min(ct.limit, f.ring, reply)
			c.settle(ct, 0)
			sent = true
		}
	}
	return sent
}

// tryTarget sends the request to one target in a branch of its own: made into what
// it would be with this target alone, it goes the way of any other.
func (c *Core) tryTarget(s *serverTx, t *handover.Target, share int) (*clientTx, refusal) {
	m := &c.branched
	c.alone = c.toTarget(c.alone[:0], s, t, share)
	if sip.Parse(c.alone, m) != nil {
		return nil, refusal{refusedMalformed, 400, "Malformed Target", ""}
	}
	p := packet{m: m, local: s.local, source: s.source}
	c.open(&p)
	h, ref := c.resolve(&p)
	if ref.code != 0 {
		return nil, ref
	}
	h.cookie = m.Value(sip.HCookie)
	mark := round(&p, h.dest)
	branch := c.newBranch(&p, mark)
	if c.looped(&p, mark) || c.clients[branch+" "+string(m.Method)] != nil {
		return nil, refusal{refusedLoop, 482, "Loop Detected", ""}
	}
	sent, st, sender, ref := c.rewrite(&p, &h, branch)
	if ref.code != 0 {
		return nil, ref
	}
	s.sender = sender
	ct := c.newClient(s, branch, m.Method, &h, sent)
	ct.st, ct.direct = st, !h.routed
	c.count.add(forwardedRequest)
	c.send(ct.local, ct.dest, sent, ct)
	return ct, refusal{}
}

// toTarget writes the request behind dst as it would have been handed over for
// one target alone.
func (c *Core) toTarget(dst []byte, s *serverTx, t *handover.Target, share int) []byte {
	m := &c.kept
	if sip.Parse(s.request, m) != nil {
		return dst // it could be read when it came
	}
	c.ed.Reset(m)
	c.ed.Replace(m.RequestURI, []byte(t.URI))
	for i := len(t.Route) - 1; i >= 0; i-- {
		c.ed.Insert(m.HeaderOffset(), []byte("Route: "+t.Route[i]+"\r\n"))
	}
	c.ed.DeleteAll(m, sip.HRoute)
	c.ed.DeleteAll(m, sip.HTarget)
	c.setBreadth(m, share)
	return c.ed.AppendTo(dst)
}

// giveUp leaves a branch that its group's time has run out for, when other targets
// wait: it counts as unanswered at once, so that a next hop which does not even
// answer the CANCEL stops nothing. It is false when the branch is to be waited for.
func (c *Core) giveUp(ct *clientTx) bool {
	if ct.cancel != cancelNone || len(ct.server.fork.pending) == 0 {
		if ct.provisional {
			return false
		}
		ct.limit = txn.Never // no CANCEL before a provisional response; timer B runs
		c.settle(ct, 0)
		return true
	}
	ct.limit = txn.Never
	c.cancelBranch(ct)
	c.settle(ct, 0)
	c.count.add(timedOut)
	c.branchDone(ct, 408, nil)
	return true
}

// ringLimit is until when a branch that has given a provisional response may go on.
func (c *Core) ringLimit(s *serverTx) txn.Instant {
	limit := c.now + c.cfg.TimerC
	if s != nil && s.fork != nil {
		limit = min(limit, s.fork.ring)
	}
	return limit
}

// consider notes an answer of the current group before the better of it and the
// best is chosen, and keeps the challenges of the one that is not.
func (f *fork) consider(s *serverTx, code int, data []byte) {
	if f.code == 0 || rank(code) < rank(f.code) {
		f.code = code
	}
	if code != 401 && code != 407 {
		return
	}
	if s.bestCode == 401 || s.bestCode == 407 { // it is the first that stays
		f.challenges = appendChallenges(f.challenges, data)
	}
}

// appendChallenges copies the challenges of a response behind dst.
func appendChallenges(dst, response []byte) []byte {
	var m sip.Message
	if sip.Parse(response, &m) != nil {
		return dst
	}
	for i := range m.Headers {
		h := &m.Headers[i]
		if sip.EqualFold(h.Name, "WWW-Authenticate") || sip.EqualFold(h.Name, "Proxy-Authenticate") {
			dst = append(dst, h.Line...)
		}
	}
	return dst
}

// withChallenges adds to a 401 or 407 what the other branches ask for, or the
// caller could never satisfy them all (RFC 3261 §16.7 step 7).
func (c *Core) withChallenges(s *serverTx, code int, data []byte) []byte {
	if s.fork == nil || len(s.fork.challenges) == 0 || code != 401 && code != 407 {
		return data
	}
	m := &c.kept
	if sip.Parse(data, m) != nil {
		return data
	}
	c.ed.Reset(m)
	last := m.Headers[len(m.Headers)-1].Line
	c.ed.InsertAfter(last, s.fork.challenges)
	from := len(c.buf)
	c.buf = c.ed.AppendTo(c.buf)
	return c.written(from)
}

// abandon ends a server transaction without an answer.
func (c *Core) abandon(s *serverTx) {
	s.request = nil
	c.settleServer(s, txn.Ended)
}
