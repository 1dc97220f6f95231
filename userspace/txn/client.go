// SPDX-License-Identifier: Apache-2.0

package txn

import "time"

// Client is a client transaction (RFC 3261 §17.1). Make it with NewClient when
// the request has been sent for the first time.
type Client struct {
	timing   *Timing
	state    State
	invite   bool
	reliable bool
	interval time.Duration // of timer A or E
	resend   Instant       // when timer A or E fires
	deadline Instant       // when timer B, D, F, K or M fires
}

// NewClient starts a client transaction whose request leaves at now. reliable
// is the transport's; it turns retransmission off. timing is kept, not copied.
func NewClient(timing *Timing, invite, reliable bool, now Instant) Client {
	c := Client{timing: timing, state: Trying, invite: invite, reliable: reliable, resend: Never}
	if invite {
		c.state = Calling
	}
	c.interval = timing.T1
	if !reliable {
		c.resend = now + c.interval
	}
	c.deadline = now + timing.Limit()
	return c
}

// State is where the machine stands.
func (c *Client) State() State { return c.state }

// Next is when Tick has something to do, or Never.
func (c *Client) Next() Instant { return min(c.resend, c.deadline) }

// Response takes a response with that status code from the network.
func (c *Client) Response(now Instant, code int) Action {
	if c.invite {
		return c.inviteResponse(now, code)
	}
	if c.state != Trying && c.state != Proceeding {
		return 0
	}
	if code < 200 {
		c.state = Proceeding
		return Pass
	}
	return Pass | c.linger(now, Completed, c.timing.T4)
}

// inviteResponse is RFC 3261 §17.1.1.2 with RFC 6026 §7.2.
func (c *Client) inviteResponse(now Instant, code int) Action {
	open := c.state == Calling || c.state == Proceeding
	switch {
	case open && code < 200:
		c.state = Proceeding
		c.resend, c.deadline = Never, Never
		return Pass
	case open && code < 300:
		c.state = Accepted
		c.resend, c.deadline = Never, now+c.timing.Limit()
		return Pass
	case open:
		return SendACK | Pass | c.linger(now, Completed, c.timing.D)
	case c.state == Completed && code >= 300:
		return SendACK
	case c.state == Accepted && code >= 200 && code < 300:
		return Pass
	}
	return 0
}

// linger enters a state that only absorbs retransmissions, which a reliable
// transport does not have.
func (c *Client) linger(now Instant, s State, d time.Duration) Action {
	if c.reliable {
		return c.end()
	}
	c.state, c.resend, c.deadline = s, Never, now+d
	return 0
}

// Fail ends the transaction because its request could not be sent (RFC 3261
// §17.1.4). In the states after a final response that is of no matter.
func (c *Client) Fail() Action {
	switch c.state {
	case Calling, Trying, Proceeding:
		return c.end()
	}
	return 0
}

// Tick fires the timers that are due.
func (c *Client) Tick(now Instant) Action {
	switch {
	case c.state == Terminated:
		return 0
	case now >= c.deadline:
		var act Action
		if c.state == Calling || c.state == Trying || c.state == Proceeding {
			act = TimedOut
		}
		return act | c.end()
	case now >= c.resend:
		c.backOff(now)
		return Send
	}
	return 0
}

// backOff doubles timer A without bound, timer E up to T2; in Proceeding timer E
// is T2 (RFC 3261 §17.1.2.2).
func (c *Client) backOff(now Instant) {
	c.interval *= 2
	if !c.invite && (c.state == Proceeding || c.interval > c.timing.T2) {
		c.interval = c.timing.T2
	}
	c.resend = now + c.interval
}

func (c *Client) end() Action {
	c.state, c.resend, c.deadline = Terminated, Never, Never
	return Ended
}
