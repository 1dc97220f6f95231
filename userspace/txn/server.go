// SPDX-License-Identifier: Apache-2.0

package txn

import "time"

// Server is a server transaction (RFC 3261 §17.2). Make it with NewServer when
// its request has come for the first time.
type Server struct {
	timing   *Timing
	state    State
	invite   bool
	reliable bool
	answered bool          // there is a response to send again
	interval time.Duration // of timer G
	resend   Instant       // when timer G fires
	deadline Instant       // when timer H, I, J or L fires
}

// NewServer starts a server transaction. reliable is the transport's. timing is
// kept, not copied. An INVITE server leaves its 100 Trying to the owner.
func NewServer(timing *Timing, invite, reliable bool) Server {
	s := Server{timing: timing, state: Trying, invite: invite, reliable: reliable, resend: Never, deadline: Never}
	if invite {
		s.state = Proceeding
	}
	return s
}

// State is where the machine stands.
func (s *Server) State() State { return s.state }

// Next is when Tick has something to do, or Never.
func (s *Server) Next() Instant { return min(s.resend, s.deadline) }

// Request takes a retransmission of the request.
func (s *Server) Request() Action {
	if s.answered && (s.state == Proceeding || s.state == Completed) {
		return Send
	}
	return 0
}

// ACK takes an ACK that matches an INVITE transaction. In Accepted it belongs to
// the transaction user (RFC 6026 §7.1).
func (s *Server) ACK(now Instant) Action {
	switch {
	case !s.invite:
		return 0
	case s.state == Accepted:
		return Pass
	case s.state != Completed:
		return 0
	case s.reliable:
		return s.end()
	}
	s.state, s.resend, s.deadline = Confirmed, Never, now+s.timing.T4
	return 0
}

// Respond takes a response with that status code from the transaction user.
// Without Send in the answer the response is not to be sent: the state forbids
// it.
func (s *Server) Respond(now Instant, code int) Action {
	switch {
	case s.state == Accepted && code >= 200 && code < 300:
		return Send
	case s.state != Trying && s.state != Proceeding:
		return 0
	}
	s.answered = true
	switch {
	case code < 200:
		s.state = Proceeding
	case !s.invite && s.reliable:
		return Send | s.end()
	case !s.invite:
		s.state, s.deadline = Completed, now+s.timing.Limit()
	case code < 300:
		s.state, s.deadline = Accepted, now+s.timing.Limit()
	default:
		s.complete(now)
	}
	return Send
}

// complete waits for the ACK to a non-2xx (RFC 3261 §17.2.1).
func (s *Server) complete(now Instant) {
	s.state, s.deadline, s.interval = Completed, now+s.timing.Limit(), s.timing.T1
	if !s.reliable {
		s.resend = now + s.interval
	}
}

// Fail ends the transaction because a response could not be sent. An INVITE
// that was accepted lives on: its ACK may still come (RFC 6026 §7.1).
func (s *Server) Fail() Action {
	if s.state == Terminated || s.state == Accepted {
		return 0
	}
	return s.end()
}

// Tick fires the timers that are due.
func (s *Server) Tick(now Instant) Action {
	switch {
	case s.state == Terminated:
		return 0
	case now >= s.deadline:
		var act Action
		if s.invite && s.state == Completed {
			act = TimedOut // no ACK came
		}
		return act | s.end()
	case now >= s.resend:
		s.interval = min(2*s.interval, s.timing.T2)
		s.resend = now + s.interval
		return Send
	}
	return 0
}

func (s *Server) end() Action {
	s.state, s.resend, s.deadline = Terminated, Never, Never
	return Ended
}
