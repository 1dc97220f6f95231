// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

const budgetHead = `# Instructions that the verifier of each kernel reads for each BPF program. "make kernels" fails when a program needs
# twice its line or more, or has none. To write the present figures: go run ./tests/kernels -update
`

// budget is the instructions allowed for, by kernel version.
type budget map[string]map[program]int

func readBudget(file string) (*budget, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("reading the budget (start it in the repository's root): %w", err)
	}
	b := budget{}
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var version string
		var p program
		var n int
		if _, err := fmt.Sscan(line, &version, &p.object, &p.name, &n); err != nil {
			return nil, fmt.Errorf("%s line %d: %w; want: kernel object program instructions", file, i+1, err)
		}
		if b[version] == nil {
			b[version] = map[program]int{}
		}
		b[version][p] = n
	}
	return &b, nil
}

// judge returns an error for each program that needs twice its budget, for one that has none, and for a budget that
// belongs to no program.
func (b budget) judge(version string, programs map[program]int) error {
	var errs []error
	for _, p := range sorted(programs) {
		switch n, ok := b[version][p]; {
		case !ok:
			errs = append(errs, fmt.Errorf("%s in %s has no line in %s", p.name, p.object, budgetFile))
		case programs[p] >= 2*n:
			errs = append(errs, fmt.Errorf("%s in %s costs the verifier %d instructions, and the budget is %d", p.name, p.object, programs[p], n))
		}
	}
	for _, p := range sorted(b[version]) {
		if _, ok := programs[p]; !ok {
			errs = append(errs, fmt.Errorf("%s in %s is in %s and was not loaded", p.name, p.object, budgetFile))
		}
	}
	if len(errs) > 0 {
		errs = append(errs, errors.New("where that is meant: go run ./tests/kernels -update"))
	}
	return errors.Join(errs...)
}

func (b budget) replace(version string, programs map[program]int) { b[version] = programs }

func (b budget) write(file string) error {
	var out strings.Builder
	out.WriteString(budgetHead)
	for _, version := range slices.Sorted(maps.Keys(b)) {
		for _, p := range sorted(b[version]) {
			fmt.Fprintf(&out, "%-5s %s %s %d\n", version, p.object, p.name, b[version][p])
		}
	}
	if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
		return fmt.Errorf("writing the budget: %w", err)
	}
	return nil
}
