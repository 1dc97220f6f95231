// SPDX-License-Identifier: Apache-2.0

package steer

import "net/netip"

// ServiceKind says what an address and port is to us.
type ServiceKind uint32

// The kinds; enum service_kind in C.
const (
	ServiceVIP        ServiceKind = 1 // SIP arrives here
	ServiceWorkerPort ServiceKind = 2 // local workers listen here; closed from outside
)

// Policy says what happens to requests of a service.
type Policy uint32

// The policies.
const (
	PolicyProxy Policy = iota
	PolicyRedirect
	PolicyDirect
)

// String returns the name used in the configuration.
func (p Policy) String() string {
	switch p {
	case PolicyRedirect:
		return "redirect"
	case PolicyDirect:
		return "direct"
	}
	return "proxy"
}

// Service is what an address and port stands for.
type Service struct {
	ID     uint16
	Kind   ServiceKind
	Policy Policy
	Secret Secret // keys its Call-IDs
}

// Forward is the way to a worker.
type Forward uint32

// The ways; enum forward in C.
const (
	ForwardNone  Forward = iota // not reachable: its packets go up
	ForwardLocal                // a socket on this host
	ForwardL2                   // a host on the same link
)

// String returns the name used in the configuration.
func (f Forward) String() string {
	switch f {
	case ForwardLocal:
		return "local"
	case ForwardL2:
		return "l2"
	}
	return "none"
}

// MAC is an Ethernet address.
type MAC [6]byte

// Worker is how packets reach a worker.
type Worker struct {
	Forward Forward
	Port    uint16 // local: UDP port that its socket is bound to
	IfIndex uint32 // l2: interface that it is reached by
	DstMAC  MAC    // l2: its address, or that of the router before it
	SrcMAC  MAC    // l2: the interface's own
}

// Tables is what Frame looks things up in.
type Tables struct {
	Service func(netip.AddrPort) (Service, bool) // IPv4 addresses come unmapped
	Worker  func(id uint32) (Worker, bool)
	Pin     func(Key) *Pin // nil when there is none; Frame notes the message in it
	NowNS   uint64
}
