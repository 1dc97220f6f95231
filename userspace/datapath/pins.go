// SPDX-License-Identifier: Apache-2.0

package datapath

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/sipsteer/sipsteer/bpf"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Pins is the kernel's table of pins, and beside it the names of the calls. It is safe for concurrent use.
type Pins struct {
	pins, calls *ebpf.Map
	note, merge *ebpf.Program
}

// CallInfo is what the control plane must know of a call to name it after a restart. Longer names are cut to 256 bytes
// (CallID) and 128 bytes.
type CallInfo struct {
	CallID, From, To string
	Cut              bool // CallID may be the beginning of a longer one; set by GetCall alone
}

// Now returns the clock that times in pins are in: CLOCK_MONOTONIC_COARSE, in nanoseconds.
func Now() uint64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC_COARSE, &ts); err != nil {
		return 0 // no kernel that runs the datapath lacks it
	}
	return uint64(ts.Nano())
}

func toC(p steer.Pin) bpf.SteerPin {
	return bpf.SteerPin{
		Worker: p.Worker, State: bpf.SteerPinState(p.State), Cseq: p.CSeq, Service: p.Service, Method: uint8(p.Method),
		EndedBy: uint8(p.EndedBy), FinalCode: p.FinalCode, Cancelled: bit(p.Cancelled), Moved: bit(p.Moved),
		Ringing: p.Ringing, Caller: p.Caller, StartNs: p.StartNS, RingNs: p.RingNS, AnswerNs: p.AnswerNS, EndNs: p.EndNS,
		SeenNs: p.SeenNS, Requests: p.Requests, Responses: p.Responses,
	}
}

func bit(set bool) uint8 {
	if set {
		return 1
	}
	return 0
}

func fromC(p *bpf.SteerPin) steer.Pin {
	return steer.Pin{
		Worker: p.Worker, State: steer.State(p.State), CSeq: p.Cseq, Service: p.Service, Method: steer.Method(p.Method),
		EndedBy: steer.By(p.EndedBy), FinalCode: p.FinalCode, Cancelled: p.Cancelled != 0, Moved: p.Moved != 0,
		Ringing: p.Ringing, Caller: p.Caller, StartNS: p.StartNs, RingNS: p.RingNs, AnswerNS: p.AnswerNs, EndNS: p.EndNs,
		SeenNS: p.SeenNs, Requests: p.Requests, Responses: p.Responses,
	}
}

// Put adds a pin or replaces it. The error wraps steer.ErrFull when the table is full.
func (t *Pins) Put(k steer.Key, p steer.Pin) error {
	return full("pinning", t.pins.Put(bpf.SteerPinKey{Hash: k}, toC(p)))
}

// full names what the kernel says when a table has no room.
func full(doing string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.E2BIG), errors.Is(err, syscall.ENOMEM):
		err = steer.ErrFull
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// Get returns the pin of a key.
func (t *Pins) Get(k steer.Key) (steer.Pin, bool) {
	var p bpf.SteerPin
	if err := t.pins.Lookup(bpf.SteerPinKey{Hash: k}, &p); err != nil {
		return steer.Pin{}, false
	}
	return fromC(&p), true
}

// Note applies a message that was judged in user space to the pin, within the kernel, so that it does not race with
// packets that are steered meanwhile. It is false when there is no such pin.
func (t *Pins) Note(k steer.Key, m steer.Message) bool {
	args := bpf.SteerNoteArgs{Key: bpf.SteerPinKey{Hash: k}}
	args.Note.Status = uint32(m.Status)
	args.Note.Method = bpf.SteerMethod(m.Method)
	if !m.Request {
		args.Note.Method = bpf.SteerMethod(m.CSeqMethod)
	}
	args.Note.Cseq = m.CSeq
	args.Note.Leg = m.Leg()
	args.Note.Now = Now()
	args.From, args.To = m.From, m.To
	out := args
	if _, err := t.note.Run(&ebpf.RunOptions{Context: args, ContextOut: &out}); err != nil {
		return false
	}
	return out.Found == 1
}

// Merge adds to a pin what the control plane knows of its dialog, within the kernel as Note does. With unlessSeen above
// 0 the pin is left alone when its last packet came at another time. It is false when there is no such pin.
func (t *Pins) Merge(k steer.Key, more steer.Pin, unlessSeen uint64) bool {
	args := bpf.SteerMergeArgs{Key: bpf.SteerPinKey{Hash: k}, More: toC(more), UnlessSeen: unlessSeen}
	out := args
	if _, err := t.merge.Run(&ebpf.RunOptions{Context: args, ContextOut: &out}); err != nil {
		return false
	}
	return out.Found == 1
}

// Delete removes the pin of a key and the names beside it, if there are any.
func (t *Pins) Delete(k steer.Key) {
	// Only a missing key can fail here.
	_ = t.pins.Delete(bpf.SteerPinKey{Hash: k})
	_ = t.calls.Delete(bpf.SteerPinKey{Hash: k})
}

const eachBatch = 4096

// Each calls fn with each pin until it returns false. fn may change the table; pins that come or go meanwhile may be
// seen or not.
func (t *Pins) Each(fn func(steer.Key, steer.Pin) bool) error {
	size := min(eachBatch, int(t.pins.MaxEntries()))
	keys := make([]bpf.SteerPinKey, size)
	values := make([]bpf.SteerPin, size)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := t.pins.BatchLookup(&cursor, keys, values, nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("reading pins: %w", err)
		}
		for i := range n {
			if !fn(keys[i].Hash, fromC(&values[i])) {
				return nil
			}
		}
		if err != nil {
			return nil
		}
	}
}

// PutCall keeps the names of a call beside its pin. The error wraps steer.ErrFull when the table is full.
func (t *Pins) PutCall(k steer.Key, c CallInfo) error {
	var v bpf.SteerCallInfo
	copy(v.CallId[:], c.CallID)
	copy(v.From[:], c.From)
	copy(v.To[:], c.To)
	return full("keeping the names of a call", t.calls.Put(bpf.SteerPinKey{Hash: k}, v))
}

// DeleteCall removes the names of a call, if there are any.
func (t *Pins) DeleteCall(k steer.Key) {
	_ = t.calls.Delete(bpf.SteerPinKey{Hash: k})
}

// GetCall returns the names of a call.
func (t *Pins) GetCall(k steer.Key) (CallInfo, bool) {
	var v bpf.SteerCallInfo
	if err := t.calls.Lookup(bpf.SteerPinKey{Hash: k}, &v); err != nil {
		return CallInfo{}, false
	}
	return CallInfo{CallID: cString(v.CallId[:]), From: cString(v.From[:]), To: cString(v.To[:]), Cut: v.CallId[len(v.CallId)-1] != 0}, true
}

func cString(b []byte) string {
	b, _, _ = bytes.Cut(b, []byte{0})
	return string(b)
}
