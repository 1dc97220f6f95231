// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"sync/atomic"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Cause names why the control plane dropped a datagram without an answer.
type Cause uint8

// The causes, each with a word on whether it is normal to see it above zero.
const (
	DropNotSIP         Cause = iota // scanners and stray traffic: normal on the open Internet
	DropKeepalive                   // CRLF or empty datagrams that keep NAT open: normal
	DropMalformed                   // broken beyond an answer: normal in small numbers
	DropStrayACK                    // ACK to no pinned call: normal after restarts
	DropStrayResponse               // response to no request of ours: look at it when it grows
	DropHandover                    // the way to the worker failed: not normal
	DropRetransmission              // repeated while the first is being worked on: normal
	DropSend                        // an answer that the network refused: not normal
	DropDenied                      // source in a deny prefix: normal where there are any
	DropBanned                      // source banned: normal on the open Internet
	DropSourceRate                  // a source begins more than it may
	DropServiceRate                 // all sources together begin more than the service takes
	causes
)

var causeNames = [causes]string{
	"not_sip", "keepalive", "malformed", "stray_ack", "stray_response",
	"handover_failed", "retransmission", "send_failed",
	"denied", "banned", "source_rate", "service_rate",
}

// String is the cause's name in API and metrics.
func (c Cause) String() string { return causeNames[c] }

// methods are counted by name; any other is counted as "other", so that labels
// stay bounded. "response" counts responses.
var methods = [...]string{
	"INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "MESSAGE", "SUBSCRIBE",
	"NOTIFY", "REFER", "INFO", "UPDATE", "PRACK", "PUBLISH", "response", "other",
}

const (
	methodResponse = len(methods) - 2
	methodOther    = len(methods) - 1
)

// counters of one chain; reading them takes no lock that a packet needs.
type counters struct {
	received   [len(methods)]atomic.Uint64
	answered   [700]atomic.Uint64
	dropped    [causes]atomic.Uint64
	outcomes   [64]atomic.Uint64   // what the twin decided, by steer.Outcome
	workers    [4096]atomic.Uint64 // steered, by the worker's number
	steered    atomic.Uint64
	handedOver atomic.Uint64
	ownACK     atomic.Uint64
	steps      [steps]histogram
}

func (c *counters) countMethod(method []byte) {
	for i, name := range methods[:methodResponse] {
		if string(method) == name {
			c.received[i].Add(1)
			return
		}
	}
	c.received[methodOther].Add(1)
}

// Causes names every cause for which a message may be dropped.
func Causes() []string { return append([]string{}, causeNames[:]...) }

// Methods names everything that Counters.Received may count.
func Methods() []string { return append([]string{}, methods[:]...) }

// Counters is what a chain has done since its start. Maps hold only what is
// above zero.
type Counters struct {
	Received   map[string]uint64        // by method, or "response", or "other": what the kernel passed up
	Answered   map[int]uint64           // by status code
	Dropped    map[string]uint64        // by Cause
	Outcomes   map[steer.Outcome]uint64 // what the twin decided about what came up, steered apart
	Steered    uint64                   // steered in user space: judged by the twin
	Workers    map[uint32]uint64        // the same by the worker's number
	HandedOver uint64                   // requests routed and given to a worker
	OwnACK     uint64                   // ACKs to own final answers, swallowed
}

// Counters reads the counters.
func (c *Chain) Counters() Counters {
	out := Counters{
		Received: map[string]uint64{}, Answered: map[int]uint64{}, Dropped: map[string]uint64{},
		Outcomes: map[steer.Outcome]uint64{}, Workers: map[uint32]uint64{},
		Steered: c.count.steered.Load(), HandedOver: c.count.handedOver.Load(), OwnACK: c.count.ownACK.Load(),
	}
	for i := range c.count.received {
		if n := c.count.received[i].Load(); n > 0 {
			out.Received[methods[i]] = n
		}
	}
	for i := range c.count.answered {
		if n := c.count.answered[i].Load(); n > 0 {
			out.Answered[i] = n
		}
	}
	for i := range c.count.dropped {
		if n := c.count.dropped[i].Load(); n > 0 {
			out.Dropped[Cause(i).String()] = n
		}
	}
	for i := range c.count.outcomes {
		if n := c.count.outcomes[i].Load(); n > 0 {
			out.Outcomes[steer.Outcome(i)] = n
		}
	}
	for i := range c.count.workers {
		if n := c.count.workers[i].Load(); n > 0 {
			out.Workers[uint32(i)] = n
		}
	}
	return out
}
