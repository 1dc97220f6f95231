// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"

	"github.com/sipsteer/sipsteer/tests/netns"
)

// steered has sipsteer's turn.
func (b *bench) steered(l load) (turn, error) {
	prog, err := b.program()
	if err != nil {
		return turn{}, err
	}
	defer prog.Close()
	before, err := prog.Stats()
	if err != nil {
		return turn{}, fmt.Errorf("reading BPF statistics: %w", err)
	}
	cpu, err := spent(b.sipsteer.CPU, func() error { return b.calls("call", vip, l) })
	if err != nil {
		return turn{}, err
	}
	after, err := prog.Stats()
	if err != nil {
		return turn{}, fmt.Errorf("reading BPF statistics: %w", err)
	}
	runs, runtime := after.RunCount-before.RunCount, after.Runtime-before.Runtime
	if runs < uint64(l.calls*(steeredPerCall+controlPerCall)) {
		return turn{}, errors.New("the program saw fewer packets than the calls have")
	}
	return turn{
		kernel:   runtime / time.Duration(runs),
		process:  cpu / time.Duration(l.calls*controlPerCall),
		perCall:  (cpu + runtime) / time.Duration(l.calls),
		messages: steeredPerCall,
	}, nil
}

// dispatched has the dispatcher's turn.
func (b *bench) dispatched(l load) (turn, error) {
	cpu, err := spent(b.dispatcher.Proc.CPU, func() error { return b.calls("call_routed", other, l) })
	if err != nil {
		return turn{}, err
	}
	return turn{
		process:  cpu / time.Duration(l.calls*dispatchedPerCall),
		perCall:  cpu / time.Duration(l.calls),
		messages: dispatchedPerCall,
	}, nil
}

// spent returns how much a processor clock moves while f runs.
func spent(clock func() (time.Duration, error), f func() error) (time.Duration, error) {
	before, err := clock()
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := clock()
	return after - before, err
}

// program opens the XDP program on the balancer's cable.
func (b *bench) program() (*ebpf.Program, error) {
	id, err := b.farm.Balancer.XDPProgram(netns.Interface)
	if err != nil {
		return nil, err
	}
	if id == 0 {
		return nil, errors.New("finding the XDP program: the balancer's interface has none")
	}
	prog, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
	if err != nil {
		return nil, fmt.Errorf("opening XDP program %d: %w", id, err)
	}
	return prog, nil
}
