// SPDX-License-Identifier: Apache-2.0

package proxy

import "bytes"

// branchDone takes the final non-2xx of a branch, as it would leave, or nil for an
// answer of our own. When no branch is open any more the best goes upstream
// (RFC 3261 §16.7 steps 6 to 8).
func (c *Core) branchDone(ct *clientTx, code int, data []byte) {
	s := ct.server
	ct.final = code
	if s == nil || s.request == nil {
		return
	}
	if s.bestCode == 0 || rank(code) < rank(s.bestCode) {
		s.bestCode, s.best = code, data
	}
	for _, other := range s.branches {
		if other.final == 0 {
			s.best = bytes.Clone(s.best)
			return
		}
	}
	c.conclude(s)
}

// rank orders final codes: 6xx first, then the lower class, then the order of
// coming.
func rank(code int) int {
	if code >= 600 {
		return 0
	}
	return code / 100
}

// conclude answers the caller with the best response. A 503 of one next hop is
// not ours to repeat (RFC 3261 §16.7 step 6).
func (c *Core) conclude(s *serverTx) {
	code, data := s.bestCode, s.best
	s.best = nil
	switch {
	case code == 503:
		c.answer(s, 500, "Server Internal Error")
	case data != nil:
		c.respond(s, code, data)
	case s.cancelled:
		c.answer(s, 487, "Request Terminated")
	default:
		c.answer(s, 408, "Request Timeout")
	}
}
