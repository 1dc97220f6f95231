// SPDX-License-Identifier: Apache-2.0

// Kernels boots the Linux versions that the BPF programs have to load on, Debian's cloud kernels under qemu without KVM,
// loads every program of the repository there and runs the kernel tests. It prints the instructions that each verifier
// read, and fails when a program costs twice what budget.txt says.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// versions are the kernels, oldest first. The first is the oldest one that sipsteer supports.
var versions = []string{"6.1", "6.12"}

// testPackages hold tests that run in the kernel.
var testPackages = []string{"./userspace/datapath"}

const budgetFile = "tests/kernels/budget.txt"

func main() {
	only := flag.String("only", strings.Join(versions, ","), "kernel versions to boot, separated by commas")
	update := flag.Bool("update", false, "write what was measured to "+budgetFile)
	flag.Parse()
	if err := run(strings.Split(*only, ","), *update); err != nil {
		fmt.Fprintln(os.Stderr, "kernels:", err)
		os.Exit(1)
	}
}

func run(wanted []string, update bool) error {
	b, err := readBudget(budgetFile)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sipsteer-kernels-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	inside, err := build(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, version := range wanted {
		if err := try(version, dir, inside, b, update); err != nil {
			errs = append(errs, fmt.Errorf("on Linux %s: %w", version, err))
		}
	}
	if update && len(errs) == 0 {
		return b.write(budgetFile)
	}
	return errors.Join(errs...)
}

// try boots one version, prints what was seen there, and judges it.
func try(version, dir string, inside []entry, b *budget, update bool) error {
	k, err := fetch(version)
	if err != nil {
		return err
	}
	initrd := filepath.Join(dir, "initrd-"+version)
	if err := writeArchive(initrd, append(inside[:len(inside):len(inside)], k.modules...)); err != nil {
		return err
	}
	start := time.Now()
	console, err := boot(k.image, initrd)
	if err != nil {
		return err
	}
	r, err := readReport(console)
	if err != nil {
		return err
	}
	fmt.Printf("Linux %s (%s), %d tests, %.0f s\n", version, r.release, r.tests, time.Since(start).Seconds())
	r.print(os.Stdout)
	if update {
		b.replace(version, r.programs)
		return nil
	}
	return b.judge(version, r.programs)
}
