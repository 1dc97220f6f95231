// SPDX-License-Identifier: Apache-2.0

package proxy

import "sync/atomic"

// outcome names what became of a datagram. Each has its counter.
type outcome uint8

const (
	received          outcome = iota // every datagram that the core saw
	forwardedRequest                 // sent on downstream, retransmissions by timer not counted
	forwardedResponse                // sent on upstream
	retransmission                   // absorbed by its transaction: normal on lossy paths
	answered1xx
	answered2xx // to CANCEL and to OPTIONS
	answered3xx
	answered4xx
	answered5xx
	answered6xx

	refusedTicket    // initial request that the control plane did not hand over: someone knocks
	refusedDialog    // in-dialog request without our Route and a cookie that holds
	refusedTarget    // in-dialog request to somebody outside its dialog: an attempt to relay
	refusedCancel    // CANCEL that matches nothing: normal when it comes late
	refusedOverload  // transaction table full
	refusedLoop      // came round again unchanged
	refusedHops      // Max-Forwards used up
	refusedBreadth   // Max-Breadth used up: a fork of forks
	refusedExtension // Proxy-Require
	refusedTransport // next hop wants a transport or name that we do not have
	refusedMalformed // answered 400, 416 or 505

	droppedNotSIP    // keepalives and noise: normal
	droppedMalformed // cannot even be answered
	droppedForeign   // response whose top Via is not ours
	droppedStray     // response that no transaction and no branch of ours accounts for
	droppedACK       // ACK that matches nothing and belongs to no dialog: normal after a restart
	droppedNoVia     // response with nobody left to send it to
	droppedQueue     // the loop was behind and the queue full: overload
	sendFailed       // the socket refused the datagram

	timedOut // client transactions that nobody answered
	outcomes
)

// outcomeNames are the names in Stats, and whether they are refusals ('r') or
// drops ('d').
var outcomeNames = [outcomes]struct {
	kind byte
	name string
}{
	answered1xx: {'a', "1xx"}, answered2xx: {'a', "2xx"}, answered3xx: {'a', "3xx"},
	answered4xx: {'a', "4xx"}, answered5xx: {'a', "5xx"}, answered6xx: {'a', "6xx"},
	refusedTicket: {'r', "no_ticket"}, refusedDialog: {'r', "no_dialog"}, refusedTarget: {'r', "foreign_target"},
	refusedCancel: {'r', "no_transaction"}, refusedOverload: {'r', "overload"}, refusedLoop: {'r', "loop"},
	refusedHops: {'r', "max_forwards"}, refusedBreadth: {'r', "max_breadth"}, refusedExtension: {'r', "proxy_require"},
	refusedTransport: {'r', "transport"}, refusedMalformed: {'r', "malformed"},
	droppedNotSIP: {'d', "not_sip"}, droppedMalformed: {'d', "malformed"}, droppedForeign: {'d', "foreign_via"},
	droppedStray: {'d', "stray_response"}, droppedACK: {'d', "stray_ack"}, droppedNoVia: {'d', "no_via"},
	droppedQueue: {'d', "queue_full"}, sendFailed: {'d', "send_failed"},
}

// counters may be read while the core counts.
type counters struct {
	n                     [outcomes]atomic.Uint64
	transactions, targets atomic.Int64
}

func (c *counters) add(o outcome) { c.n[o].Add(1) }

// Stats is a snapshot of a worker's counters since its start.
type Stats struct {
	Received        uint64 // datagrams
	Requests        uint64 // forwarded downstream
	Responses       uint64 // forwarded upstream
	Retransmissions uint64 // absorbed by a transaction
	TimedOut        uint64 // client transactions without an answer

	Answered map[string]uint64 // our own answers by class: "1xx" to "6xx"
	Refused  map[string]uint64 // requests turned away (answered, an ACK dropped) by cause
	Dropped  map[string]uint64 // datagrams dropped by cause

	Transactions int // alive now
	Dialogs      int // remembered now because a party's target has changed
}

func (c *counters) stats() Stats {
	s := Stats{
		Received:        c.n[received].Load(),
		Requests:        c.n[forwardedRequest].Load(),
		Responses:       c.n[forwardedResponse].Load(),
		Retransmissions: c.n[retransmission].Load(),
		TimedOut:        c.n[timedOut].Load(),
		Answered:        map[string]uint64{},
		Refused:         map[string]uint64{},
		Dropped:         map[string]uint64{},
		Transactions:    int(c.transactions.Load()),
		Dialogs:         int(c.targets.Load()),
	}
	for o, name := range outcomeNames {
		v := c.n[o].Load()
		switch name.kind {
		case 'a':
			s.Answered[name.name] = v
		case 'r':
			s.Refused[name.name] = v
		case 'd':
			s.Dropped[name.name] = v
		}
	}
	return s
}
