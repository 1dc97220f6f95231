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

	// Of policy direct: the slots of its Maglev table, and the time in which a source may have one pin made.
	Slots    uint32
	NewPinNS uint64
}

// Forward is the way to a worker.
type Forward uint32

// The ways; enum forward in C.
const (
	ForwardNone  Forward = iota // not reachable: its packets go up
	ForwardLocal                // a socket on this host
	ForwardL2                   // a host on the same link
	ForwardIPIP                 // a host behind a tunnel: IP in IP
	ForwardGUE                  // the same: IP in UDP, variant 1 of GUE
)

// String returns the name used in the configuration.
func (f Forward) String() string {
	switch f {
	case ForwardLocal:
		return "local"
	case ForwardL2:
		return "l2"
	case ForwardIPIP:
		return "ipip"
	case ForwardGUE:
		return "gue"
	}
	return "none"
}

// MAC is an Ethernet address.
type MAC [6]byte

// VLANTag is a tag before the EtherType; Protocol is 0x8100 or 0x88a8, or 0 where there is none.
type VLANTag struct{ Protocol, Tag uint16 }

// Worker is how packets reach a worker.
type Worker struct {
	Forward Forward
	Port    uint16     // local: UDP port that its socket is bound to; gue: where the tunnel ends
	MTU     uint16     // not local: bytes of an IP packet on the way, outer headers included; 0 for any
	IfIndex uint32     // not local: interface that it is reached by
	DstMAC  MAC        // not local: its address, or for tunnels that of the router before it
	SrcMAC  MAC        // not local: the interface's own
	Tags    [2]VLANTag // not local: of the way, outermost first
	Src     netip.Addr // ipip, gue: outer source, of the same family as Dst
	Dst     netip.Addr // ipip, gue: outer destination
	Spread  uint16     // ipip, gue: bits of the outer source that differ by call
}

// Tables is what Frame looks things up in.
type Tables struct {
	Service func(netip.AddrPort) (Service, bool) // IPv4 addresses come unmapped
	Worker  func(id uint32) (Worker, bool)
	Pin     func(Key) *Pin // nil when there is none; Frame notes the message in it
	Direct  DirectTables   // of services with policy direct; Pin, Alive and NowNS are filled in from here
	Sources *Sources       // nil hears everybody
	// PartialChecksums says that senders of this host may leave UDP checksums to their device.
	PartialChecksums bool
	NowNS            uint64
}
