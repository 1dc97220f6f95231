// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"encoding/binary"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// The generic netlink family netdev, from Linux 6.3 on (include/uapi/linux/netdev.h).
const (
	netdevFamily      = "netdev"
	netdevCmdDevGet   = 1
	netdevAIfindex    = 1
	netdevAXDPFeature = 3
)

// genlHeader is command, version and two reserved bytes. The library's own leaves in these what stood in memory, which
// the kernel refuses.
type genlHeader [4]byte

func (genlHeader) Len() int            { return 4 }
func (h genlHeader) Serialize() []byte { return h[:] }

// xdpFeatures asks the kernel what the driver of an interface can do; nil when the kernel does not tell.
func xdpFeatures(ifindex int) *uint64 {
	family, err := netlink.GenlFamilyGet(netdevFamily)
	if err != nil {
		return nil
	}
	req := nl.NewNetlinkRequest(int(family.ID), 0)
	req.AddData(genlHeader{netdevCmdDevGet, uint8(family.Version)})
	req.AddData(nl.NewRtAttr(netdevAIfindex, nl.Uint32Attr(uint32(ifindex))))
	answers, err := req.Execute(unix.NETLINK_GENERIC, 0)
	if err != nil || len(answers) == 0 || len(answers[0]) < nl.SizeofGenlmsg {
		return nil
	}
	attrs, err := nl.ParseRouteAttr(answers[0][nl.SizeofGenlmsg:])
	if err != nil {
		return nil
	}
	for _, a := range attrs {
		if a.Attr.Type == netdevAXDPFeature && len(a.Value) >= 8 {
			bits := binary.NativeEndian.Uint64(a.Value)
			return &bits
		}
	}
	return nil
}
