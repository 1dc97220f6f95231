// SPDX-License-Identifier: Apache-2.0

// Package txn holds the four transaction machines of RFC 3261 §17 with the
// Accepted states of RFC 6026: INVITE and non-INVITE, client and server.
//
// The machines are pure. They keep no message, socket, goroutine or clock: the
// owner tells them what came and what time it is, they answer with a set of
// Actions, and Next says when they want to be asked again.
package txn

import (
	"math"
	"time"
)

// Instant is a reading of the owner's clock: the time since an origin of its
// choice. All readings given to one machine must share that origin.
type Instant = time.Duration

// Never is the Instant of a machine that waits for no timer.
const Never Instant = math.MaxInt64

// Timing holds the timer values of RFC 3261 table 4 from which all others
// follow: A = E = G = T1 at first; B, F, H, J, L and M = 64*T1; I = K = T4.
type Timing struct {
	T1 time.Duration // round-trip estimate
	T2 time.Duration // longest interval between retransmissions, INVITE requests apart
	T4 time.Duration // longest life of a message in the network
	D  time.Duration // how long answers to a non-2xx are absorbed; at least 32 s
}

// DefaultTiming is what RFC 3261 table 4 proposes.
func DefaultTiming() Timing {
	return Timing{T1: 500 * time.Millisecond, T2: 4 * time.Second, T4: 5 * time.Second, D: 32 * time.Second}
}

// Patience is how long it takes timer E to reach T2: until then the sender of a
// request other than INVITE is not to be told 100 (RFC 4320 §4.1).
func (t *Timing) Patience() time.Duration {
	sum := time.Duration(0)
	for interval := t.T1; interval < t.T2; interval *= 2 {
		sum += interval
	}
	return sum
}

// Limit is 64*T1, how long a transaction waits for the other side.
func (t *Timing) Limit() time.Duration { return 64 * t.T1 }

// State is where a machine stands (RFC 3261 figures 5 to 8, RFC 6026 §7).
type State uint8

// The states; no machine has all of them.
const (
	Calling    State = iota + 1 // INVITE client: nothing heard
	Trying                      // non-INVITE: nothing heard (client), nothing answered (server)
	Proceeding                  // a provisional response has passed; an INVITE server starts here
	Completed                   // a final response has passed; for INVITE one of 300 to 699
	Confirmed                   // INVITE server: the ACK has come
	Accepted                    // INVITE: a 2xx has passed (RFC 6026)
	Terminated                  // over: forget it
)

var stateNames = [...]string{"", "Calling", "Trying", "Proceeding", "Completed", "Confirmed", "Accepted", "Terminated"}

// String is the RFC's name of the state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return ""
}

// Action is the set of what the owner has to do now. The zero value is nothing.
type Action uint8

// The actions, in the order in which the owner carries them out.
const (
	Send     Action = 1 << iota // client: send the request again; server: send the last response
	SendACK                     // INVITE client: send the ACK to a non-2xx
	Pass                        // the message that came is for the transaction user
	TimedOut                    // the other side did not answer (timers B, F and H)
	Ended                       // the machine is Terminated
)

// Has tells whether all actions of b are in the set.
func (a Action) Has(b Action) bool { return a&b == b }
