// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"encoding/binary"
	"fmt"

	"github.com/gopacket/gopacket/layers"
)

const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
)

// Lengths of the headers that stand in for Ethernet's (tcpdump.org/linktypes.html).
const (
	nullHeader = 4  // the address family of the capturing host
	sllHeader  = 16 // Linux cooked; the protocol stands at 14
	sll2Header = 20 // the second version; at 0
)

// Old captures have raw IP under one of these.
const (
	linkTypeRawBSD     = 12
	linkTypeRawOpenBSD = 14
)

// ethernet gives a packet an Ethernet header in place of its own link layer's.
func ethernet(data []byte, link layers.LinkType) ([]byte, error) {
	switch link {
	case layers.LinkTypeEthernet:
		return data, nil
	case layers.LinkTypeRaw, layers.LinkTypeIPv4, layers.LinkTypeIPv6, linkTypeRawBSD, linkTypeRawOpenBSD:
		return reframe(data, 0, versionOf(data)), nil
	case layers.LinkTypeNull, layers.LinkTypeLoop:
		if len(data) < nullHeader {
			return data, nil
		}
		return reframe(data, nullHeader, versionOf(data[nullHeader:])), nil
	case layers.LinkTypeLinuxSLL:
		if len(data) < sllHeader {
			return data, nil
		}
		return reframe(data, sllHeader, binary.BigEndian.Uint16(data[14:])), nil
	case layers.LinkTypeLinuxSLL2:
		if len(data) < sll2Header {
			return data, nil
		}
		return reframe(data, sll2Header, binary.BigEndian.Uint16(data)), nil
	}
	return nil, fmt.Errorf("link type %d (%v) is not known; capture on an Ethernet interface, or on any", link, link)
}

func reframe(data []byte, header int, kind uint16) []byte {
	f := binary.BigEndian.AppendUint16(make([]byte, 12, ethernetHeader+len(data)), kind)
	return append(f, data[header:]...)
}

// versionOf tells IPv4 from IPv6 by the first bits; the address families of hosts differ.
func versionOf(ip []byte) uint16 {
	if len(ip) > 0 && ip[0]>>4 == 6 {
		return etherIPv6
	}
	return etherIPv4
}
