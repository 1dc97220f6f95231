// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"net/netip"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Now is the time that the twin gives to what a packet changes; the kernel's own is mapped to it by Settle.
const Now = 1_000_000

// IngressIndex is the interface that packets come in by: the loopback of a network namespace, which test runs use.
const IngressIndex = 1

// The one Call-ID that has a pin in most cases, and the addresses of its service, of another, and of a client.
var (
	CallID  = "3848276298220188511@atlanta.example.com"
	VIP     = netip.MustParseAddrPort("192.0.2.10:5060")
	Direct  = netip.MustParseAddrPort("192.0.2.30:5060") // of the service with policy direct
	Direct6 = netip.MustParseAddrPort("[2001:db8::30]:5060")
	Other   = netip.MustParseAddrPort("192.0.2.20:5060")
	VIP6    = netip.MustParseAddrPort("[2001:db8::10]:5060")
	Client  = netip.MustParseAddrPort("198.51.100.7:5062")
	Client6 = netip.MustParseAddrPort("[2001:db8:1::7]:5062")
	Secret  = steer.Secret{0x13, 0x37, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5, 7: 6, 8: 7, 9: 8, 10: 9, 11: 10, 12: 11, 13: 12, 14: 13, 15: 0xfe}
)

// Ids of the workers.
const (
	WorkerLocal    = 1
	WorkerTX       = 2
	WorkerRedirect = 3
	WorkerDown     = 4
	WorkerUnknown  = 5
	WorkerTagged   = 6 // the others have tags or tunnels
	WorkerIPIP4    = 7
	WorkerIPIP6    = 8
	WorkerGUE4     = 9
	WorkerGUE6     = 10
	WorkerNarrow4  = 11 // ipip over IPv4 where 1500 bytes go through
	WorkerNarrow6  = 12 // gue over IPv6 where 1280 bytes go through
	WorkerNarrowL2 = 13 // where 1500 bytes go through
)

// DirectID is the id of the service with policy direct.
const DirectID = 3

// DirectSecret keys its Call-IDs.
var DirectSecret = Secret.Service("direct")

// DirectSlots is its Maglev table, so small that a Call-ID is easily found for each worker.
var DirectSlots = []uint32{WorkerLocal, WorkerTX, WorkerRedirect, WorkerDown, WorkerUnknown, WorkerTX, WorkerLocal}

// LocalPort is the port of the local worker.
const LocalPort = 40001

// MACs that the l2 workers' frames get.
var (
	WorkerMAC = steer.MAC{2, 0, 0, 0, 1, 1}
	OwnMAC    = steer.MAC{2, 0, 0, 0, 1, 2}
)

// The outer addresses of tunnels. A source with spread has zeros there.
var (
	Tunnel4, Tunnel6 = netip.MustParseAddr("203.0.113.21"), netip.MustParseAddr("2001:db8:2::21")
	Source4, Source6 = netip.MustParseAddr("10.9.0.0"), netip.MustParseAddr("2001:db8:2::1:0")
)

// GUEPort is where gue tunnels end.
const GUEPort = 6080

// Services returns the services of every case.
func Services() map[netip.AddrPort]steer.Service {
	direct := steer.Service{
		ID: DirectID, Kind: steer.ServiceVIP, Policy: steer.PolicyDirect, Secret: DirectSecret,
		Slots: uint32(len(DirectSlots)), NewPinNS: 1000, // no case is to meet the bound
	}
	return map[netip.AddrPort]steer.Service{
		VIP:     {ID: 1, Kind: steer.ServiceVIP, Secret: Secret},
		VIP6:    {ID: 1, Kind: steer.ServiceVIP, Secret: Secret},
		Other:   {ID: 2, Kind: steer.ServiceVIP, Secret: Secret.Service("other")},
		Direct:  direct,
		Direct6: direct,

		VIPSpent: {ID: ServiceSpent, Kind: steer.ServiceVIP, Secret: Secret},

		netip.AddrPortFrom(VIP.Addr(), LocalPort):  {ID: 1, Kind: steer.ServiceWorkerPort},
		netip.AddrPortFrom(VIP6.Addr(), LocalPort): {ID: 1, Kind: steer.ServiceWorkerPort},
	}
}

// Workers returns the workers of every case.
func Workers() map[uint32]steer.Worker {
	return map[uint32]steer.Worker{
		WorkerLocal:    {Forward: steer.ForwardLocal, Port: LocalPort},
		WorkerTX:       {Forward: steer.ForwardL2, IfIndex: IngressIndex, DstMAC: WorkerMAC, SrcMAC: OwnMAC},
		WorkerRedirect: {Forward: steer.ForwardL2, IfIndex: 77, DstMAC: WorkerMAC, SrcMAC: OwnMAC},
		WorkerDown:     {},
		WorkerTagged:   remote(steer.Worker{Forward: steer.ForwardL2, IfIndex: 77, Tags: [2]steer.VLANTag{{Protocol: 0x88a8, Tag: 7}, {Protocol: 0x8100, Tag: 0x6009}}}),
		WorkerIPIP4:    remote(steer.Worker{Forward: steer.ForwardIPIP, IfIndex: IngressIndex, MTU: 9000, Src: Source4, Dst: Tunnel4}),
		WorkerIPIP6:    remote(steer.Worker{Forward: steer.ForwardIPIP, IfIndex: 77, MTU: 9000, Src: Source6, Dst: Tunnel6, Spread: 0xffff, Tags: [2]steer.VLANTag{{Protocol: 0x8100, Tag: 5}}}),
		WorkerGUE4:     remote(steer.Worker{Forward: steer.ForwardGUE, IfIndex: IngressIndex, MTU: 9000, Src: Source4, Dst: Tunnel4, Port: GUEPort, Spread: 0x0fff, Tags: [2]steer.VLANTag{{Protocol: 0x88a8, Tag: 5}, {Protocol: 0x8100, Tag: 6}}}),
		WorkerGUE6:     remote(steer.Worker{Forward: steer.ForwardGUE, IfIndex: 77, MTU: 9000, Src: Source6, Dst: Tunnel6, Port: 16080}),
		WorkerNarrow4:  remote(steer.Worker{Forward: steer.ForwardIPIP, IfIndex: 77, MTU: 1500, Src: Source4, Dst: Tunnel4}),
		WorkerNarrow6:  remote(steer.Worker{Forward: steer.ForwardGUE, IfIndex: 77, MTU: 1280, Src: Source6, Dst: Tunnel6, Port: GUEPort}),
		WorkerNarrowL2: remote(steer.Worker{Forward: steer.ForwardL2, IfIndex: 77, MTU: 1500}),
	}
}

func remote(w steer.Worker) steer.Worker {
	w.DstMAC, w.SrcMAC = WorkerMAC, OwnMAC
	return w
}

// Tables returns the tables of every case, with one pin for the twin to change; nil for none.
func Tables(key steer.Key, pin *steer.Pin) steer.Tables {
	services, workers := Services(), Workers()
	return steer.Tables{
		Service: func(a netip.AddrPort) (steer.Service, bool) { s, ok := services[a]; return s, ok },
		Worker:  func(id uint32) (steer.Worker, bool) { w, ok := workers[id]; return w, ok },
		Pin: func(k steer.Key) *steer.Pin {
			if k == key {
				return pin
			}
			return nil
		},
		Direct: steer.DirectTables{
			Add:    func(steer.Key, steer.Pin) bool { return true },
			Choose: func(_ steer.Service, k steer.Key) uint32 { return DirectSlots[k.Slot(uint32(len(DirectSlots)))] },
			MayPin: func(netip.Addr, steer.Service, uint64) (bool, steer.DirectEvent) { return true, 0 },
			Count:  func(steer.DirectEvent) {},
		},
		Sources: sources(),
		NowNS:   Now,

		PartialChecksums: true,
	}
}

// Settle returns the pin with every time that a packet changed set to Now, so that clocks do not matter.
func Settle(before, after steer.Pin) steer.Pin {
	settle := func(was uint64, is *uint64) {
		if *is != was && *is != 0 {
			*is = Now
		}
	}
	settle(before.StartNS, &after.StartNS)
	settle(before.RingNS, &after.RingNS)
	settle(before.AnswerNS, &after.AnswerNS)
	settle(before.EndNS, &after.EndNS)
	settle(before.SeenNS, &after.SeenNS)
	return after
}

// Pin returns an early pin of an INVITE to the worker.
func Pin(worker uint32) steer.Pin {
	return steer.Pin{Worker: worker, State: steer.StateEarly, CSeq: 2, Service: 1, Method: steer.MethodInvite, StartNS: 500, SeenNS: 500}
}
