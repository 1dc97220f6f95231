// SPDX-License-Identifier: Apache-2.0

// Command fuzz makes up packets and holds three readings of the rules against each other: the kernel program by test
// run, its twin in Go, and a plain parser. It prints what each packet came to, and exits with 1 at a difference.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

func main() {
	n := flag.Uint64("n", 1_000_000, "executions")
	seed := flag.Uint64("seed", uint64(time.Now().Unix()), "seed; the same one makes the same packets")
	corpus := flag.String("corpus", "", "`GLOB` of files with messages to begin from, beside the built-in ones")
	flag.Parse()
	if err := run(*n, *seed, *corpus); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(n, seed uint64, corpus string) error {
	extra, err := messages(corpus)
	if err != nil {
		return err
	}
	s := settings{executions: n, seed: seed, workers: runtime.GOMAXPROCS(0), kernel: os.Geteuid() == 0, extra: extra}
	who := "kernel, twin and reference"
	if !s.kernel {
		who = "twin and reference (not root: without the kernel)"
	}
	fmt.Printf("%d executions through %s, seed %d, %d messages from files\n", n, who, seed, len(extra))
	debug.SetGCPercent(800) // there is little to keep and much to throw away
	start := time.Now()
	r, err := fuzz(s)
	if err != nil {
		return err
	}
	return r.print(time.Since(start))
}

func messages(glob string) ([]string, error) {
	files, err := filepath.Glob(glob)
	if err != nil {
		return nil, fmt.Errorf("looking for %s: %w", glob, err)
	}
	var all []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		all = append(all, string(b))
	}
	return all, nil
}

func (r report) print(took time.Duration) error {
	var ran uint64
	for _, o := range steer.Outcomes() {
		if n := r.met[o]; n > 0 {
			fmt.Printf("%12d  %v\n", n, o)
			ran += n
		}
	}
	fmt.Printf("%12d  in %v, %.0f a second\n", ran, took.Round(time.Second), float64(ran)/took.Seconds())
	for _, d := range r.differences {
		fmt.Printf("\nchain %d: %s\npin %+v\npayload %q\nframe %x\n", d.number, d.what, d.x.pin, d.x.payload, d.x.frame)
	}
	if len(r.differences) > 0 {
		return errors.New("the judges disagree")
	}
	fmt.Println("no difference")
	return nil
}
