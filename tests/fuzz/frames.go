// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net/netip"

	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// maxPayload keeps frames within what a jumbo frame carries.
const maxPayload = 8900

// packet puts the message into a packet that a service gets, by IPv4 or IPv6.
func (m mutator) packet(payload string) steertest.Packet {
	if m.IntN(4) == 0 {
		return steertest.Packet{Src: steertest.Client6, Dst: steertest.VIP6, Payload: payload, NoChecksum: m.IntN(4) == 0}
	}
	return steertest.Packet{Src: steertest.Client, Dst: steertest.VIP, Payload: payload, NoChecksum: m.IntN(4) == 0}
}

// bend changes the layers below SIP.
func (m mutator) bend(p steertest.Packet) []byte {
	for range 1 + m.IntN(3) {
		m.bendField(&p)
	}
	if room := len(p.Frame()) + p.Cut - 14; p.Cut > room {
		p.Cut = room
	}
	f := p.Frame()
	for range m.IntN(3) {
		f[m.IntN(min(len(f), 80))] ^= 1 << m.IntN(8)
	}
	return f
}

func (m mutator) bendField(p *steertest.Packet) {
	tags := []uint16{0x8100, 0x88a8, 0x9100, 0x0800, 0x86dd}
	switch m.IntN(13) {
	case 0:
		p.VLAN = tags[m.IntN(len(tags))]
	case 1:
		p.VLAN, p.InnerVLAN = tags[m.IntN(2)], tags[m.IntN(len(tags))]
	case 2:
		p.Options = true
	case 3:
		p.Fragment = []uint16{0x2000, 0x4000, 0x8000, 1, 0x1fff, uint16(m.Uint32())}[m.IntN(6)]
	case 4:
		p.NextHeader = []uint16{steertest.HopByHop, 6, 43, 44, 50, 51, 59, 60, 135, uint16(m.IntN(256))}[m.IntN(10)]
	case 5:
		p.Protocol = uint8(m.IntN(256))
	case 6:
		p.UDPLength = m.near(8 + len(p.Payload))
	case 7:
		p.IPLength = m.near(28 + len(p.Payload))
	case 8:
		p.Trailer = m.IntN(64)
	case 9:
		p.Cut = m.IntN(40 + len(p.Payload))
	case 10:
		p.Dst = netip.AddrPortFrom(p.Dst.Addr(), []uint16{5061, steertest.LocalPort, 0}[m.IntN(3)])
	case 11, 12:
		p.Src, p.Dst, p.Extensions = steertest.Client6, steertest.VIP6, m.extensions()
	}
}

// extensions are headers between IPv6 and UDP, most of them such as are walked over.
func (m mutator) extensions() (all []steertest.Extension) {
	kinds := []byte{0, 60, 60, 60, 43, 43, 44, 51, 135}
	for range 1 + m.IntN(5) {
		e := steertest.Extension{Kind: kinds[m.IntN(len(kinds))], Units: byte(m.IntN(3))}
		if m.IntN(8) == 0 {
			e.Units, e.SegmentsLeft = byte(28+m.IntN(8)), byte(m.IntN(3))
		}
		all = append(all, e)
	}
	return all
}

// near is a length close to the right one, or to nothing.
func (m mutator) near(n int) int {
	if m.IntN(2) == 0 {
		return m.IntN(40)
	}
	return max(1, n+m.IntN(41)-20)
}
