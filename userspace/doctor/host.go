// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"fmt"
	"strings"
)

// off says that the datapath is in user space: XDP's needs are none of its own.
func (f Facts) off() bool { return f.Mode == "off" }

func one(x Finding) []Finding { return []Finding{x} }

func kernel(f Facts) []Finding {
	x := Finding{Check: "kernel", Status: OK, Found: "Linux " + f.Kernel}
	if !f.off() && (f.Version[0] < 6 || f.Version[0] == 6 && f.Version[1] < 1) {
		x.Status, x.Why = Fail, "the XDP program is made for Linux 6.1 and later"
		x.Mend = "install a newer kernel, or set datapath.mode: off"
	}
	return one(x)
}

func bpfFeatures(f Facts) []Finding {
	if f.off() {
		return nil
	}
	x := Finding{Check: "BPF features", Status: OK, Found: "all that the XDP program is built of"}
	if f.Unasked != nil {
		x.Status, x.Found, x.Mend = Note, "the kernel does not tell this process", "run this as root"
	} else if len(f.Missing) > 0 {
		x.Status, x.Found, x.Why = Fail, "missing: "+strings.Join(f.Missing, ", "), "the XDP program cannot be loaded"
		x.Mend = "use a kernel built with CONFIG_BPF_SYSCALL and CONFIG_BPF_JIT"
	}
	return one(x)
}

// capabilitiesNeeded are those of the systemd unit.
var capabilitiesNeeded = []struct{ name, use string }{
	{"CAP_BPF", "load the XDP program"},
	{"CAP_NET_ADMIN", "attach it"},
	{"CAP_PERFMON", "let it read packets as it does"},
	{"CAP_NET_RAW", "hand requests over to workers on other hosts"},
}

func privileges(f Facts) []Finding {
	var missing []string
	for _, c := range capabilitiesNeeded {
		if !f.Capabilities[c.name] {
			missing = append(missing, c.name+" (to "+c.use+")")
		}
	}
	if len(missing) == 0 {
		return one(Finding{Check: "privileges", Status: OK, Found: "this process has all that the daemon needs"})
	}
	x := Finding{
		Check: "privileges", Status: Fail, Found: "this process lacks " + strings.Join(missing, ", "),
		Why:  "the daemon would not start as this user",
		Mend: "run it as root, or by the systemd unit in deploy/systemd, which gives these to a user of its own",
	}
	if f.off() {
		x.Status, x.Why = Warn, "with datapath.mode: off only local workers can be handed to"
	}
	return one(x)
}

func bpffs(f Facts) []Finding {
	if f.off() {
		return nil
	}
	if f.BPFFS {
		return one(Finding{Check: "bpf file system", Status: OK, Found: "mounted at /sys/fs/bpf"})
	}
	return one(Finding{
		Check: "bpf file system", Status: Fail, Found: "not mounted at /sys/fs/bpf",
		Why:  "program and pins could not outlive a restart",
		Mend: "mount -t bpf bpf /sys/fs/bpf",
	})
}

func jit(f Facts) []Finding {
	switch {
	case f.off():
		return nil
	case f.JIT == nil:
		return one(Finding{Check: "BPF JIT", Status: Note, Found: "net.core.bpf_jit_enable cannot be read"})
	case *f.JIT == 0:
		return one(Finding{
			Check: "BPF JIT", Status: Warn, Found: "off",
			Why: "the kernel interprets the program, some ten times slower", Mend: "sysctl -w net.core.bpf_jit_enable=1",
		})
	}
	return one(Finding{Check: "BPF JIT", Status: OK, Found: "on"})
}

// enoughBuffer holds a burst of about a thousand requests.
const enoughBuffer = 4 << 20

func buffers(f Facts) []Finding {
	if f.RmemMax == nil {
		return one(Finding{Check: "socket buffers", Status: Note, Found: "net.core.rmem_max cannot be read"})
	}
	x := Finding{Check: "socket buffers", Status: OK, Found: fmt.Sprintf("net.core.rmem_max is %d bytes", *f.RmemMax)}
	if *f.RmemMax < enoughBuffer && !f.Capabilities["CAP_NET_ADMIN"] {
		x.Status, x.Why = Warn, "a burst of new calls would overrun the control plane's socket"
		x.Mend = fmt.Sprintf("sysctl -w net.core.rmem_max=%d", enoughBuffer)
	}
	return one(x)
}

func conntrack(f Facts) []Finding {
	c := f.Conntrack
	if c == nil || c.Max == 0 {
		return one(Finding{Check: "connection tracking", Status: OK, Found: "not in use"})
	}
	x := Finding{Check: "connection tracking", Status: OK, Found: fmt.Sprintf("%d of %d entries", c.Count, c.Max)}
	if c.Count*10 > c.Max*7 {
		x.Status, x.Why = Warn, "a full table drops every new request that XDP passes up"
		x.Mend = "nft add table inet sipsteer; nft add chain inet sipsteer raw '{ type filter hook prerouting priority raw; }'; " +
			"nft add rule inet sipsteer raw udp dport 5060 notrack"
	}
	return one(x)
}

func vips(f Facts) []Finding {
	var out []Finding
	for _, v := range f.VIPs {
		x := Finding{Check: "service address", Status: OK, Found: v.Addr + " is on this host"}
		if !v.Local {
			x.Status, x.Found = Fail, v.Addr+" is on no interface of this host"
			x.Why, x.Mend = "its socket cannot be opened", "ip address add ADDRESS/PREFIX dev INTERFACE"
		}
		out = append(out, x)
	}
	return out
}
