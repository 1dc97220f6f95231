// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"bytes"
	"os"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// needRoot skips where BPF cannot be had at all; with root, failing to load is a failure.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not supported here: needs root")
	}
}

// openFixture loads the program with the tables of steertest, pinned nowhere.
func openFixture(t testing.TB) *Datapath {
	t.Helper()
	needRoot(t)
	d, err := Open(Config{Mode: ModeGeneric, MaxPins: 1024, PartialChecksums: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := d.ReplaceServices(steertest.Services()); err != nil {
		t.Fatal(err)
	}
	if err := d.SetSlots(steertest.DirectID, steertest.DirectSlots); err != nil {
		t.Fatal(err)
	}
	if err := steertest.FillSources(d.Sources()); err != nil {
		t.Fatal(err)
	}
	for id, w := range steertest.Workers() {
		if w.Forward == steer.ForwardNone {
			continue
		}
		if err := d.SetWorker(id, w); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// result is what the kernel program made of a frame.
type result struct {
	action   steer.XDPAction
	frame    []byte
	outcomes map[steer.Outcome]uint64 // counted for it
	pin      steer.Pin
}

// runFrame runs the program over one frame, with one pin; nil for none.
func runFrame(t testing.TB, d *Datapath, frame []byte, key steer.Key, pin *steer.Pin) result {
	t.Helper()
	if pin != nil {
		if err := d.Pins().Put(key, *pin); err != nil {
			t.Fatal(err)
		}
		defer d.Pins().Delete(key)
	}
	before := counters(t, d)
	opts := ebpf.RunOptions{Data: frame, DataOut: make([]byte, len(frame)+256)}
	action, err := d.objs.Sipsteer.Run(&opts)
	if err != nil {
		t.Fatal(err)
	}
	r := result{action: steer.XDPAction(action), frame: opts.DataOut, outcomes: map[steer.Outcome]uint64{}}
	for o, n := range counters(t, d) {
		if n != before[o] {
			r.outcomes[o] = n - before[o]
		}
	}
	r.pin, _ = d.Pins().Get(key)
	d.Pins().Delete(key) // one that the program made
	return r
}

func counters(t testing.TB, d *Datapath) map[steer.Outcome]uint64 {
	t.Helper()
	all, err := d.Counters()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestKernelMeetsTheTable(t *testing.T) {
	d := openFixture(t)
	for _, c := range steertest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			packets, err := d.WorkerPackets()
			if err != nil {
				t.Fatal(err)
			}
			r := runFrame(t, d, c.Frame, c.Key(), c.Pin)
			if r.action != c.Action || len(r.outcomes) != 1 || r.outcomes[c.Outcome] != 1 {
				t.Fatalf("got %v (XDP action %d), want one %v (%d)", r.outcomes, r.action, c.Outcome, c.Action)
			}
			if !bytes.Equal(r.frame, c.Want) {
				t.Errorf("frame leaves as\n%x, want\n%x", r.frame, c.Want)
			}
			var before steer.Pin
			if c.Pin != nil {
				before = *c.Pin
			}
			if got := steertest.Settle(before, r.pin); got != c.WantPin {
				t.Errorf("pin is %+v, want %+v", got, c.WantPin)
			}
			if c.WantPin.Worker == 0 {
				return
			}
			want := packets[c.WantPin.Worker]
			if c.Outcome.Action() == steer.ActionSteer {
				want++
			}
			if packets, err = d.WorkerPackets(); err != nil || packets[c.WantPin.Worker] != want {
				t.Errorf("worker has %d packets (%v), want %d", packets[c.WantPin.Worker], err, want)
			}
		})
	}
}
