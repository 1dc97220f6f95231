// SPDX-License-Identifier: Apache-2.0

// Bench measures what a balancer pays for a message of a standing call: sipsteer's pinned path in the kernel against
// Kamailio's stateless dispatcher. Both balance the same calls onto the same workers over veth pairs, in one run, in
// turns. It needs root, SIPp and Kamailio, and bin/sipsteer.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 5, "how many times each balancer has its turn")
	calls := flag.Int("calls", 600, "calls in one turn")
	rate := flag.Int("rate", 250, "new calls a second")
	binary := flag.String("binary", "bin/sipsteer", "the sipsteer to measure")
	flag.Parse()
	if err := run(*rounds, load{calls: *calls, rate: *rate}, *binary); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// load is what every turn consists of.
type load struct{ calls, rate int }

// turn is what one turn cost the balancer.
type turn struct {
	kernel   time.Duration // BPF, a packet
	process  time.Duration // the balancer's own processes, a message that they saw
	perCall  time.Duration // everything, a call
	messages float64       // that the balancer forwarded, a call
}

func run(rounds int, l load, binary string) error {
	binary, err := check(binary)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "sipsteer-bench-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(dir)
	b, err := newBench(dir, binary)
	if err != nil {
		return err
	}
	defer b.close()
	fmt.Printf("pinned path over veth against Kamailio's dispatcher: %d rounds of %d calls each at %d/s, in turns\n",
		rounds, l.calls, l.rate)
	var ours, theirs []turn
	for i := range rounds {
		o, err := b.steered(l)
		if err != nil {
			return fmt.Errorf("round %d through sipsteer: %w", i+1, err)
		}
		t, err := b.dispatched(l)
		if err != nil {
			return fmt.Errorf("round %d through the dispatcher: %w", i+1, err)
		}
		fmt.Printf("  round %d: kernel %s a packet, dispatcher %s a message\n", i+1, micros(o.kernel), micros(t.process))
		ours, theirs = append(ours, o), append(theirs, t)
	}
	report(ours, theirs)
	return nil
}

// check finds what the run needs before anything is built up.
func check(binary string) (string, error) {
	if os.Geteuid() != 0 {
		return "", errors.New("needs root, for network namespaces and XDP")
	}
	for _, tool := range []string{"sipp", "kamailio"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("needs %s, which is not installed (apt install sip-tester kamailio)", tool)
		}
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

func report(ours, theirs []turn) {
	kernel := func(t turn) time.Duration { return t.kernel }
	process := func(t turn) time.Duration { return t.process }
	perCall := func(t turn) time.Duration { return t.perCall }
	fmt.Printf("\n%-44s %12s %12s\n", "medians", "sipsteer", "dispatcher")
	fmt.Printf("%-44s %12.1f %12.1f\n", "messages of a call through the balancer", ours[0].messages, theirs[0].messages)
	fmt.Printf("%-44s %12s %12s\n", "CPU for a message of a standing call", micros(median(ours, kernel)), micros(median(theirs, process)))
	fmt.Printf("%-44s %12s %12s\n", "CPU for a message to the control plane", micros(median(ours, process)), "-")
	fmt.Printf("%-44s %12s %12s\n", "CPU for a whole call, set-up included", micros(median(ours, perCall)), micros(median(theirs, perCall)))
	fmt.Printf("%-44s %11.0fx\n", "dispatcher / pinned path, a message", float64(median(theirs, process))/float64(median(ours, kernel)))
	fmt.Println(`
sipsteer's message: run time of the XDP program (BPF statistics) over its runs; what the driver adds to forward a frame
is not in it. The dispatcher's: user and system time of its processes over the messages they forwarded. sipsteer's call
includes the digest challenge and the hand-over, the dispatcher's neither. Between two messages other programs run, so both
meet cold caches: a flood of packets costs either of them several times less a packet.`)
}

func median(turns []turn, of func(turn) time.Duration) time.Duration {
	values := make([]time.Duration, len(turns))
	for i, t := range turns {
		values[i] = of(t)
	}
	sort.Slice(values, func(i, j int) bool { return values[i] < values[j] })
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

func micros(d time.Duration) string { return fmt.Sprintf("%.2f µs", float64(d.Nanoseconds())/1000) }
