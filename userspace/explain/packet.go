// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"encoding/binary"
	"net/netip"
)

// Packet is one message, or a part of one, to be explained.
type Packet struct {
	File   string
	Number int // in the capture, from 1; 0 = the file is the message

	Frame       []byte // as captured, behind an Ethernet header; nil for a message alone
	Source      netip.AddrPort
	Destination netip.AddrPort
	Payload     []byte // of the datagram; of a fragment that completes one, all of it

	Short      bool // captured in part
	Fragment   bool
	Incomplete bool  // parts are missing: there is no payload to judge
	Parts      []int // numbers of the packets that the payload comes from, when more than one
}

// MaxPayload is the longest payload that a UDP datagram over IPv4 has.
const MaxPayload = 65535 - ipv4Header - udpHeader

const (
	ethernetHeader = 14
	ipv4Header     = 20
	ipv6Header     = 40
	udpHeader      = 8
)

// frameOf builds the frame that would bring a payload to a service. Checksums stay 0: no decision looks at them.
func frameOf(to netip.AddrPort, payload []byte) []byte {
	f := make([]byte, 12, ethernetHeader+ipv6Header+udpHeader+len(payload))
	length := uint16(udpHeader + len(payload))
	if addr := to.Addr().Unmap(); addr.Is4() {
		f = append(f, 0x08, 0, 0x45, 0)
		f = binary.BigEndian.AppendUint16(f, ipv4Header+length)
		f = append(f, 0, 0, 0, 0, 64, 17, 0, 0, 198, 51, 100, 7)
		f = append(f, addr.AsSlice()...)
	} else {
		f = append(f, 0x86, 0xdd, 0x60, 0, 0, 0)
		f = binary.BigEndian.AppendUint16(f, length)
		f = append(f, 17, 64)
		f = append(f, netip.MustParseAddr("2001:db8:1::7").AsSlice()...)
		f = append(f, addr.AsSlice()...)
	}
	f = binary.BigEndian.AppendUint16(f, 5062)
	f = binary.BigEndian.AppendUint16(f, to.Port())
	f = binary.BigEndian.AppendUint16(f, length)
	return append(append(f, 0, 0), payload...)
}
