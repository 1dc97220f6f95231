// SPDX-License-Identifier: Apache-2.0

// Package proxy is sipsteer's own worker: a transaction-stateful, record-routing
// SIP proxy (RFC 3261 §16, RFC 6026).
//
// A request with several targets (package handover) forks: its server transaction
// is the response context, each branch a client transaction of its own.
//
// Core is pure: datagrams and times go in, datagrams come out. Worker is the
// thin shell round it, one goroutine that owns the Core and one reader for each
// socket.
//
// The worker trusts no datagram for where it came from, only for what it
// carries. An initial request passes on the control plane's ticket. A request
// within a dialog passes on the cookie in this worker's Record-Route, and only to
// the next hop which that Record-Route names (parameter st) or to which the
// party has moved since. A response passes on its branch. So a worker that
// starts afresh serves the dialogs it finds, and none is an open relay.
package proxy
