// SPDX-License-Identifier: Apache-2.0

package steer

import "errors"

// ErrFull is returned by Put when the table holds as many pins as it may. Calls that stand are not touched.
var ErrFull = errors.New("the pin table is full")

// State is how far a pinned dialog has come.
type State uint32

// The states; enum pin_state in C.
const (
	StateEarly     State = 1 // no final answer yet
	StateConfirmed State = 2 // answered with 2xx
	StateEnded     State = 3 // over; still steered until the control plane deletes the pin
)

// String returns early, confirmed, ended, or unknown.
func (s State) String() string {
	switch s {
	case StateEarly:
		return "early"
	case StateConfirmed:
		return "confirmed"
	case StateEnded:
		return "ended"
	}
	return "unknown"
}

// Method is what a message asks for, as far as steering cares, and in a Pin the kind of request that made it.
type Method uint8

// The methods; enum method in C. In a Message, SUBSCRIBE and all methods not named here are MethodOther.
const (
	MethodNone Method = iota // of a response
	MethodInvite
	MethodSubscribe // only in a Pin
	MethodOther
	MethodAck
	MethodCancel
	MethodBye
)

// By says who ended a dialog, as far as its messages tell.
type By uint8

// The parties; enum ended_by in C.
const (
	ByUnknown By = iota // also: the callee or a proxy refused the call, see FinalCode
	ByCaller
	ByCallee
	ByTimeout // nobody: the control plane gave it up
)

// String returns caller, callee, timeout, or unknown.
func (b By) String() string {
	switch b {
	case ByCaller:
		return "caller"
	case ByCallee:
		return "callee"
	case ByTimeout:
		return "timeout"
	}
	return "unknown"
}

// Pin is one dialog: the worker that owns it, its state, times and counters; struct pin in C. Times are nanoseconds
// of CLOCK_MONOTONIC_COARSE; 0 means not yet.
type Pin struct {
	Worker    uint32 // id of the worker; never 0
	State     State
	CSeq      uint32 // number of the request that made the pin
	Service   uint16 // id of the service it came in by
	Method    Method // kind of that request: MethodInvite, MethodSubscribe or MethodOther
	EndedBy   By     // when it has ended
	FinalCode uint16 // last final status seen for it; 0 = none yet
	Cancelled bool   // a CANCEL passed before the answer
	Moved     bool   // stands under another key than its Call-ID's
	Ringing   uint32 // a bit for each leg that rings, by its To tag
	StartNS   uint64
	RingNS    uint64 // first 18x
	AnswerNS  uint64 // 2xx
	EndNS     uint64
	SeenNS    uint64 // last packet
	Requests  uint64 // packets steered, by kind
	Responses uint64
	Caller    uint64 // Tail of From in the request that made the pin; 0 when it is not known
}

// Note applies a message of the dialog to its pin: the twin of dialog_note in C.
func (p *Pin) Note(m Message, nowNS uint64) {
	p.SeenNS = nowNS
	if m.Request {
		p.Requests++
		p.noteRequest(m, nowNS)
		return
	}
	p.Responses++
	p.noteResponse(m, nowNS)
}

func (p *Pin) noteRequest(m Message, nowNS uint64) {
	if p.Method != MethodInvite || p.State != StateEarly && p.State != StateConfirmed {
		return
	}
	switch {
	case m.Method == MethodBye:
		p.end(nowNS)
		p.EndedBy = p.hungUp(m)
	case m.Method == MethodCancel:
		p.Cancelled = p.Cancelled || p.State == StateEarly
	case m.Method == MethodAck && m.CSeq == p.CSeq && p.State == StateEarly:
		// The 2xx would have confirmed it: this acknowledges a final failure.
		p.end(nowNS)
	}
}

func (p *Pin) noteResponse(m Message, nowNS uint64) {
	if m.CSeq != p.CSeq || p.State != StateEarly {
		return
	}
	switch {
	case p.Method == MethodInvite:
		p.noteInviteResponse(m, nowNS)
	case p.Method == MethodSubscribe && m.Status >= 200 && m.Status < 300:
		p.confirm(m.Status, nowNS)
	case m.Status >= 200:
		p.FinalCode = m.Status
		p.end(nowNS)
	}
}

// A failure of one fork branch does not end the dialog: others may live, and the ACK tells.
func (p *Pin) noteInviteResponse(m Message, nowNS uint64) {
	switch {
	case m.CSeqMethod != MethodInvite:
	case m.Status == 199: // ends a leg early (RFC 6228)
		p.Ringing &^= m.Leg()
	case m.Status >= 300:
		p.FinalCode = m.Status
		p.Ringing &^= m.Leg()
	case m.Status >= 200:
		p.confirm(m.Status, nowNS)
	case m.Status > 100:
		p.Ringing |= m.Leg()
		if m.Status >= 180 && m.Status <= 189 && p.RingNS == 0 {
			p.RingNS = nowNS
		}
	}
}

// hungUp says who sent a BYE: the party whose tag is the caller's stands in From or in To.
func (p *Pin) hungUp(m Message) By {
	switch {
	case p.Caller == 0:
	case m.From == p.Caller:
		return ByCaller
	case m.To == p.Caller:
		return ByCallee
	}
	return ByUnknown
}

func (p *Pin) confirm(status uint16, nowNS uint64) {
	p.State, p.AnswerNS, p.FinalCode = StateConfirmed, nowNS, status
}

func (p *Pin) end(nowNS uint64) {
	p.State, p.EndNS = StateEnded, nowNS
}

// Merge adds what is known of the dialog from elsewhere, its control plane's end above all: the twin of dialog_merge in
// C. State and times only go forward.
func (p *Pin) Merge(more Pin) {
	p.Requests += more.Requests
	p.Responses += more.Responses
	p.SeenNS = max(p.SeenNS, more.SeenNS)
	p.RingNS = max(p.RingNS, more.RingNS)
	p.AnswerNS = max(p.AnswerNS, more.AnswerNS)
	if p.FinalCode == 0 {
		p.FinalCode = more.FinalCode
	}
	p.Cancelled = p.Cancelled || more.Cancelled
	p.State = max(p.State, more.State)
	if more.State == StateEnded && p.EndNS == 0 {
		p.EndedBy, p.EndNS = more.EndedBy, more.EndNS
	}
}
