// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Trial is a copy of the program with tables of its own. It is attached to nothing and pinned nowhere; it judges the
// frames that it is given by the kernel's test run (BPF_PROG_TEST_RUN). It is not safe for concurrent use.
type Trial struct {
	d      *Datapath
	counts *ebpf.Memory
	before []byte // counters of each outcome, as after the last run
	after  []byte
	out    []byte
}

// Test runs take frames of these lengths.
const (
	MinTrialFrame = 14
	MaxTrialFrame = 65535
)

// trialRoom is how much longer than it came a frame may leave.
const trialRoom = 512

// OpenTrial loads the program, with room for maxPins pins. It needs the privileges of Open.
func OpenTrial(maxPins int) (*Trial, error) {
	d, err := Open(Config{Mode: ModeGeneric, MaxPins: maxPins, trial: true})
	if err != nil {
		return nil, err
	}
	t := &Trial{d: d, out: make([]byte, MaxTrialFrame+trialRoom)}
	if t.counts, err = d.objs.Outcomes.Memory(); err != nil {
		return nil, errors.Join(fmt.Errorf("mapping the counters: %w", err), d.Close())
	}
	t.before = make([]byte, len(steer.Outcomes())*8+8)
	t.after = make([]byte, len(t.before))
	return t, nil
}

// countInMemory makes the counters of outcomes a map that can be read without a system call. The program does not see
// the difference as long as it runs on one CPU at a time.
func countInMemory(spec *ebpf.CollectionSpec) {
	m := spec.Maps["outcomes"]
	m.Type = ebpf.Array
	m.Flags |= unix.BPF_F_MMAPABLE
}

// Run judges one frame and returns what the program counted, its action, and the frame as it leaves, which is good
// until the next Run. That not exactly one outcome was counted is an error.
func (t *Trial) Run(frame []byte) (steer.XDPAction, steer.Outcome, []byte, error) {
	opts := ebpf.RunOptions{Data: frame, DataOut: t.out[:min(len(frame)+trialRoom, len(t.out))]}
	action, err := t.d.objs.Sipsteer.Run(&opts)
	if err != nil {
		return 0, 0, nil, fmt.Errorf("running the XDP program on a frame of %d bytes: %w", len(frame), err)
	}
	outcome, err := t.counted()
	return steer.XDPAction(action), outcome, opts.DataOut, err
}

// counted finds the one counter that has moved by one.
func (t *Trial) counted() (steer.Outcome, error) {
	if _, err := t.counts.ReadAt(t.after, 0); err != nil {
		return 0, fmt.Errorf("reading the counters: %w", err)
	}
	moved, found := uint64(0), steer.Undecided
	for at := 0; at < len(t.after); at += 8 {
		n := binary.NativeEndian.Uint64(t.after[at:]) - binary.NativeEndian.Uint64(t.before[at:])
		if n != 0 {
			moved, found = moved+n, steer.Outcome(at/8)
		}
	}
	t.before, t.after = t.after, t.before
	if moved != 1 {
		return found, fmt.Errorf("the program counted %d outcomes for one frame", moved)
	}
	return found, nil
}

// SetService, DeleteService, ReplaceServices and SetWorker change the tables; see Datapath.
func (t *Trial) SetService(addr netip.AddrPort, s Service) error { return t.d.SetService(addr, s) }

// DeleteService takes a service away.
func (t *Trial) DeleteService(addr netip.AddrPort) error { return t.d.DeleteService(addr) }

// ReplaceServices sets all services.
func (t *Trial) ReplaceServices(s map[netip.AddrPort]Service) error { return t.d.ReplaceServices(s) }

// Sources returns the source policy.
func (t *Trial) Sources() *Sources { return t.d.Sources() }

// SetWorker sets the way to a worker.
func (t *Trial) SetWorker(id uint32, w Worker) error { return t.d.SetWorker(id, w) }

// SetSlots sets the Maglev table of a service with policy direct.
func (t *Trial) SetSlots(service uint16, slots []uint32) error { return t.d.SetSlots(service, slots) }

// Pins returns the trial's own pins.
func (t *Trial) Pins() *Pins { return t.d.Pins() }

// Close unloads the program.
func (t *Trial) Close() error { return t.d.Close() }
