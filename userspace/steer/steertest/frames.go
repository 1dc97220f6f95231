// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// ways are those that each form of a frame is sent by.
var ways = map[uint32]string{
	WorkerLocal: "local", WorkerTX: "l2 back", WorkerRedirect: "l2 onward", WorkerTagged: "l2 with tags",
	WorkerIPIP4: "ipip over IPv4", WorkerIPIP6: "ipip over IPv6", WorkerGUE4: "gue over IPv4", WorkerGUE6: "gue over IPv6",
}

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
		{"IPv4 behind a service and a customer tag", set(v4, func(p *Packet) { p.VLAN, p.InnerVLAN = 0x88a8, 0x8100 })},
		{"IPv6 behind two customer tags", set(v6, func(p *Packet) { p.VLAN, p.InnerVLAN = 0x8100, 0x8100 })},
		{"IPv6 behind two service tags", set(v6, func(p *Packet) { p.VLAN, p.InnerVLAN = 0x88a8, 0x88a8 })},
		{"IPv6 behind a customer and a service tag", set(v6, func(p *Packet) { p.VLAN, p.InnerVLAN = 0x8100, 0x88a8 })},
		{"UDP checksum 0 stays 0", set(v4, func(p *Packet) { p.NoChecksum = true })},
		{"DSCP and ECN", set(v4, func(p *Packet) { p.TOS = 0xb9 })},
		{"DSCP and ECN in IPv6", set(v6, func(p *Packet) { p.TOS = 0x6b })},
		{"do not fragment", set(v4, func(p *Packet) { p.Fragment = 0x4000 })},
		{"padding behind the packet", set(v4, func(p *Packet) { p.Trailer = 30 })},
		{"payload longer than the scan", set(v4, func(p *Packet) { p.Payload += strings.Repeat("x", 2000) })},
	} {
		for worker, way := range ways {
			pin := Pin(worker)
			c := newCase(s.name+" to "+way, s.p, &pin).steered(s.p)
			c.WantPin.Requests = 1
			cases = append(cases, c)
		}
	}
	cases = append(cases, checksumCases(info)...)
	cases = append(cases, extensionCases(v6)...)

	for _, s := range []struct {
		name string
		p    Packet
		o    steer.Outcome
	}{
		{"another address", set(v4, func(p *Packet) { p.Dst = netip.MustParseAddrPort("192.0.2.11:5060") }), steer.PassNotOurs},
		{"another port", set(v4, func(p *Packet) { p.Dst = netip.MustParseAddrPort("192.0.2.10:5061") }), steer.PassNotOurs},
		{"TCP", set(v4, func(p *Packet) { p.Protocol = 6 }), steer.PassNotOurs},
		{"TCP over IPv6", set(v6, func(p *Packet) { p.NextHeader = 6 }), steer.PassNotOurs},
		{"cut in its second VLAN tag", set(v4, func(p *Packet) { p.VLAN, p.InnerVLAN, p.Cut = 0x88a8, 0x8100, len(info)+8+20+2 }), steer.PassNotOurs},
		{"IPv4 cut in its header", set(v4, func(p *Packet) { p.Cut = len(info) + 20 }), steer.PassNotOurs},
		{"IPv6 cut in its header", set(v6, func(p *Packet) { p.Cut = len(info) + 20 }), steer.PassNotOurs},
		{"UDP cut in its header", set(v4, func(p *Packet) { p.Cut = len(info) + 2 }), steer.PassNotOurs},
		{"IPv4 options", set(v4, func(p *Packet) { p.Options = true }), steer.PassIPOptions},
		{"first fragment", set(v4, func(p *Packet) { p.Fragment = 0x2000 }), steer.PassFragment},
		{"last fragment", set(v4, func(p *Packet) { p.Fragment = 0x00b9 }), steer.PassFragment},
		{"IPv6 fragment", set(v6, func(p *Packet) { p.NextHeader = 44 }), steer.PassFragment},
		{"to the port of a local worker", set(v4, func(p *Packet) { p.Dst = netip.AddrPortFrom(VIP.Addr(), LocalPort) }), steer.DropWorkerPort},
		{"to the port of a local worker, IPv6", set(v6, func(p *Packet) { p.Dst = netip.AddrPortFrom(VIP6.Addr(), LocalPort) }), steer.DropWorkerPort},
		{"UDP length below its header", set(v4, func(p *Packet) { p.UDPLength = 7 }), steer.DropBadLength},
		{"UDP length beyond the frame", set(v4, func(p *Packet) { p.Cut = 1 }), steer.DropBadLength},
		{"IP packet beyond the frame", set(v4, func(p *Packet) { p.IPLength = 20 + 8 + len(info) + 1 }), steer.DropBadLength},
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

// extensionCases are about IPv6 extension headers: those walked over, and those that are not.
func extensionCases(v6 Packet) []Case {
	const hopByHop, routing, fragment, esp, auth, destination, mobility = 0, 43, 44, 50, 51, 60, 135
	with := func(e ...Extension) Packet { p := v6; p.Extensions = e; return p }
	ends := func(p Packet, next uint16) Packet { p.NextHeader = next; return p }
	options := Extension{Kind: destination}
	var cases []Case
	for _, s := range []struct {
		name string
		p    Packet
	}{
		{"hop-by-hop options", with(Extension{Kind: hopByHop})},
		{"destination options", with(options)},
		{"a route that ends here", with(Extension{Kind: routing, Units: 2})},
		{"four extension headers, the longest", with(Extension{Kind: hopByHop, Units: 31}, Extension{Kind: destination, Units: 31}, Extension{Kind: routing, Units: 31}, Extension{Kind: destination, Units: 31})},
	} {
		for worker, way := range ways {
			pin := Pin(worker)
			c := newCase(s.name+" to "+way, s.p, &pin).steered(s.p)
			c.WantPin.Requests = 1
			cases = append(cases, c)
		}
	}
	tagged := with(options)
	tagged.VLAN, tagged.InnerVLAN = 0x88a8, 0x8100
	pin := Pin(WorkerLocal)
	c := newCase("destination options behind two tags", tagged, &pin).steered(tagged)
	c.WantPin.Requests = 1
	cases = append(cases, c)
	short, cut, stump, toWorker := with(options), with(Extension{Kind: destination, Units: 2}), with(options), with(options)
	short.IPLength = 8 + len(v6.Payload)
	cut.Cut = len(v6.Payload) + 8 + 10
	stump.Cut = len(v6.Payload) + 8 + 4
	toWorker.Dst = netip.AddrPortFrom(VIP6.Addr(), LocalPort)
	for _, s := range []struct {
		name string
		p    Packet
		o    steer.Outcome
	}{
		{"a route that goes on", with(Extension{Kind: routing, Units: 2, SegmentsLeft: 1}), steer.PassIPv6Ext},
		{"five extension headers", with(options, options, options, options, options), steer.PassIPv6Ext},
		{"an extension header too long", with(Extension{Kind: destination, Units: 32}), steer.PassIPv6Ext},
		{"hop-by-hop options that are not first", with(options, Extension{Kind: hopByHop}), steer.PassIPv6Ext},
		{"authentication header", ends(v6, auth), steer.PassIPv6Ext},
		{"authentication header behind options", ends(with(options), auth), steer.PassIPv6Ext},
		{"mobility header", ends(v6, mobility), steer.PassIPv6Ext},
		{"fragment behind options", ends(with(options), fragment), steer.PassFragment},
		{"ESP", ends(v6, esp), steer.PassNotOurs},
		{"ICMPv6 behind options", ends(with(Extension{Kind: hopByHop}), 58), steer.PassNotOurs},
		{"an extension header beyond the frame", cut, steer.PassNotOurs},
		{"an extension header cut in its first bytes", stump, steer.PassIPv6Ext},
		{"an extension header without room in the packet", short, steer.DropBadLength},
		{"to the port of a local worker, behind options", toWorker, steer.DropWorkerPort},
	} {
		pin := Pin(WorkerLocal)
		cases = append(cases, newCase(s.name, s.p, &pin).stopped(s.o))
	}
	return cases
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
