// SPDX-License-Identifier: Apache-2.0

// Demo shows sipsteer at work on one machine: network namespaces for callers, callees, the balancer and two workers, real
// calls by SIPp, and what kernel and control plane each saw of them. It needs root, SIPp, and bin/sipsteer; the second
// worker is Kamailio where it is installed, and sipsteer's own otherwise. Nothing is left behind.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/sipsteer/sipsteer/tests/daemon"
)

func main() {
	binary := flag.String("binary", "bin/sipsteer", "the sipsteer to show")
	calls := flag.Int("calls", 200, "how many calls to make")
	flag.Parse()
	if err := run(*binary, *calls); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(binary string, calls int) error {
	binary, err := check(binary, calls)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sipsteer-demo-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	s := &stage{binary: binary, dir: dir}
	defer s.close()

	// Ctrl-C ends the show early, but not without cleaning up.
	interrupt := make(chan os.Signal, 1)
	signal.Notify(interrupt, os.Interrupt, syscall.SIGTERM)
	result := make(chan error, 1)
	go func() { result <- s.play(calls) }()
	select {
	case err := <-result:
		return err
	case <-interrupt:
		return errors.New("interrupted")
	}
}

// check finds what the demo needs before anything is built up.
func check(binary string, calls int) (string, error) {
	if calls < 1 {
		return "", errors.New("-calls: at least 1")
	}
	if os.Geteuid() != 0 {
		return "", errors.New("needs root, for network namespaces and XDP; `make run` works without")
	}
	if _, err := exec.LookPath("sipp"); err != nil {
		return "", errors.New("needs SIPp, which is not installed: apt install sip-tester")
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		return "", fmt.Errorf("finding sipsteer: %w", err)
	}
	if _, err := os.Stat(binary); err != nil {
		return "", fmt.Errorf("finding sipsteer: %w (make build)", err)
	}
	return binary, nil
}

// play is the demo from the first act to the last.
func (s *stage) play(calls int) error {
	say("Building a network: one segment, five hosts in namespaces of their own, native XDP on veth")
	if err := s.build(); err != nil {
		return err
	}
	s.printMap()
	say("Registering alice and bob (REGISTER, 401, REGISTER with digest, 200)")
	if err := s.register(); err != nil {
		return err
	}
	before, err := s.daemon.Settled()
	if err != nil {
		return err
	}
	say(fmt.Sprintf("Making %d calls from alice to bob (INVITE, 407, ACK, INVITE, 180, 200, ACK, BYE, 200)", calls))
	stats, err := s.call(calls)
	if err != nil {
		return err
	}
	after, err := s.daemon.Settled()
	if err != nil {
		return err
	}
	fmt.Printf("    %d of %d calls succeeded; SIPp repeated %d messages\n", stats.Successful, calls, stats.Retransmissions)
	s.report(before, after, calls)
	return nil
}

func say(text string) { fmt.Printf("\n==> %s\n", text) }

// difference is what a counter by name gained between two looks at it.
func difference(before, after map[string]uint64, name string) uint64 {
	return after[name] - before[name]
}

// gained is what a worker was steered between two looks.
func gained(before, after daemon.Status, worker int) uint64 {
	return after.Workers[worker].Steered - before.Workers[worker].Steered
}
