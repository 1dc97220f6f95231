// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/sipsteer/sipsteer/bpf"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

const (
	empty    = "empty program"
	l4Full   = "L4 reference: decision, IPIP, undoing"
	undoOnly = "L4 reference: undoing alone"
)

const (
	xdpDrop = 1
	xdpPass = 2
	xdpTX   = 3
)

func measured(ref *ReferenceObjects, ours map[string]*bpf.SteerObjects) []*subject {
	bye := steertest.Request("BYE").String()
	at := strings.Index(bye, steertest.CallID)
	frame := func(dst netip.AddrPort, payload string) []byte {
		return steertest.Packet{Src: steertest.Client, Dst: dst, Payload: payload}.Frame()
	}
	byeFrame := frame(steertest.VIP, bye)
	other := frame(netip.MustParseAddrPort("192.0.2.99:9"), bye)
	near := frame(netip.AddrPortFrom(netip.MustParseAddr("192.0.2.99"), steertest.VIP.Port()), bye)
	invite := steertest.Request("INVITE").Set("To", "<sip:bob@example.com>").String()
	response := steertest.Response("SIP/2.0 200 OK").String()
	all := []*subject{
		{name: empty, prog: ref.Empty, frame: byeFrame, action: xdpPass},
		{name: "L4 reference: decision alone", prog: ref.L4Decide, frame: byeFrame, action: xdpTX},
		{name: l4Full, prog: ref.L4Full, frame: byeFrame, action: xdpTX},
		{name: undoOnly, prog: ref.UndoOnly, frame: byeFrame, action: xdpTX},
		{name: "not ours, port of no service", prog: ours["l2"].Sipsteer, frame: other, action: xdpPass},
		{name: "not ours, port of a service", prog: ours["l2"].Sipsteer, frame: near, action: xdpPass},
		{name: fmt.Sprintf("pinned BYE of %d B, Call-ID at %d, local", len(bye), at), prog: ours["local"].Sipsteer, frame: byeFrame, action: xdpPass},
		{name: "the same, l2", prog: ours["l2"].Sipsteer, frame: byeFrame, action: xdpTX},
		{name: "pinned 200 to INVITE, l2", prog: ours["l2"].Sipsteer, frame: frame(steertest.VIP, response), action: xdpTX},
		{name: "initial INVITE, up", prog: ours["l2"].Sipsteer, frame: frame(steertest.VIP, invite), action: xdpPass},
		{name: "RTP to the VIP, dropped", prog: ours["l2"].Sipsteer, frame: frame(steertest.VIP, "\x80\x00"+strings.Repeat("v", 170)), action: xdpDrop},
	}
	for _, offset := range []int{100, 500, 1000, 2000, 3000, 3900} {
		all = append(all, &subject{
			name: fmt.Sprintf("pinned BYE, Call-ID at %d, l2", offset), prog: ours["l2"].Sipsteer, frame: frame(steertest.VIP, byeAt(offset)),
			action: xdpTX,
		})
	}
	return all
}

// byeAt returns a BYE whose Call-ID stands at offset, behind lines of 50 bytes.
func byeAt(offset int) string {
	head := "BYE sip:a@b SIP/2.0\r\nTo: <sip:a@b>;tag=1\r\n"
	filler := strings.Repeat("X-Filler: "+strings.Repeat("f", 38)+"\r\n", (offset-len(head)-20)/50)
	rest := offset - len(head) - len(filler) - len("X: \r\nCall-ID: ")
	return head + filler + "X: " + strings.Repeat("x", rest) + "\r\nCall-ID: " + steertest.CallID + "\r\nCSeq: 2 BYE\r\n\r\n"
}

func bigEndian(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

func fillReference(ref *ReferenceObjects) error {
	vip, client := steertest.VIP.Addr().As4(), steertest.Client.Addr().As4()
	key := ReferenceVipKey{Addr: vip, Port: bigEndian(steertest.VIP.Port()), Protocol: 17}
	flow := ReferenceFlow{
		Src: client, Dst: vip, SrcPort: bigEndian(steertest.Client.Port()), DstPort: bigEndian(steertest.VIP.Port()), Protocol: 17,
	}
	if err := ref.Vips.Put(key, uint32(1)); err != nil {
		return fmt.Errorf("setting the VIP: %w", err)
	}
	if err := ref.Flows.Put(flow, uint32(1)); err != nil {
		return fmt.Errorf("setting the flow: %w", err)
	}
	if err := ref.Reals.Put(uint32(1), ReferenceReal{Addr: [4]uint8{10, 0, 0, 2}, Mac: steertest.WorkerMAC}); err != nil {
		return fmt.Errorf("setting the real: %w", err)
	}
	return nil
}

// loadOurs loads the program with one worker, reached that way, and a pin to it. The local worker's port is the
// service's own, so that each round meets the same packet.
func loadOurs(way string, pins int) (*bpf.SteerObjects, error) {
	spec, err := bpf.LoadSteer()
	if err != nil {
		return nil, fmt.Errorf("reading the BPF object: %w", err)
	}
	spec.Maps["pins"].MaxEntries = uint32(pins)
	k0, k1 := steertest.Secret.Halves()
	var objs bpf.SteerObjects
	if err := spec.LoadAndAssign(&objs, nil); err != nil {
		return nil, fmt.Errorf("loading the program: %w", err)
	}
	worker := bpf.SteerWorker{Forward: bpf.SteerForwardFORWARD_LOCAL, Port: bigEndian(steertest.VIP.Port())}
	if way == "l2" {
		worker = bpf.SteerWorker{
			Forward: bpf.SteerForwardFORWARD_L2, Mtu: 9000, Ifindex: steertest.IngressIndex, DstMac: steertest.WorkerMAC, SrcMac: steertest.OwnMAC,
		}
	}
	service := bpf.SteerServiceKey{Addr: steertest.VIP.Addr().As16(), Port: bigEndian(steertest.VIP.Port())}
	key := bpf.SteerPinKey{Hash: steertest.Secret.Key([]byte(steertest.CallID))}
	pin := bpf.SteerPin{Worker: 1, State: bpf.SteerPinStateSTATE_CONFIRMED, Cseq: 1, Method: uint8(steer.MethodInvite)}
	for _, put := range []func() error{
		func() error {
			return objs.Services.Put(service, bpf.SteerService{
				Id: 1, Kind: bpf.SteerServiceKindSERVICE_VIP, Secret: [2]uint64{k0, k1}, Keys: steertest.Secret.HashKeys(),
			})
		},
		func() error {
			return objs.ServicePorts.Put(uint32(service.Port)/64, uint64(1)<<(service.Port%64))
		},
		func() error { return objs.Workers.Put(uint32(1), worker) },
		func() error { return objs.Pins.Put(key, pin) },
	} {
		if err := put(); err != nil {
			objs.Close()
			return nil, fmt.Errorf("filling the maps: %w", err)
		}
	}
	return &objs, nil
}
