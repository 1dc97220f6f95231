// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// frameCases are about the layers below SIP, and forwarding.
func frameCases() []Case {
	info := Request("INFO").String()
	v4 := toVIP(info)
	v6 := Packet{Src: Client6, Dst: VIP6, Payload: info}
	set := func(p Packet, f func(*Packet)) Packet { f(&p); return p }

	var cases []Case
	for _, s := range []struct {
		name string
		p    Packet
	}{
		{"IPv4", v4},
		{"IPv6", v6},
		{"IPv4 behind a VLAN tag", set(v4, func(p *Packet) { p.VLAN = 0x8100 })},
		{"IPv6 behind a VLAN tag", set(v6, func(p *Packet) { p.VLAN = 0x8100 })},
		{"IPv4 behind a service tag", set(v4, func(p *Packet) { p.VLAN = 0x88a8 })},
		{"UDP checksum 0 stays 0", set(v4, func(p *Packet) { p.NoChecksum = true })},
		{"do not fragment", set(v4, func(p *Packet) { p.Fragment = 0x4000 })},
		{"padding behind the packet", set(v4, func(p *Packet) { p.Trailer = 30 })},
		{"payload longer than the scan", set(v4, func(p *Packet) { p.Payload += strings.Repeat("x", 2000) })},
	} {
		for worker, way := range map[uint32]string{WorkerLocal: "local", WorkerTX: "l2 back", WorkerRedirect: "l2 onward"} {
			pin := Pin(worker)
			c := newCase(s.name+" to "+way, s.p, &pin).steered(s.p)
			c.WantPin.Requests = 1
			cases = append(cases, c)
		}
	}
	cases = append(cases, checksumCases(info)...)

	for _, s := range []struct {
		name string
		p    Packet
		o    steer.Outcome
	}{
		{"another address", set(v4, func(p *Packet) { p.Dst = netip.MustParseAddrPort("192.0.2.11:5060") }), steer.PassNotOurs},
		{"another port", set(v4, func(p *Packet) { p.Dst = netip.MustParseAddrPort("192.0.2.10:5061") }), steer.PassNotOurs},
		{"TCP", set(v4, func(p *Packet) { p.Protocol = 6 }), steer.PassNotOurs},
		{"TCP over IPv6", set(v6, func(p *Packet) { p.NextHeader = 6 }), steer.PassNotOurs},
		{"two VLAN tags", set(v4, func(p *Packet) { p.VLAN, p.InnerVLAN = 0x88a8, 0x8100 }), steer.PassNotOurs},
		{"IPv4 cut in its header", set(v4, func(p *Packet) { p.Cut = len(info) + 20 }), steer.PassNotOurs},
		{"IPv6 cut in its header", set(v6, func(p *Packet) { p.Cut = len(info) + 20 }), steer.PassNotOurs},
		{"UDP cut in its header", set(v4, func(p *Packet) { p.Cut = len(info) + 2 }), steer.PassNotOurs},
		{"IPv4 options", set(v4, func(p *Packet) { p.Options = true }), steer.PassIPOptions},
		{"first fragment", set(v4, func(p *Packet) { p.Fragment = 0x2000 }), steer.PassFragment},
		{"last fragment", set(v4, func(p *Packet) { p.Fragment = 0x00b9 }), steer.PassFragment},
		{"IPv6 fragment", set(v6, func(p *Packet) { p.NextHeader = 44 }), steer.PassFragment},
		{"IPv6 hop-by-hop options", set(v6, func(p *Packet) { p.NextHeader = HopByHop }), steer.PassIPv6Ext},
		{"IPv6 destination options", set(v6, func(p *Packet) { p.NextHeader = 60 }), steer.PassIPv6Ext},
		{"to the port of a local worker", set(v4, func(p *Packet) { p.Dst = netip.AddrPortFrom(VIP.Addr(), LocalPort) }), steer.DropWorkerPort},
		{"to the port of a local worker, IPv6", set(v6, func(p *Packet) { p.Dst = netip.AddrPortFrom(VIP6.Addr(), LocalPort) }), steer.DropWorkerPort},
		{"UDP length below its header", set(v4, func(p *Packet) { p.UDPLength = 7 }), steer.DropBadLength},
		{"UDP length beyond the frame", set(v4, func(p *Packet) { p.Cut = 1 }), steer.DropBadLength},
		{"UDP length beyond the IP packet", set(v4, func(p *Packet) { p.IPLength = 100 }), steer.DropBadLength},
		{"IP length below its header", set(v4, func(p *Packet) { p.IPLength = 19 }), steer.DropBadLength},
		{"UDP length beyond the IPv6 packet", set(v6, func(p *Packet) { p.IPLength = 100 }), steer.DropBadLength},
	} {
		pin := Pin(WorkerLocal)
		cases = append(cases, newCase(s.name, s.p, &pin).stopped(s.o))
	}

	down, unknown, local := Pin(WorkerDown), Pin(WorkerUnknown), Pin(WorkerLocal)
	return append(cases,
		newCase("no pin", v4, nil).stopped(steer.PassNoPin),
		newCase("a pin at another service", set(v4, func(p *Packet) { p.Dst = Other }), &local).stopped(steer.PassNoPin),
		newCase("worker without a way to it", v4, &down).stopped(steer.PassNoWorker),
		newCase("worker never set", v4, &unknown).stopped(steer.PassNoWorker))
}

// checksumCases meets the checksums next to 0 and 0xffff, where carries show, before and behind the rewrite.
func checksumCases(info string) []Case {
	var cases []Case
	for _, dst := range []uint16{VIP.Port(), LocalPort} {
		// The checksum with source port 1 tells which port makes any other.
		probe := Packet{Src: netip.AddrPortFrom(Client.Addr(), 1), Dst: netip.AddrPortFrom(VIP.Addr(), dst), Payload: info}.Frame()
		sum := int(probe[40])<<8 | int(probe[41])
		for want := -4; want <= 4; want++ {
			p := toVIP(info)
			p.Src = netip.AddrPortFrom(Client.Addr(), uint16((sum+1-want+0xffff)%0xffff))
			pin := Pin(WorkerLocal)
			c := newCase(fmt.Sprintf("checksum %d with port %d", want, dst), p, &pin).steered(p)
			c.WantPin.Requests = 1
			cases = append(cases, c)
		}
	}
	return cases
}
