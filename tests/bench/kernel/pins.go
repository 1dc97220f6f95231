// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cilium/ebpf"

	"github.com/sipsteer/sipsteer/bpf"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// fillBatch is how many pins a system call puts in, and runBatch how many packets a measurement takes: few, so that
// some of them meet no other work of the machine.
const (
	fillBatch = 4096
	runBatch  = 5000
)

// reportPins fills tables of growing size and prints what a pin costs: memory, time to put it in, and a packet of a
// pinned call beside the others, by the fastest of some runs.
func reportPins(most, rounds int) error {
	fmt.Printf("\n%-12s %12s %14s %14s\n", "pins", "bytes a pin", "pins a second", "BYE, ns (min)")
	for _, n := range []int{1_000, 100_000, 1_000_000, 10_000_000} {
		if n > most {
			break
		}
		if err := reportTable(n, rounds); err != nil {
			return fmt.Errorf("measuring %d pins: %w", n, err)
		}
	}
	return nil
}

func reportTable(n, rounds int) error {
	objs, err := loadOurs("l2", n+1)
	if err != nil {
		return err
	}
	defer objs.Close()
	rate, err := fillPins(objs.Pins, n)
	if err != nil {
		return err
	}
	info, err := objs.Pins.Info()
	if err != nil {
		return fmt.Errorf("reading about the table: %w", err)
	}
	memory, ok := info.Memlock()
	if !ok {
		return fmt.Errorf("the kernel does not say how much memory the table has")
	}
	bye := steertest.Packet{Src: steertest.Client, Dst: steertest.VIP, Payload: steertest.Request("BYE").String()}.Frame()
	s := subject{name: "BYE", prog: objs.Sipsteer, frame: bye, action: xdpTX}
	for range rounds {
		if err := s.measure(runBatch); err != nil {
			return err
		}
	}
	fmt.Printf("%-12d %12.0f %14.0f %14.1f\n", n, float64(memory)/float64(n+1), rate, slices.Min(s.ns))
	return nil
}

// fillPins puts in n pins under keys like those of calls and returns how many a second went in.
func fillPins(m *ebpf.Map, n int) (float64, error) {
	random := rand.New(rand.NewPCG(1, 2))
	keys := make([]bpf.SteerPinKey, fillBatch)
	values := make([]bpf.SteerPin, fillBatch)
	var busy time.Duration
	for left := n; left > 0; left -= len(keys) {
		keys = keys[:min(left, fillBatch)]
		for i := range keys {
			for b := range keys[i].Hash {
				keys[i].Hash[b] = byte(random.Uint32())
			}
			values[i].Worker = 1
		}
		start := time.Now()
		if _, err := m.BatchUpdate(keys, values[:len(keys)], nil); err != nil {
			return 0, fmt.Errorf("filling the table: %w", err)
		}
		busy += time.Since(start)
	}
	return float64(n) / busy.Seconds(), nil
}
