// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"strings"
)

// XDP features of a driver (include/uapi/linux/netdev.h).
const (
	xdpBasic    = 1 << 0 // pass, drop, TX
	xdpRedirect = 1 << 1
	xdpTransmit = 1 << 2 // takes frames redirected to it
	xdpRxFrags  = 1 << 5
)

// plainMTU is what a frame of one page holds, headers and XDP's own room taken off.
const plainMTU = 3498

func diagnoseInterface(f Facts, i Interface) []Finding {
	if i.Missing {
		return one(Finding{
			Check: "interface", Interface: i.Name, Status: Fail, Found: "there is none of this name",
			Why: "sipsteer cannot attach to it", Mend: "ip -brief link",
		})
	}
	var out []Finding
	for _, check := range []func(Facts, Interface) *Finding{
		state, driver, attached, frames, offloads, vlan, rings, channels, reversePath,
	} {
		if x := check(f, i); x != nil {
			x.Interface = i.Name
			out = append(out, *x)
		}
	}
	return out
}

func state(_ Facts, i Interface) *Finding {
	if i.Up {
		return &Finding{Check: "link", Status: OK, Found: fmt.Sprintf("up, MTU %d", i.MTU)}
	}
	return &Finding{
		Check: "link", Status: Fail, Found: "down", Why: "no packet comes in", Mend: "ip link set " + i.Name + " up",
	}
}

func driver(f Facts, i Interface) *Finding {
	name := i.Driver
	if name == "" {
		name = "this " + i.Kind
	}
	switch {
	case f.off():
		return nil
	case i.XDP == nil:
		return &Finding{Check: "driver", Status: Note, Found: name + "; it does not tell what XDP it has (drivers do from Linux 6.3 on)"}
	case *i.XDP&xdpBasic == 0:
		x := &Finding{Check: "driver", Status: Warn, Found: name + " has no XDP of its own", Why: "packets are steered behind the driver (generic), at a fraction of the speed"}
		if f.Mode == "native" {
			x.Status, x.Why = Fail, "datapath.mode is native"
			x.Mend = "datapath: {mode: auto}"
		}
		return x
	case *i.XDP&xdpRedirect == 0:
		return &Finding{Check: "driver", Status: Warn, Found: name + " has XDP without redirect", Why: "workers behind other interfaces cannot be reached from the kernel"}
	}
	return &Finding{Check: "driver", Status: OK, Found: name + " has XDP: " + featureNames(*i.XDP)}
}

func featureNames(bits uint64) string {
	var names []string
	for _, f := range []struct {
		bit  uint64
		name string
	}{{xdpBasic, "basic"}, {xdpRedirect, "redirect"}, {xdpTransmit, "transmit"}, {xdpRxFrags, "multi-buffer"}} {
		if bits&f.bit != 0 {
			names = append(names, f.name)
		}
	}
	return strings.Join(names, ", ")
}

func attached(f Facts, i Interface) *Finding {
	switch {
	case i.Attached == "":
		return &Finding{Check: "XDP program", Status: OK, Found: "none attached"}
	case i.Attached == "generic" && i.XDP != nil && *i.XDP&xdpBasic != 0 && f.Mode != "generic":
		return &Finding{
			Check: "XDP program", Status: Warn, Found: "attached in generic mode",
			Why: "the driver could run it, several times faster", Mend: "datapath: {mode: native}, then restart sipsteer and read what it says",
		}
	}
	return &Finding{Check: "XDP program", Status: OK, Found: "attached (" + i.Attached + ")"}
}

func frames(f Facts, i Interface) *Finding {
	if f.off() || i.MTU <= plainMTU || i.XDP == nil || *i.XDP&xdpBasic == 0 || *i.XDP&xdpRxFrags != 0 {
		return nil
	}
	return &Finding{
		Check: "MTU", Status: Warn, Found: fmt.Sprintf("%d, and the driver has no multi-buffer XDP", i.MTU),
		Why: "it may refuse the program in native mode", Mend: fmt.Sprintf("ip link set %s mtu %d", i.Name, 1500),
	}
}

// offloads looks for what merges packets before XDP sees them, which native XDP and steering by packet do not go with.
func offloads(f Facts, i Interface) *Finding {
	if i.Features == nil || f.off() {
		return nil
	}
	for _, name := range []string{"rx-lro", "rx-gro-hw"} {
		if i.Features[name] {
			return &Finding{
				Check: "offloads", Status: Warn, Found: name + " is on", Why: "many drivers refuse XDP while it is",
				Mend: "ethtool -K " + i.Name + " " + name + " off",
			}
		}
	}
	if i.Kind == "veth" && i.Features["tx-checksum-ip-generic"] {
		return &Finding{
			Check: "offloads", Status: Note, Found: "a veth with tx checksum offload",
			Why: "what its host sends leaves with partial checksums; a worker behind XDP would drop it", Mend: "ethtool -K " + i.Name + " tx off",
		}
	}
	return &Finding{Check: "offloads", Status: OK, Found: "nothing that merges packets before XDP"}
}

func vlan(f Facts, i Interface) *Finding {
	if f.off() || i.Kind != "device" || !i.Features["rx-vlan-hw-parse"] {
		return nil
	}
	return &Finding{
		Check: "VLAN tags", Status: Note, Found: "the card takes tags off before XDP sees them",
		Why: "on a trunk port, services of all VLANs look alike to the program", Mend: "ethtool -K " + i.Name + " rxvlan off",
	}
}

func rings(_ Facts, i Interface) *Finding {
	if i.Rings == nil || i.Rings.Max == 0 {
		return nil
	}
	x := &Finding{Check: "receive ring", Status: OK, Found: fmt.Sprintf("%d of %d descriptors", i.Rings.Now, i.Rings.Max)}
	if i.Rings.Now < 1024 && i.Rings.Now < i.Rings.Max {
		x.Status, x.Why = Warn, "a burst overruns a short ring"
		x.Mend = fmt.Sprintf("ethtool -G %s rx %d", i.Name, min(i.Rings.Max, 4096))
	}
	return x
}

func channels(_ Facts, i Interface) *Finding {
	if i.Channels == nil || i.Channels.Max == 0 {
		return nil
	}
	x := &Finding{Check: "queues", Status: OK, Found: fmt.Sprintf("%d of %d in use", i.Channels.Now, i.Channels.Max)}
	if i.Channels.Now == 1 && i.Channels.Max > 1 {
		x.Status, x.Why = Warn, "one core does all the steering"
		x.Mend = fmt.Sprintf("ethtool -L %s combined %d", i.Name, i.Channels.Max)
	}
	return x
}

// reversePath: with direct server return, what goes up to the stack may come from where the host would not send to.
func reversePath(f Facts, i Interface) *Finding {
	if i.RPFilter == nil {
		return nil
	}
	mode := *i.RPFilter
	if f.RPFilterAll != nil {
		mode = max(mode, *f.RPFilterAll)
	}
	x := &Finding{Check: "rp_filter", Status: OK, Found: fmt.Sprintf("%d", mode)}
	if mode == 1 {
		x.Status, x.Found = Warn, "1 (strict)"
		x.Why = "requests that come in by another way than their answers leave are dropped without a word"
		x.Mend = fmt.Sprintf("sysctl -w net/ipv4/conf/all/rp_filter=2 net/ipv4/conf/%s/rp_filter=2", i.Name)
	}
	return x
}
