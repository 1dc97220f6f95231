// SPDX-License-Identifier: Apache-2.0

package doctor

import (
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sipsteer/sipsteer/userspace/datapath"
)

// Wanted says what the daemon is to do on this host.
type Wanted struct {
	Mode       string           // datapath.mode
	Interfaces []string         // those of the datapath
	Listen     []netip.AddrPort // the services' addresses
}

// Gather reads the facts. It changes nothing: no program is attached to try whether it can be.
func Gather(w Wanted) Facts {
	f := Facts{
		Mode:         w.Mode,
		Capabilities: capabilities(),
		BPFFS:        isBPFFS("/sys/fs/bpf"),
		JIT:          number("/proc/sys/net/core/bpf_jit_enable"),
		RmemMax:      number("/proc/sys/net/core/rmem_max"),
		RPFilterAll:  number("/proc/sys/net/ipv4/conf/all/rp_filter"),
		Conntrack:    readConntrack(),
	}
	f.Missing, f.Unasked = datapath.Probe()
	f.Kernel, f.Version = release()
	for _, a := range w.Listen {
		f.VIPs = append(f.VIPs, VIP{a.String(), isLocal(a.Addr())})
	}
	f.Interfaces = gatherInterfaces(w.Interfaces)
	return f
}

func release() (string, [2]int) {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown", [2]int{}
	}
	text := unix.ByteSliceToString(u.Release[:])
	var v [2]int
	for i, part := range strings.SplitN(text, ".", 3)[:2] {
		v[i], _ = strconv.Atoi(strings.TrimRight(part, "-+abcdefghijklmnopqrstuvwxyz"))
	}
	return text, v
}

// number reads a file that holds one; nil when it cannot.
func number(path string) *int {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return nil
	}
	return &n
}

func readConntrack() *Conntrack {
	count, limit := number("/proc/sys/net/netfilter/nf_conntrack_count"), number("/proc/sys/net/netfilter/nf_conntrack_max")
	if count == nil || limit == nil {
		return nil
	}
	return &Conntrack{*count, *limit}
}

func isBPFFS(path string) bool {
	var s unix.Statfs_t
	return unix.Statfs(path, &s) == nil && s.Type == unix.BPF_FS_MAGIC
}

// capabilities are the effective ones of this process.
func capabilities() map[string]bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	has := map[string]bool{}
	if unix.Capget(&header, &data[0]) != nil {
		return has
	}
	for name, bit := range map[string]uint{
		"CAP_BPF": unix.CAP_BPF, "CAP_NET_ADMIN": unix.CAP_NET_ADMIN, "CAP_PERFMON": unix.CAP_PERFMON,
		"CAP_NET_RAW": unix.CAP_NET_RAW,
	} {
		has[name] = data[bit/32].Effective&(1<<(bit%32)) != 0
	}
	return has
}

// isLocal tells whether the host answers for an address. 127.0.0.0/8 is the host's as a whole.
func isLocal(a netip.Addr) bool {
	if a.IsLoopback() || a.IsUnspecified() {
		return true
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, have := range addrs {
		if p, err := netip.ParsePrefix(have.String()); err == nil && p.Addr().Unmap() == a.Unmap() {
			return true
		}
	}
	return false
}
