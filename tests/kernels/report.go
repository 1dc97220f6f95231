// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// program names a BPF program.
type program struct {
	object string // file of the repository
	name   string
}

// report is what the guest said.
type report struct {
	release  string
	tests    int             // that passed, subtests included
	programs map[program]int // instructions the verifier read
}

// readReport reads the lines of the guest among those of the kernel. The error carries what failed inside.
func readReport(console string) (report, error) {
	r := report{programs: map[program]int{}}
	ended := false
	var failures []string
	for line := range strings.Lines(console) {
		line = strings.TrimRight(line, "\r\n")
		_, line, found := strings.Cut(line, "@guest ")
		if !found {
			continue
		}
		kind, rest, _ := strings.Cut(line, " ")
		var n int
		var err error
		switch kind {
		case "release":
			r.release = rest
		case "program":
			var p program
			_, err = fmt.Sscan(rest, &p.object, &p.name, &n)
			p.object = strings.ReplaceAll(p.object, "+", "/")
			r.programs[p] = n
		case "tests":
			_, err = fmt.Sscan(rest, &n)
			r.tests += n
		case "failed":
			failures = append(failures, rest)
		case "end":
			ended = true
		default:
			err = errors.New("no such line")
		}
		if err != nil {
			return r, fmt.Errorf("reading %q from the guest: %w", line, err)
		}
	}
	switch {
	case len(failures) > 0:
		return r, fmt.Errorf("%s\n%s", strings.Join(failures, "; "), tail(console))
	case !ended:
		return r, fmt.Errorf("it did not come to its end\n%s", tail(console))
	case r.tests == 0 || len(r.programs) == 0:
		return r, fmt.Errorf("%d tests and %d programs ran, at least one of each should", r.tests, len(r.programs))
	}
	return r, nil
}

func (r report) print(w io.Writer) {
	for _, p := range sorted(r.programs) {
		fmt.Fprintf(w, "  %-40s %-24s %8d instructions\n", p.object, p.name, r.programs[p])
	}
}

// sorted lists programs by object and name.
func sorted(programs map[program]int) []program {
	var all []program
	for p := range programs {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b program) int {
		return strings.Compare(a.object+" "+a.name, b.object+" "+b.name)
	})
	return all
}

// tail is the end of a console, as much as an error can carry.
func tail(console string) string {
	const limit = 8000
	if len(console) > limit {
		console = "... " + console[len(console)-limit:]
	}
	return strings.ReplaceAll(console, "\r", "")
}
