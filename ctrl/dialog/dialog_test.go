// SPDX-License-Identifier: Apache-2.0

package dialog

import (
	"errors"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

var limits = Timeouts{Early: 200 * time.Second, Confirmed: 12 * time.Hour, Ended: 40 * time.Second}

type fixture struct {
	*Dialogs
	now     uint64
	pins    *steer.Table
	records []Ended
}

func newFixture(max int) *fixture {
	f := &fixture{now: uint64(24 * time.Hour)}
	clock := func() uint64 { return f.now }
	f.pins = steer.NewTable(max, clock)
	f.Dialogs = New(f.pins, NewCallTable(), limits, clock)
	return f
}

func (f *fixture) pass(d time.Duration) { f.now += uint64(d) }

var invite = Start{Worker: 3, Method: steer.MethodInvite, CSeq: 2, Call: Call{CallID: "c1", From: "sip:a@x", To: "sip:b@x"}}

func TestPinSparesWhatLives(t *testing.T) {
	key := steer.Key{1}
	other := Start{Worker: 9, Method: steer.MethodOther, CSeq: 5}
	again := Start{Worker: 3, Method: steer.MethodInvite, CSeq: 3}
	for name, c := range map[string]struct {
		old   steer.State
		next  Start
		keeps bool
	}{
		"talking, INVITE again":         {steer.StateConfirmed, again, true},
		"talking, other request":        {steer.StateConfirmed, other, true},
		"ringing, other request":        {steer.StateEarly, other, true},
		"ringing, INVITE after 401":     {steer.StateEarly, again, false},
		"over, called again":            {steer.StateEnded, again, false},
		"over, other under its Call-ID": {steer.StateEnded, other, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(10)
			old := steer.Pin{Worker: 3, Method: steer.MethodInvite, State: c.old, CSeq: 2, SeenNS: f.now}
			if err := f.pins.Put(key, old); err != nil {
				t.Fatal(err)
			}
			if err := f.Pin(key, c.next); err != nil {
				t.Fatal(err)
			}
			got, _ := f.pins.Get(key)
			if (got == old) != c.keeps {
				t.Fatalf("pin kept: %v, want %v", got == old, c.keeps)
			}
		})
	}
}

func TestFullTableIsSaidAndLeavesNothing(t *testing.T) {
	f := newFixture(1)
	if err := f.Pin(steer.Key{1}, invite); err != nil {
		t.Fatal(err)
	}
	if err := f.Pin(steer.Key{2}, invite); !errors.Is(err, steer.ErrFull) {
		t.Fatalf("pinning into a full table: %v", err)
	}
	if _, ok := f.calls.GetCall(steer.Key{2}); ok {
		t.Fatal("the record of a call that was not pinned stays")
	}
	if _, ok := f.pins.Get(steer.Key{1}); !ok {
		t.Fatal("the call that stood was lost")
	}
}

func TestRepinKeepsTheRecord(t *testing.T) {
	f := newFixture(10)
	key := steer.Key{1}
	if err := f.Pin(key, invite); err != nil {
		t.Fatal(err)
	}
	f.pins.Note(key, steer.Message{Status: 200, CSeq: 2, CSeqMethod: steer.MethodInvite})
	before, _ := f.pins.Get(key)
	f.pass(time.Minute)
	if err := f.Repin(key, Start{Worker: 8, Method: steer.MethodInvite, CSeq: 9}); err != nil {
		t.Fatal(err)
	}
	before.Worker, before.SeenNS = 8, f.now
	if got, _ := f.pins.Get(key); got != before {
		t.Fatalf("moved as %+v, want %+v", got, before)
	}
}

func TestListShowsTheCall(t *testing.T) {
	f := newFixture(10)
	wallNow := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := f.Pin(steer.Key{0xab}, invite); err != nil {
		t.Fatal(err)
	}
	f.pass(10 * time.Second)
	f.pins.Note(steer.Key{0xab}, steer.Message{Status: 200, CSeq: 2, CSeqMethod: steer.MethodInvite})
	f.pass(5 * time.Second)
	var got []Dialog
	if err := f.List(wallNow, func(d Dialog) bool { got = append(got, d); return true }); err != nil || len(got) != 1 {
		t.Fatalf("%d dialogs, %v", len(got), err)
	}
	d := got[0]
	if d.Call != invite.Call || d.State != steer.StateConfirmed || d.FinalCode != 200 || d.Responses != 1 ||
		!d.Start.Equal(wallNow.Add(-15*time.Second)) || !d.Answer.Equal(wallNow.Add(-5*time.Second)) || !d.End.IsZero() {
		t.Fatalf("listed as %+v", d)
	}
	c, err := f.Count()
	if err != nil || c.Confirmed != 1 || c.Early+c.Ended != 0 || c.Worker[3] != 1 {
		t.Fatalf("counted as %+v, %v", c, err)
	}
}
