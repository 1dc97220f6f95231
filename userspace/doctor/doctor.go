// SPDX-License-Identifier: Apache-2.0

// Package doctor tells whether this host is fit to steer SIP, and which command mends what is not.
//
// Gather reads the facts and Diagnose judges them, so that every judgement can be tested without the hardware.
package doctor

// Status is how serious a finding is.
type Status string

// The statuses, the worst last.
const (
	OK   Status = "ok"
	Note Status = "note" // could not be read, or worth knowing
	Warn Status = "warn" // works, slower or less safely than it could
	Fail Status = "fail" // sipsteer does not start, or loses packets
)

// Finding is the judgement of one check.
type Finding struct {
	Check     string `json:"check"`               // what was looked at, in a word or two
	Interface string `json:"interface,omitempty"` // where it is about one
	Status    Status `json:"status"`
	Found     string `json:"found"`          // what is the case
	Why       string `json:"why,omitempty"`  // what follows from it; empty where all is well
	Mend      string `json:"mend,omitempty"` // a command, or a line for the config file
}

// Facts are what Gather read. A nil pointer says that it could not be read.
type Facts struct {
	Mode         string // datapath.mode: native, generic, auto or off
	Kernel       string // release, as uname says it
	Version      [2]int // major and minor of Kernel
	Capabilities map[string]bool
	BPFFS        bool // a bpf file system at /sys/fs/bpf
	JIT          *int // net.core.bpf_jit_enable
	Conntrack    *Conntrack
	RmemMax      *int // net.core.rmem_max, bytes
	RPFilterAll  *int // net.ipv4.conf.all.rp_filter
	VIPs         []VIP
	Missing      []string // BPF features that the kernel lacks
	Unasked      error    // why the kernel could not be asked for them
	Interfaces   []Interface
}

// Conntrack is the load of the connection tracker, which sees what XDP passes up.
type Conntrack struct{ Count, Max int }

// VIP is an address of a service.
type VIP struct {
	Addr  string // address and port
	Local bool   // the host has the address
}

// Interface is what is known of one network interface.
type Interface struct {
	Name     string
	Missing  bool // there is no such interface
	Up       bool
	Kind     string // of a software interface: veth, vlan, bond, bridge, …; else device
	Driver   string
	MTU      int
	XDP      *uint64         // the driver's XDP features (NETDEV_A_DEV_XDP_FEATURES, Linux 6.3)
	Attached string          // how a program is attached: driver, generic, offloaded; else empty
	Features map[string]bool // offloads, by the kernel's names
	Rings    *Limit          // receive descriptors
	Channels *Limit          // queues that can receive
	RPFilter *int
}

// Limit is a setting and the most it can be.
type Limit struct{ Now, Max int }

// Diagnose judges the facts, general ones first, then by interface.
func Diagnose(f Facts) []Finding {
	var out []Finding
	for _, check := range []func(Facts) []Finding{kernel, bpfFeatures, privileges, bpffs, jit, buffers, conntrack, vips} {
		out = append(out, check(f)...)
	}
	for _, i := range f.Interfaces {
		out = append(out, diagnoseInterface(f, i)...)
	}
	return out
}

// Worst is the most serious status of all; OK when there are none.
func Worst(findings []Finding) Status {
	rank := map[Status]int{OK: 0, Note: 1, Warn: 2, Fail: 3}
	worst := OK
	for _, f := range findings {
		if rank[f.Status] > rank[worst] {
			worst = f.Status
		}
	}
	return worst
}
