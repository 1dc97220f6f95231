// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// A frame of several buffers is steered whole: one program serves small and large MTUs.
func TestFramesOfAnyMTU(t *testing.T) {
	for _, mode := range []Mode{ModeNative, ModeGeneric} {
		for mtu, size := range map[int]int{1500: 900, 9000: 8500} {
			for _, worker := range []uint32{steertest.WorkerLocal, steertest.WorkerTX} {
				t.Run(fmt.Sprintf("%s MTU %d worker %d", mode, mtu, worker), func(t *testing.T) {
					w := newWire(t)
					must(t, netlink.LinkSetMTU(w.near, mtu))
					must(t, netlink.LinkSetMTU(w.far, mtu))
					peer, err := link.AttachXDP(link.XDPOptions{Program: passAll(t), Interface: w.far.Attrs().Index})
					must(t, err)
					defer peer.Close()
					d, err := w.open(t, Config{Mode: mode})
					must(t, err)
					defer d.Detach()
					must(t, d.SetWorker(steertest.WorkerTX, Worker{
						Forward: steer.ForwardL2, IfIndex: uint32(w.near.Attrs().Index), DstMAC: steertest.WorkerMAC, SrcMAC: steertest.OwnMAC,
					}))
					must(t, d.Pins().Put(testKey, steertest.Pin(worker)))
					conn := listen(t)
					must(t, d.Attach())
					bye := steertest.Request("BYE").String()
					bye += strings.Repeat("x", size-len(bye))
					w.send(t, bye)
					if worker == steertest.WorkerTX {
						if frame := w.receive(t, steertest.WorkerMAC); !bytes.HasSuffix(frame, []byte(bye)) {
							t.Errorf("worker got %d bytes", len(frame))
						}
						return
					}
					buf := make([]byte, 1<<16)
					if n, _, err := conn.ReadFromUDPAddrPort(buf); err != nil || string(buf[:n]) != bye {
						t.Fatalf("worker got %d bytes (%v)", n, err)
					}
				})
			}
		}
	}
}
