// SPDX-License-Identifier: Apache-2.0

package proxy

import "bytes"

// branchDone takes the final non-2xx of a branch, as it would leave, or nil for an
// answer of our own. When no branch is open any more, the next group of targets
// has its turn, or the best answer goes upstream (RFC 3261 §16.7 steps 5 to 8).
func (c *Core) branchDone(ct *clientTx, code int, data []byte) {
	s := ct.server
	ct.final = code
	if s == nil || s.request == nil {
		return
	}
	c.consider(s, code, data)
	if code >= 600 {
		c.cancelOthers(s, ct)
	}
	for _, other := range s.branches {
		if other.final == 0 {
			s.best = bytes.Clone(s.best)
			return
		}
	}
	if s.fork != nil && c.nextGroup(s) {
		return
	}
	c.conclude(s)
}

// consider keeps the better of two answers.
func (c *Core) consider(s *serverTx, code int, data []byte) {
	if s.fork != nil {
		s.fork.consider(s, code, data)
	}
	if s.bestCode == 0 || rank(code) < rank(s.bestCode) {
		s.bestCode, s.best = code, data
	}
}

// rank orders final codes, the best first: 6xx, then the lower class. Of the 4xx
// those come first with which the caller can do something about it (RFC 3261
// §16.7 step 6), and last those that say only that nobody answered. Of equal ones
// the first stays.
func rank(code int) int {
	switch {
	case code >= 600:
		return 0
	case code < 400, code >= 500:
		return code / 100 * 10
	}
	switch code {
	case 401, 407, 415, 420, 484:
		return 40
	case 487:
		return 42
	case 408:
		return 43
	}
	return 41
}

// conclude answers the caller with the best response. A 503 of one next hop is
// not ours to repeat (RFC 3261 §16.7 step 6), and a request other than INVITE that
// nobody answered gets none either: its sender has timed out by itself (RFC 4320
// §4.2).
func (c *Core) conclude(s *serverTx) {
	code, data := s.bestCode, s.best
	s.best = nil
	switch {
	case code == 408 && !s.invite:
		c.abandon(s)
	case code == 503:
		c.answer(s, 500, "Server Internal Error")
	case data != nil:
		c.respond(s, code, c.withChallenges(s, code, data))
	case s.cancelled:
		c.answer(s, 487, "Request Terminated")
	case code == 482:
		c.answer(s, 482, "Loop Detected")
	default:
		c.answer(s, 408, "Request Timeout")
	}
}

// cancelOthers ends the search: no further target is tried, and every branch but
// one is cancelled (RFC 3261 §16.7 steps 5 and 10).
func (c *Core) cancelOthers(s *serverTx, but *clientTx) {
	if s.fork != nil {
		s.fork.pending = nil
	}
	for _, ct := range s.branches {
		if ct != but {
			c.cancelBranch(ct)
		}
	}
}
