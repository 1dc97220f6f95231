// SPDX-License-Identifier: Apache-2.0

package netns

import (
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	ethtoolSetTxChecksum = 0x17 // ETHTOOL_STXCSUM
	xdpPass              = 2    // XDP_PASS
)

// ethtoolValue and ethtoolRequest are the kernel's struct ethtool_value and struct ifreq with a data pointer.
type ethtoolValue struct{ cmd, data uint32 }

type ethtoolRequest struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [16]byte
}

// checksumsInSoftware runs in the interface's namespace and makes the sender finish its checksums. Otherwise veth
// carries partial ones, and whoever rewrites a port or an address in XDP makes them wrong for good.
func checksumsInSoftware(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("opening a socket for ethtool: %w", err)
	}
	defer unix.Close(fd)
	value := ethtoolValue{cmd: ethtoolSetTxChecksum}
	req := ethtoolRequest{data: unsafe.Pointer(&value)}
	copy(req.name[:unix.IFNAMSIZ-1], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req)))
	if errno != 0 {
		return fmt.Errorf("turning %s's checksum offload off: %w", name, errno)
	}
	return nil
}

// attachPass runs in the link's namespace and attaches an XDP program that passes everything, in native mode.
func attachPass(link netlink.Link) error {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name:         "pass",
		Type:         ebpf.XDP,
		License:      "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	})
	if err != nil {
		return fmt.Errorf("loading the pass program: %w", err)
	}
	defer prog.Close() // the interface holds it
	if err := netlink.LinkSetXdpFdWithFlags(link, prog.FD(), unix.XDP_FLAGS_DRV_MODE); err != nil {
		return fmt.Errorf("attaching the pass program to %s: %w", link.Attrs().Name, err)
	}
	return nil
}
