// SPDX-License-Identifier: Apache-2.0

// Command kernel measures the XDP program by test run, in nanoseconds a packet, next to an empty program and a plain L4
// balancer. The rounds of all are interleaved, and the median of each is printed.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/sipsteer/sipsteer/bpf"
)

func main() {
	rounds := flag.Int("rounds", 15, "rounds of each measurement")
	repeat := flag.Int("repeat", 200_000, "packets a round")
	pins := flag.Int("pins", 1_000_000, "pins in the largest table; up to 10000000, which takes 2 GB")
	flag.Parse()
	err := run(*rounds, *repeat)
	if err == nil {
		err = reportPins(*pins, *rounds)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kernel bench:", err)
		os.Exit(1)
	}
}

// subject is one program and the packet it is given.
type subject struct {
	name   string
	prog   *ebpf.Program
	frame  []byte
	action uint32 // that proves it did what it is measured for
	ns     []float64
}

func run(rounds, repeat int) error {
	if err := rlimit.RemoveMemlock(); err != nil {
		return fmt.Errorf("raising the limit of locked memory (needs root): %w", err)
	}
	var ref ReferenceObjects
	if err := LoadReferenceObjects(&ref, nil); err != nil {
		return fmt.Errorf("loading the reference programs: %w", err)
	}
	defer ref.Close()
	if err := fillReference(&ref); err != nil {
		return err
	}
	ours := map[string]*bpf.SteerObjects{}
	for _, way := range []string{"local", "l2"} {
		objs, err := loadOurs(way, 1)
		if err != nil {
			return err
		}
		defer objs.Close()
		ours[way] = objs
	}
	subjects := measured(&ref, ours)
	for range rounds {
		for _, s := range subjects {
			if err := s.measure(repeat); err != nil {
				return err
			}
		}
	}
	report(subjects)
	return nil
}

func (s *subject) measure(repeat int) error {
	action, per, err := s.prog.Benchmark(s.frame, repeat, nil)
	if err != nil {
		return fmt.Errorf("running %s: %w", s.name, err)
	}
	if action != s.action {
		return fmt.Errorf("running %s: XDP action %d, want %d", s.name, action, s.action)
	}
	s.ns = append(s.ns, float64(per)/float64(time.Nanosecond))
	return nil
}

func median(v []float64) float64 {
	v = slices.SortedFunc(slices.Values(v), cmp.Compare[float64])
	return v[len(v)/2]
}

func report(subjects []*subject) {
	byName := map[string]float64{}
	for _, s := range subjects {
		byName[s.name] = median(s.ns)
	}
	l4 := byName[l4Full] - byName[undoOnly] + byName[empty]
	fmt.Printf("%-52s %8s %8s %8s\n", "program and packet", "ns", "min", "to L4")
	for _, s := range subjects {
		fmt.Printf("%-52s %8.1f %8.1f %8.2f\n", s.name, byName[s.name], slices.Min(s.ns), byName[s.name]/l4)
	}
	fmt.Printf("%-52s %8.1f\n", "L4 reference: full less undoing", l4)
}
