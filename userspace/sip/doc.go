// SPDX-License-Identifier: Apache-2.0

// Package sip reads and edits SIP messages as bytes (RFC 3261 §7 and §25).
//
// Parse records where each header field stands; nothing is copied, so every
// slice a Message hands out points into Message.Raw. Edits are splices on those
// bytes: what an edit does not name leaves as it came, byte for byte. That is
// what a proxy owes to foreign header fields (RFC 3261 §16.6).
//
// The package knows no sockets, clocks or goroutines.
package sip
