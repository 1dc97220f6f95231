// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"net"
	"path/filepath"

	"github.com/safchain/ethtool"
	"github.com/vishvananda/netlink"
)

func gatherInterfaces(names []string) []Interface {
	tool, err := ethtool.NewEthtool()
	if err == nil {
		defer tool.Close()
	}
	out := make([]Interface, 0, len(names))
	for _, name := range names {
		out = append(out, gatherInterface(tool, name))
	}
	return out
}

func gatherInterface(tool *ethtool.Ethtool, name string) Interface {
	i := Interface{Name: name}
	l, err := netlink.LinkByName(name)
	if err != nil {
		i.Missing = true
		return i
	}
	a := l.Attrs()
	i.Up, i.Kind, i.MTU = a.Flags&net.FlagUp != 0, l.Type(), a.MTU
	i.XDP = xdpFeatures(a.Index)
	if a.Xdp != nil && a.Xdp.Attached {
		i.Attached = attachModes[a.Xdp.AttachMode]
	}
	i.RPFilter = number(filepath.Join("/proc/sys/net/ipv4/conf", name, "rp_filter"))
	if tool != nil {
		readEthtool(tool, &i)
	}
	return i
}

// attachModes are IFLA_XDP_ATTACHED's values (include/uapi/linux/if_link.h).
var attachModes = map[uint32]string{1: "driver", 2: "generic", 3: "offloaded", 4: "several"}

// readEthtool adds what the driver tells; drivers need not.
func readEthtool(tool *ethtool.Ethtool, i *Interface) {
	if name, err := tool.DriverName(i.Name); err == nil {
		i.Driver = name
	}
	if f, err := tool.Features(i.Name); err == nil {
		i.Features = f
	}
	if r, err := tool.GetRing(i.Name); err == nil {
		i.Rings = &Limit{int(r.RxPending), int(r.RxMaxPending)}
	}
	if c, err := tool.GetChannels(i.Name); err == nil {
		i.Channels = &Limit{int(c.CombinedCount + c.RxCount), int(c.MaxCombined + c.MaxRx)}
	}
}
