// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/cilium/ebpf"
)

// What can keep the datapath from starting. Each error that wraps one of these says what to do about it.
var (
	ErrPrivileges = errors.New("not permitted: needs root or CAP_BPF and CAP_NET_ADMIN; or set datapath.mode: off")
	ErrInterface  = errors.New("no such interface; see `ip link` and set datapath.interfaces")
	ErrNoNative   = errors.New("the driver has no native XDP for it; set datapath.mode: generic or auto")
	ErrMTU        = errors.New("the driver does native XDP only up to a smaller MTU; lower the interface's or set datapath.mode: generic or auto")
	ErrBusy       = errors.New("another XDP program is attached")
	ErrLayout     = errors.New("the pinned maps have another layout")
	ErrInUse      = errors.New("another sipsteer uses it; stop that one, or give each its own datapath.bpffs")
	ErrBPFFS      = errors.New("not on a bpf file system")
)

// hint adds a way out to errors of the kernel that have a common cause.
func hint(doing string, err error) error {
	var verifier *ebpf.VerifierError
	switch {
	case errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) && !errors.As(err, &verifier):
		return fmt.Errorf("%s: %w", doing, ErrPrivileges)
	case errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("%s: this kernel is too old (6.1 or later is needed), or set datapath.mode: off: %w", doing, err)
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}
