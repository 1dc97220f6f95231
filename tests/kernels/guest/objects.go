// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cilium/ebpf"
)

// loadObject loads every program of an object and reports what each cost the verifier.
func loadObject(file string) error {
	spec, err := ebpf.LoadCollectionSpec(file)
	if err != nil {
		return err
	}
	for _, m := range spec.Maps {
		m.Pinning = ebpf.PinNone
	}
	c, err := ebpf.NewCollection(spec)
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) {
		fmt.Printf("%+v\n", verifier) // with its log
	}
	if err != nil {
		return err
	}
	defer c.Close()
	for name, p := range c.Programs {
		info, err := p.Info()
		if err != nil {
			return fmt.Errorf("reading about program %s: %w", name, err)
		}
		n, ok := info.VerifiedInstructions()
		if !ok {
			return fmt.Errorf("the kernel does not tell how many instructions it verified of %s", name)
		}
		say("program", fmt.Sprintf("%s %s %d", filepath.Base(file), name, n))
	}
	return nil
}
