// SPDX-License-Identifier: Apache-2.0

package dialog

import (
	"errors"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// sweep sweeps once and keeps the records in the fixture.
func (f *fixture) sweep(t *testing.T) Swept {
	t.Helper()
	swept, err := f.Sweep(Sweeper{Now: time.Unix(1e9, 0), Rest: func() {}, Record: func(e []Ended) error {
		f.records = append(f.records, e...)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return swept
}

func (f *fixture) note(k steer.Key, m steer.Message) { f.pins.Note(k, m) }

var (
	key1   = steer.Key{1}
	answer = steer.Message{Status: 200, CSeq: 2, CSeqMethod: steer.MethodInvite}
	bye    = steer.Message{Request: true, Method: steer.MethodBye}
	busy   = steer.Message{Status: 486, CSeq: 2, CSeqMethod: steer.MethodInvite}
)

func TestPinsOfNoCallExpireByState(t *testing.T) {
	for name, c := range map[string]struct {
		method steer.Method
		state  steer.State
		life   time.Duration
	}{
		"unanswered MESSAGE":   {steer.MethodOther, steer.StateEarly, limits.Ended},
		"standing SUBSCRIBE":   {steer.MethodSubscribe, steer.StateConfirmed, limits.Confirmed},
		"unanswered SUBSCRIBE": {steer.MethodSubscribe, steer.StateEarly, limits.Early},
		"refused SUBSCRIBE":    {steer.MethodSubscribe, steer.StateEnded, limits.Ended},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(10)
			if err := f.pins.Put(key1, steer.Pin{Worker: 3, Method: c.method, State: c.state, SeenNS: f.now}); err != nil {
				t.Fatal(err)
			}
			f.pass(c.life)
			if got := f.sweep(t); got.Removed != 0 {
				t.Fatal("swept while its time runs")
			}
			f.pass(time.Millisecond)
			if got := f.sweep(t); got.Removed != 1 || len(f.records) != 0 {
				t.Fatalf("swept %+v, %d records after its time", got, len(f.records))
			}
		})
	}
}

// Of a flood that nobody answers, little is kept once the table gets crowded; calls that somebody answered stay.
func TestACrowdedTableForgetsWhatNobodyAnswered(t *testing.T) {
	f := newFixture(100)
	f.timeouts.Crowd = 50
	put := func(n int, p steer.Pin) {
		p.Worker, p.Method, p.State, p.SeenNS = 3, steer.MethodInvite, steer.StateEarly, f.now
		if err := f.pins.Put(steer.Key{byte(n)}, p); err != nil {
			t.Fatal(err)
		}
	}
	put(0, steer.Pin{Responses: 1, RingNS: f.now})
	for n := 1; n <= 49; n++ {
		put(n, steer.Pin{})
	}
	f.pass(limits.Ended + time.Second)
	for range 2 {
		if got := f.sweep(t); got.Removed != 0 {
			t.Fatalf("swept %+v of a table that is not crowded", got)
		}
	}
	put(50, steer.Pin{})
	removed := 0
	for range 2 { // one sweep to see the crowd, one to act
		removed += f.sweep(t).Removed
	}
	if removed != 49 || len(f.records) != 0 {
		t.Fatalf("swept %d with %d records, want the 49 that nobody answered in time, and none", removed, len(f.records))
	}
	if _, ok := f.pins.Get(steer.Key{0}); !ok {
		t.Fatal("a ringing call was swept")
	}
}

func TestCallsThatDoNotEndAreGivenUpAndRecorded(t *testing.T) {
	for name, c := range map[string]struct {
		messages []steer.Message
		ringing  uint32
		life     time.Duration
		by       steer.By
	}{
		"ringing":                 {nil, 1, limits.Early, steer.ByTimeout},
		"talking":                 {[]steer.Message{answer}, 0, limits.Confirmed, steer.ByTimeout},
		"refused, no ACK":         {[]steer.Message{busy}, 0, unacknowledged, steer.ByUnknown},
		"refused, rings at other": {[]steer.Message{busy}, 1, limits.Early, steer.ByTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(10)
			if err := f.Pin(key1, invite); err != nil {
				t.Fatal(err)
			}
			p, _ := f.pins.Get(key1)
			p.Ringing = c.ringing
			_ = f.pins.Put(key1, p)
			for _, m := range c.messages {
				f.note(key1, m)
			}
			f.pass(c.life)
			f.sweep(t)
			if p, _ := f.pins.Get(key1); p.State == steer.StateEnded {
				t.Fatal("ended while its time runs")
			}
			last := f.now
			f.pass(time.Second)
			f.sweep(t)
			f.pass(grace)
			f.sweep(t)
			f.sweep(t)
			if len(f.records) != 1 || f.records[0].Pin.EndedBy != c.by || f.records[0].Call != invite.Call {
				t.Fatalf("records: %+v", f.records)
			}
			if end := f.records[0].End; !end.Equal(time.Unix(1e9, 0).Add(-c.life - time.Second - grace)) {
				t.Errorf("ended at %v, want the time of its last packet (now %d)", end, last)
			}
			f.pass(limits.Ended + time.Second)
			if got := f.sweep(t); got != (Swept{Removed: 1}) || len(f.records) != 1 {
				t.Errorf("then %+v, %d records", got, len(f.records))
			}
		})
	}
}

func TestAnEndedCallIsRecordedOnceAndStaysForRetransmissions(t *testing.T) {
	f := newFixture(10)
	if err := f.Pin(key1, invite); err != nil {
		t.Fatal(err)
	}
	f.note(key1, answer)
	f.pass(time.Minute)
	f.note(key1, bye)
	f.pass(grace - 1)
	if f.sweep(t); len(f.records) != 0 {
		t.Fatal("recorded before the answer to the BYE can be counted")
	}
	f.note(key1, steer.Message{Status: 200, CSeq: 3, CSeqMethod: steer.MethodBye})
	f.pass(time.Second)
	for range 3 {
		f.sweep(t)
		f.pass(time.Second)
	}
	if len(f.records) != 1 || f.records[0].Pin.Responses != 2 || f.records[0].Key != key1 {
		t.Fatalf("records: %+v", f.records)
	}
	if _, ok := f.pins.Get(key1); !ok {
		t.Fatal("the pin went at once")
	}
	f.pass(limits.Ended)
	if got := f.sweep(t); got != (Swept{Removed: 1}) {
		t.Fatalf("then %+v", got)
	}
}

func TestPinsStandUntilTheirRecordIsWritten(t *testing.T) {
	f := newFixture(10)
	if err := f.Pin(key1, invite); err != nil {
		t.Fatal(err)
	}
	f.note(key1, bye)
	full := errors.New("disk full")
	fails := Sweeper{Rest: func() {}, Record: func([]Ended) error { return full }}
	f.pass(limits.Ended + time.Second)
	if got, err := f.Sweep(fails); !errors.Is(err, full) || got.Removed != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
	if f.sweep(t); len(f.records) != 1 {
		t.Fatal("not recorded when the store works again")
	}
	if got := f.sweep(t); got != (Swept{Removed: 1}) {
		t.Fatalf("then %+v", got)
	}
}

func TestCallIDsAreUsedAgain(t *testing.T) {
	again := invite
	again.CSeq = 3
	for name, c := range map[string]struct {
		first   []steer.Message
		wait    time.Duration // until the second attempt
		records int
	}{
		"another attempt of a call that rings":        {nil, 0, 1},
		"another attempt of a refused call":           {[]steer.Message{busy, {Request: true, Method: steer.MethodAck, CSeq: 2}}, 0, 1},
		"another attempt when the refusal is written": {[]steer.Message{busy, {Request: true, Method: steer.MethodAck, CSeq: 2}}, 4 * time.Second, 2},
		"another call, just behind the first":         {[]steer.Message{answer, bye}, 0, 2},
		"another call, later":                         {[]steer.Message{answer, bye}, 4 * time.Second, 2},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(10)
			f.pass(time.Millisecond)
			if err := f.Pin(key1, invite); err != nil {
				t.Fatal(err)
			}
			for _, m := range c.first {
				f.note(key1, m)
			}
			for end := f.now + uint64(c.wait); f.now < end; f.pass(time.Second) {
				f.sweep(t)
			}
			f.pass(time.Millisecond)
			if err := f.Pin(key1, again); err != nil {
				t.Fatal(err)
			}
			f.note(key1, steer.Message{Status: 200, CSeq: 3, CSeqMethod: steer.MethodInvite})
			f.note(key1, bye)
			for range 4 {
				f.pass(time.Second)
				f.sweep(t)
			}
			if len(f.records) != c.records {
				t.Fatalf("%d records, want %d: %+v", len(f.records), c.records, f.records)
			}
			type call struct {
				key   steer.Key
				start uint64
			}
			calls := map[call]bool{}
			for _, r := range f.records {
				if calls[call{r.Key, r.Pin.StartNS}] = true; r.Key != key1 || r.Call != invite.Call {
					t.Errorf("record %+v", r)
				}
			}
			if len(calls) != c.records || f.records[len(f.records)-1].Pin.FinalCode != 200 {
				t.Errorf("records are not apart: %+v", f.records)
			}
			f.pass(limits.Ended + time.Minute)
			if f.sweep(t); f.count() != 0 {
				t.Errorf("%d pins are left", f.count())
			}
		})
	}
}

func (f *fixture) count() (n int) {
	_ = f.pins.Each(func(steer.Key, steer.Pin) bool { n++; return true })
	return n
}
