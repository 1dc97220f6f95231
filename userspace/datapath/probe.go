// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
)

// Probe asks the kernel for what the XDP program is built of, and loads nothing that stays. It returns the names of
// what is missing, or an error when the kernel does not tell this process.
func Probe() (missing []string, err error) {
	for _, f := range []struct {
		name string
		have func() error
	}{
		{"XDP programs", func() error { return features.HaveProgramType(ebpf.XDP) }},
		{"hash maps", func() error { return features.HaveMapType(ebpf.Hash) }},
		{"LPM tries", func() error { return features.HaveMapType(ebpf.LPMTrie) }},
		{"programs above 4096 instructions", features.HaveLargeInstructions},
		{"bounded loops", features.HaveBoundedLoops},
		{"atomics (instruction set v3)", features.HaveV3ISA},
		{"multi-buffer XDP", func() error { return features.HaveProgramHelper(ebpf.XDP, asm.FnXdpLoadBytes) }},
		{"XDP redirect", func() error { return features.HaveProgramHelper(ebpf.XDP, asm.FnRedirect) }},
	} {
		switch err := f.have(); {
		case errors.Is(err, ebpf.ErrNotSupported):
			missing = append(missing, f.name)
		case err != nil:
			return nil, fmt.Errorf("asking the kernel for %s: %w", f.name, err)
		}
	}
	return missing, nil
}
