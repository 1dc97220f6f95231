// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// dissect finds addresses and payload of a UDP datagram; false for anything else. A library does it, so that what is
// shown does not come from the code that is being explained.
func dissect(frame []byte, parts assembler, number int) (Packet, bool) {
	p := Packet{Number: number, Frame: frame}
	if len(frame) < ethernetHeader {
		return p, false
	}
	var src, dst netip.Addr
	for _, l := range gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.NoCopy).Layers() {
		switch l := l.(type) {
		case *layers.IPv4:
			src, dst = address(l.SrcIP), address(l.DstIP)
			if l.Flags&layers.IPv4MoreFragments != 0 || l.FragOffset != 0 {
				id := fragmentID{src, dst, uint32(l.Id)}
				return p, l.Protocol == layers.IPProtocolUDP &&
					p.fragment(parts, id, int(l.FragOffset)*8, l.Flags&layers.IPv4MoreFragments != 0, l.Payload)
			}
		case *layers.IPv6:
			src, dst = address(l.SrcIP), address(l.DstIP)
		case *layers.IPv6Fragment:
			id := fragmentID{src, dst, l.Identification}
			return p, l.NextHeader == layers.IPProtocolUDP && p.fragment(parts, id, int(l.FragmentOffset)*8, l.MoreFragments, l.Payload)
		case *layers.UDP:
			p.Source = netip.AddrPortFrom(src, uint16(l.SrcPort))
			p.Destination = netip.AddrPortFrom(dst, uint16(l.DstPort))
			p.Payload = l.Payload
			return p, true
		}
	}
	return p, false
}

func address(ip []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(ip)
	return a.Unmap()
}

// fragmentID is what the fragments of one datagram have in common.
type fragmentID struct {
	src, dst netip.Addr
	id       uint32
}

type part struct {
	offset int
	data   []byte
	number int
	more   bool
}

// assembler keeps the fragments of datagrams that are not complete.
type assembler map[fragmentID][]part

// fragment adds a part to its datagram. When it was the last one missing, p is the whole; until then the ports are
// known only if the first has come. It is always true: a fragment of UDP is worth a word.
func (p *Packet) fragment(parts assembler, id fragmentID, offset int, more bool, data []byte) bool {
	p.Fragment, p.Incomplete = true, true
	all := append(parts[id], part{offset, data, p.Number, more})
	slices.SortStableFunc(all, func(a, b part) int { return a.offset - b.offset })
	parts[id] = all
	if first := all[0]; first.offset == 0 && len(first.data) >= udpHeader {
		p.Source = netip.AddrPortFrom(id.src, binary.BigEndian.Uint16(first.data))
		p.Destination = netip.AddrPortFrom(id.dst, binary.BigEndian.Uint16(first.data[2:]))
	} else {
		p.Source, p.Destination = netip.AddrPortFrom(id.src, 0), netip.AddrPortFrom(id.dst, 0)
	}
	var whole []byte
	for _, f := range all {
		if f.offset != len(whole) {
			return true
		}
		whole = append(whole, f.data...)
		p.Parts = append(p.Parts, f.number)
	}
	if all[len(all)-1].more || len(whole) < udpHeader {
		return true
	}
	delete(parts, id)
	p.Incomplete = false
	p.Payload = whole[udpHeader:]
	if n := int(binary.BigEndian.Uint16(whole[4:])); n >= udpHeader && n <= len(whole) {
		p.Payload = whole[udpHeader:n]
	}
	return true
}
