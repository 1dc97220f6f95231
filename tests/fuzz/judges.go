// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"net/netip"

	"github.com/sipsteer/sipsteer/userspace/datapath"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

// execution is one packet, and the pin that its Call-ID has, if any.
type execution struct {
	frame   []byte
	payload string // as the frame holds it where it is sound
	sound   bool   // the layers below SIP are
	pin     *steer.Pin
}

// judges holds the three readings of the rules side by side.
type judges struct {
	kernel   *datapath.Trial // nil: twin and reference alone
	tables   steer.Tables
	services map[netip.AddrPort]steer.Service
	met      map[steer.Outcome]uint64
}

func openJudges(kernel bool) (*judges, error) {
	j := &judges{tables: steertest.Tables(steer.Key{}, nil), services: steertest.Services(), met: map[steer.Outcome]uint64{}}
	if !kernel {
		return j, nil
	}
	var err error
	if j.kernel, err = datapath.OpenTrial(64); err != nil {
		return nil, err
	}
	if err := j.kernel.ReplaceServices(steertest.Services()); err != nil {
		return nil, err
	}
	if err := j.kernel.SetSlots(steertest.DirectID, steertest.DirectSlots); err != nil {
		return nil, err
	}
	if err := steertest.FillSources(j.kernel.Sources()); err != nil {
		return nil, err
	}
	for id, w := range steertest.Workers() {
		if w.Forward == steer.ForwardNone {
			continue
		}
		if err := j.kernel.SetWorker(id, w); err != nil {
			return nil, err
		}
	}
	return j, nil
}

func (j *judges) close() error {
	if j.kernel == nil {
		return nil
	}
	return j.kernel.Close()
}

// differ returns what the judges disagree about; "" for nothing.
func (j *judges) differ(x execution) string {
	var after steer.Pin
	if x.pin != nil {
		after = *x.pin
	}
	var key steer.Key
	asked := false
	j.tables.Pin = func(k steer.Key) *steer.Pin {
		key, asked = k, true
		if x.pin == nil {
			return nil
		}
		return &after
	}
	j.tables.Direct.Add = func(_ steer.Key, p steer.Pin) bool { after = p; return true }
	twin := steer.Frame(x.frame, steertest.IngressIndex, j.tables)
	j.met[twin.Outcome]++
	if !bySource(twin.Outcome) {
		if d := j.differReference(x, twin.Outcome, key); d != "" {
			return d
		}
	}
	if j.kernel == nil {
		return ""
	}
	return j.differKernel(x, twin, after, key, asked)
}

// bySource tells whether the text was never looked at because of who sent it.
func bySource(o steer.Outcome) bool {
	return o >= steer.DropDenied && o <= steer.DropServiceRate
}

// differReference holds the twin against the plain reading.
func (j *judges) differReference(x execution, twin steer.Outcome, key steer.Key) string {
	want, wantKey := j.reference(x)
	if wantKey != nil && key != *wantKey {
		return fmt.Sprintf("the twin looks for key %v, the reference for %v", key, *wantKey)
	}
	if want != twin {
		return fmt.Sprintf("the twin says %v, the reference %v", twin, want)
	}
	return ""
}

// reference gives the outcome by the plain reading, and the key where it comes to looking for a pin.
func (j *judges) reference(x execution) (want steer.Outcome, key *steer.Key) {
	d, want := steertest.ReferenceFrame(string(x.frame))
	if want != steer.Undecided {
		return want, nil
	}
	service, ours := j.services[d.Dst]
	switch {
	case !ours:
		return steer.PassNotOurs, nil
	case d.BadLength:
		return steer.DropBadLength, nil
	case service.Kind == steer.ServiceWorkerPort:
		return steer.DropWorkerPort, nil
	}
	m := steertest.Reference(d.Payload)
	if m.Unjudged != steer.Undecided {
		return m.Unjudged, nil
	}
	k := service.Secret.Key(m.CallID)
	switch {
	case service.Policy == steer.PolicyDirect:
		return direct(k, x.pin), &k
	case m.Initial():
		return steer.PassInitial, nil
	case x.pin == nil:
		return steer.PassNoPin, &k
	}
	return steered[x.pin.Worker], &k
}

// direct is what becomes of a packet under policy direct: to the pin's worker if there is a way to it, else to the
// table's.
func direct(k steer.Key, pin *steer.Pin) steer.Outcome {
	if pin != nil && steered[pin.Worker] != steer.PassNoWorker {
		return steered[pin.Worker]
	}
	return steered[steertest.DirectSlots[k.Slot(uint32(len(steertest.DirectSlots)))]]
}

// steered is what becomes of a pinned packet, by worker.
var steered = map[uint32]steer.Outcome{
	steertest.WorkerLocal: steer.SteerLocal, steertest.WorkerTX: steer.SteerL2TX, steertest.WorkerRedirect: steer.SteerL2Redirect,
	steertest.WorkerDown: steer.PassNoWorker, steertest.WorkerUnknown: steer.PassNoWorker,
}

// differKernel holds the kernel against the twin: outcome, action, the frame as it leaves, the pin as it stands after.
func (j *judges) differKernel(x execution, twin steer.FrameVerdict, after steer.Pin, key steer.Key, asked bool) string {
	var before steer.Pin
	if asked && x.pin != nil {
		before = *x.pin
		if err := j.kernel.Pins().Put(key, before); err != nil {
			return err.Error()
		}
	}
	if after.Worker != 0 && asked { // pinned before, or by the program
		defer j.kernel.Pins().Delete(key)
	}
	action, outcome, frame, err := j.kernel.Run(x.frame)
	switch {
	case err != nil:
		return err.Error()
	case outcome != twin.Outcome:
		return fmt.Sprintf("the kernel says %v, the twin %v", outcome, twin.Outcome)
	case action != twin.Action:
		return fmt.Sprintf("the kernel returns XDP action %d, the twin %d", action, twin.Action)
	case !bytes.Equal(frame, twin.Frame):
		return fmt.Sprintf("the kernel sends %x, the twin %x", frame, twin.Frame)
	}
	if !asked {
		return ""
	}
	pin, ok := j.kernel.Pins().Get(key)
	if pin = steertest.Settle(before, pin); ok != (after.Worker != 0) || pin != after {
		return fmt.Sprintf("the kernel leaves the pin %+v, the twin %+v", pin, after)
	}
	return ""
}
