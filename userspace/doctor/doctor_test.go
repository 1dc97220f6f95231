// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"strings"
	"syscall"
	"testing"
)

func ptr[T any](v T) *T { return &v }

// fit is a host without a fault.
func fit() Facts {
	return Facts{
		Mode: "native", Kernel: "6.1.0-13-amd64", Version: [2]int{6, 1},
		Capabilities: map[string]bool{"CAP_BPF": true, "CAP_NET_ADMIN": true, "CAP_PERFMON": true, "CAP_NET_RAW": true},
		BPFFS:        true, JIT: ptr(1), RmemMax: ptr(8 << 20), RPFilterAll: ptr(0),
		Conntrack: &Conntrack{10, 1000},
		VIPs:      []VIP{{"192.0.2.10:5060", true}},
		Interfaces: []Interface{{
			Name: "eth0", Up: true, Kind: "device", Driver: "mlx5_core", MTU: 1500, XDP: ptr(uint64(xdpBasic | xdpRedirect)),
			Features: map[string]bool{}, Rings: &Limit{1024, 8192}, Channels: &Limit{8, 8}, RPFilter: ptr(2),
		}},
	}
}

func TestAFitHostHasNoFault(t *testing.T) {
	for _, f := range Diagnose(fit()) {
		if f.Status != OK || f.Why != "" || f.Mend != "" {
			t.Errorf("%+v", f)
		}
	}
}

func TestEachFaultIsFoundAndMended(t *testing.T) {
	eth := func(change func(*Interface)) func(*Facts) {
		return func(f *Facts) { change(&f.Interfaces[0]) }
	}
	for _, c := range []struct {
		name   string
		change func(*Facts)
		check  string
		status Status
		mend   string
	}{
		{"old kernel", func(f *Facts) { f.Version = [2]int{5, 15} }, "kernel", Fail, "newer kernel"},
		{"no XDP in the kernel", func(f *Facts) { f.Missing = []string{"XDP programs"} }, "BPF features", Fail, "CONFIG_BPF_SYSCALL"},
		{"no privileges", func(f *Facts) { f.Capabilities = nil }, "privileges", Fail, "as root"},
		{"no bpffs", func(f *Facts) { f.BPFFS = false }, "bpf file system", Fail, "mount -t bpf"},
		{"no JIT", func(f *Facts) { f.JIT = ptr(0) }, "BPF JIT", Warn, "bpf_jit_enable=1"},
		{"full conntrack", func(f *Facts) { f.Conntrack.Count = 900 }, "connection tracking", Warn, "notrack"},
		{"VIP elsewhere", func(f *Facts) { f.VIPs[0].Local = false }, "service address", Fail, "ip address add"},
		{"no such interface", eth(func(i *Interface) { i.Missing = true }), "interface", Fail, "ip -brief link"},
		{"link down", eth(func(i *Interface) { i.Up = false }), "link", Fail, "ip link set eth0 up"},
		{"driver without XDP", eth(func(i *Interface) { i.XDP = ptr(uint64(0)) }), "driver", Fail, "mode: auto"},
		{"jumbo without frags", eth(func(i *Interface) { i.MTU = 9000 }), "MTU", Warn, "mtu 1500"},
		{"LRO", eth(func(i *Interface) { i.Features["rx-lro"] = true }), "offloads", Warn, "rx-lro off"},
		{"short ring", eth(func(i *Interface) { i.Rings.Now = 256 }), "receive ring", Warn, "ethtool -G eth0 rx 4096"},
		{"one queue", eth(func(i *Interface) { i.Channels.Now = 1 }), "queues", Warn, "ethtool -L eth0 combined 8"},
		{"strict rp_filter", func(f *Facts) { f.RPFilterAll, f.Interfaces[0].RPFilter = ptr(1), ptr(0) }, "rp_filter", Warn, "rp_filter=2"},
		{"generic by accident", eth(func(i *Interface) { i.Attached = "generic" }), "XDP program", Warn, "mode: native"},
	} {
		t.Run(c.name, func(t *testing.T) {
			facts := fit()
			c.change(&facts)
			findings := Diagnose(facts)
			var bad []Finding
			for _, f := range findings {
				if f.Status != OK {
					bad = append(bad, f)
				}
			}
			if len(bad) != 1 || bad[0].Check != c.check || bad[0].Status != c.status || !strings.Contains(bad[0].Mend, c.mend) {
				t.Fatalf("found %+v, want one of %s with %s, mended by %q", bad, c.check, c.status, c.mend)
			}
			if bad[0].Why == "" {
				t.Error("it does not say what follows")
			}
			if Worst(findings) != c.status {
				t.Errorf("the worst is %s", Worst(findings))
			}
		})
	}
}

func TestUserSpaceNeedsNoXDP(t *testing.T) {
	facts := fit()
	facts.Mode, facts.BPFFS, facts.Version = "off", false, [2]int{5, 10}
	facts.Interfaces = nil
	if w := Worst(Diagnose(facts)); w != OK {
		t.Errorf("the worst is %s: %+v", w, Diagnose(facts))
	}
}

func TestWhatMayNotBeAskedIsNoFault(t *testing.T) {
	facts := fit()
	facts.Unasked = syscall.EPERM
	if w := Worst(Diagnose(facts)); w != Note {
		t.Errorf("the worst is %s: %+v", w, Diagnose(facts))
	}
}

func TestGatherReadsThisHost(t *testing.T) {
	f := Gather(Wanted{Mode: "auto", Interfaces: []string{"lo", "none-such"}})
	if f.Version[0] < 2 || f.Kernel == "" {
		t.Errorf("kernel %q, %v", f.Kernel, f.Version)
	}
	if len(f.Interfaces) != 2 || f.Interfaces[0].Missing || f.Interfaces[0].MTU == 0 || !f.Interfaces[1].Missing {
		t.Errorf("interfaces %+v", f.Interfaces)
	}
}
