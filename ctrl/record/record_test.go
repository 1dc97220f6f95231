// SPDX-License-Identifier: Apache-2.0

package record_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/dialog"
	"github.com/sipsteer/sipsteer/ctrl/record"
	"github.com/sipsteer/sipsteer/ctrl/store"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

type names struct{ up bool }

func (names) ServiceName(uint16) string          { return "edge" }
func (n names) WorkerName(uint32) (string, bool) { return "w1", n.up }

var begin = time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)

// call is an ended call with a pin of that shape.
func call(n int, p steer.Pin) dialog.Ended {
	p.StartNS = uint64(n)
	return dialog.Ended{
		Key: steer.Key{byte(n)}, Pin: p, Call: dialog.Call{CallID: fmt.Sprintf("call-%d", n), From: "sip:alice@example.com", To: "sip:bob@example.com"},
		Start: begin, Answer: begin.Add(2 * time.Second), End: begin.Add(65 * time.Second),
	}
}

var hungUp = steer.Pin{State: steer.StateEnded, AnswerNS: 1, FinalCode: 200, EndedBy: steer.ByCaller, Requests: 2, Responses: 3}

// site is a store and a file in a folder of the test's own.
type site struct {
	*testing.T
	store *store.Store
	file  string
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	st, err := store.Open("sqlite://" + dir + "/store.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return &site{t, st, filepath.Join(dir, "records.jsonl")}
}

func (s *site) start(n names) *record.Recorder {
	s.Helper()
	r, err := record.New(context.Background(), s.store, n, record.Options{File: s.file, Keep: time.Hour})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { _ = r.Close() })
	return r
}

func (s *site) add(r *record.Recorder, calls ...dialog.Ended) {
	s.Helper()
	if err := r.Add(context.Background(), calls); err != nil {
		s.Fatal(err)
	}
}

func (s *site) flush(r *record.Recorder, now time.Time) {
	s.Helper()
	if err := r.Flush(context.Background(), now); err != nil {
		s.Fatal(err)
	}
}

// calls are the Call-IDs in a file, in order.
func (s *site) calls(file string) string {
	s.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		s.Fatal(err)
	}
	var ids []string
	for line := range strings.Lines(string(text)) {
		var r struct {
			CallID string `json:"call_id"`
		}
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			s.Fatalf("%q: %v", line, err)
		}
		ids = append(ids, strings.TrimPrefix(r.CallID, "call-"))
	}
	return strings.Join(ids, " ")
}

func TestEachCallStandsOnceInStoreAndFile(t *testing.T) {
	s := newSite(t)
	r := s.start(names{true})
	s.add(r, call(1, hungUp), call(2, hungUp))
	s.flush(r, begin)
	s.add(r, call(2, hungUp), call(3, hungUp)) // as after a restart
	s.flush(r, begin)
	// Killed behind the store, before the file.
	s.add(r, call(4, hungUp))
	r = s.start(names{true})
	s.flush(r, begin)
	s.flush(r, begin)
	if got := s.calls(s.file); got != "1 2 3 4" {
		t.Errorf("file has %s", got)
	}
	rows, err := s.store.Records(context.Background(), store.RecordFilter{Limit: 100})
	if err != nil || len(rows) != 4 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestATornLineIsWrittenAgain(t *testing.T) {
	s := newSite(t)
	r := s.start(names{true})
	s.add(r, call(1, hungUp), call(2, hungUp))
	s.flush(r, begin)
	text, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	first := strings.Index(string(text), "\n") + 1
	for _, cut := range []int{len(text) - 1, first + 1, first} {
		// The store was told of both only after the line was whole.
		if err := s.store.SetRecordsWritten(context.Background(), 1); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(s.file, int64(cut)); err != nil {
			t.Fatal(err)
		}
		s.flush(s.start(names{true}), begin)
		if got := s.calls(s.file); got != "1 2" {
			t.Errorf("cut at %d of %d: file has %s", cut, len(text), got)
		}
	}
}

func TestAFileThatWasMovedIsMadeAnew(t *testing.T) {
	s := newSite(t)
	r := s.start(names{true})
	s.add(r, call(1, hungUp))
	s.flush(r, begin)
	if err := os.Rename(s.file, s.file+".1"); err != nil {
		t.Fatal(err)
	}
	s.add(r, call(2, hungUp))
	s.flush(r, begin)
	if err := os.Rename(s.file, s.file+".2"); err != nil {
		t.Fatal(err)
	}
	r = s.start(names{true}) // nothing twice after a restart either
	s.add(r, call(3, hungUp))
	s.flush(r, begin)
	if a, b, c := s.calls(s.file+".1"), s.calls(s.file+".2"), s.calls(s.file); a != "1" || b != "2" || c != "3" {
		t.Errorf("files have %q, %q and %q", a, b, c)
	}
}

func TestAForeignFileIsRefused(t *testing.T) {
	s := newSite(t)
	if err := os.WriteFile(s.file, []byte("root:x:0:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := record.New(context.Background(), s.store, names{}, record.Options{File: s.file})
	if err == nil || !strings.Contains(err.Error(), "no call record") {
		t.Errorf("got %v", err)
	}
}

func TestOldRecordsLeaveTheStoreOnceTheyAreInTheFile(t *testing.T) {
	s := newSite(t)
	r := s.start(names{true})
	s.add(r, call(1, hungUp))
	s.flush(r, begin.Add(2*time.Minute))
	s.add(r, call(2, hungUp))
	s.flush(r, begin.Add(3*time.Hour))
	if rows, err := s.store.Records(context.Background(), store.RecordFilter{Limit: 9}); err != nil || len(rows) != 0 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	s.add(r, call(3, hungUp)) // its id is a new one, or the file would not take it
	s.flush(r, begin)
	if got := s.calls(s.file); got != "1 2 3" {
		t.Errorf("file has %s", got)
	}
}

func TestLineAndCauses(t *testing.T) {
	for name, c := range map[string]struct {
		pin       steer.Pin
		down      bool
		by, cause string
	}{
		"caller hangs up":       {hungUp, false, "caller", "bye"},
		"callee hangs up":       {steer.Pin{AnswerNS: 1, EndedBy: steer.ByCallee}, false, "callee", "bye"},
		"unknown":               {steer.Pin{AnswerNS: 1}, false, "unknown", "bye"},
		"BYE before the answer": {steer.Pin{EndedBy: steer.ByCaller}, false, "caller", "bye"},
		"busy":                  {steer.Pin{FinalCode: 486}, false, "callee", "failed"},
		"cancelled":             {steer.Pin{FinalCode: 487, Cancelled: true}, false, "caller", "cancelled"},
		"cancelled, no 487":     {steer.Pin{Cancelled: true}, false, "caller", "cancelled"},
		"busy when cancelled":   {steer.Pin{FinalCode: 486, Cancelled: true}, false, "callee", "failed"},
		"answer of the worker":  {steer.Pin{}, false, "worker", "failed"},
		"no answer":             {steer.Pin{EndedBy: steer.ByTimeout}, false, "timeout", "no_answer"},
		"silent":                {steer.Pin{AnswerNS: 1, EndedBy: steer.ByTimeout}, false, "timeout", "idle"},
		"worker died":           {steer.Pin{AnswerNS: 1, EndedBy: steer.ByTimeout}, true, "timeout", "worker_down"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			r := s.start(names{!c.down})
			s.add(r, call(1, c.pin))
			s.flush(r, begin)
			text, _ := os.ReadFile(s.file)
			var got map[string]any
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			for field, want := range map[string]any{
				"ended_by": c.by, "cause": c.cause, "start": "2026-03-01T12:00:00.123Z", "ring": nil,
				"end": "2026-03-01T12:01:05.123Z", "duration": 63.0, "service": "edge", "worker": "w1",
			} {
				if got[field] != want {
					t.Errorf("%s is %v, want %v", field, got[field], want)
				}
			}
		})
	}
}

func TestRecordsAreFound(t *testing.T) {
	s := newSite(t)
	r := s.start(names{true})
	other := call(2, hungUp)
	other.Call.From, other.End = "sip:malice@example.com;user=phone", begin.Add(time.Hour)
	s.add(r, call(1, hungUp), other)
	for name, c := range map[string]struct {
		f    store.RecordFilter
		want int
	}{
		"all":          {store.RecordFilter{}, 2},
		"caller":       {store.RecordFilter{User: "alice@example.com"}, 1},
		"parameters":   {store.RecordFilter{User: "malice@example.com"}, 1},
		"callee":       {store.RecordFilter{User: "bob@example.com"}, 2},
		"Call-ID":      {store.RecordFilter{CallID: "call-2"}, 1},
		"since":        {store.RecordFilter{Since: begin.Add(30 * time.Minute)}, 1},
		"until":        {store.RecordFilter{Until: begin.Add(time.Second)}, 0},
		"the next one": {store.RecordFilter{After: 1}, 1},
	} {
		c.f.Limit = 10
		if got, err := s.store.Records(context.Background(), c.f); err != nil || len(got) != c.want {
			t.Errorf("%s: %d records, %v; want %d", name, len(got), err, c.want)
		}
	}
}
