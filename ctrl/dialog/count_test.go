// SPDX-License-Identifier: Apache-2.0

package dialog

import (
	"errors"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// unwalkable is a table that cannot be walked any more.
type unwalkable struct{ Pins }

func (unwalkable) Each(func(steer.Key, steer.Pin) bool) error { return errors.New("walked") }

func TestRecentIsWhatTheLastSweepSawAndDoesNotWalk(t *testing.T) {
	f := newFixture(10)
	if c, err := f.Recent(); err != nil || c.Early != 0 {
		t.Fatalf("%+v, %v before there is a call", c, err)
	}
	if err := f.Pin(steer.Key{1}, invite); err != nil {
		t.Fatal(err)
	}
	if c, err := f.Recent(); err != nil || c.Early != 1 {
		t.Fatalf("%+v, %v before the first sweep", c, err)
	}
	f.sweep(t)
	walkable := f.Dialogs.pins
	f.Dialogs.pins = unwalkable{walkable}
	if c, err := f.Recent(); err != nil || c.Early != 1 || c.Worker[invite.Worker] != 1 {
		t.Fatalf("%+v, %v after it", c, err)
	}
	f.Dialogs.pins = walkable
	f.pins.Note(steer.Key{1}, steer.Message{Status: 200, CSeq: 2, CSeqMethod: steer.MethodInvite})
	f.pass(time.Second)
	f.sweep(t)
	if c, err := f.Recent(); err != nil || c.Early != 0 || c.Confirmed != 1 {
		t.Fatalf("%+v, %v after the answer", c, err)
	}
}
