// SPDX-License-Identifier: Apache-2.0

package steer_test

import (
	"encoding/binary"
	"errors"
	"sync"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

func key(i int) (k steer.Key) {
	binary.BigEndian.PutUint64(k[:], uint64(i)*0x9e3779b97f4a7c15)
	return k
}

func newTable(maxPins int) *steer.Table {
	return steer.NewTable(maxPins, func() uint64 { return steertest.Now })
}

func TestTableKeepsItsBound(t *testing.T) {
	table := newTable(100)
	for i := range 100 {
		if err := table.Put(key(i), steertest.Pin(1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Put(key(100), steertest.Pin(1)); !errors.Is(err, steer.ErrFull) {
		t.Fatalf("got %v, want ErrFull", err)
	}
	if err := table.Put(key(3), steertest.Pin(2)); err != nil {
		t.Errorf("replacing a pin: %v", err)
	}
	table.Delete(key(3))
	table.Delete(key(3))
	if _, ok := table.Get(key(3)); ok {
		t.Error("a deleted pin is still there")
	}
	if err := table.Put(key(100), steertest.Pin(1)); err != nil {
		t.Errorf("after a delete: %v", err)
	}
	if err := table.Put(key(101), steertest.Pin(1)); !errors.Is(err, steer.ErrFull) {
		t.Errorf("a second delete of one pin made room: %v", err)
	}
}

func TestTableEachSeesAllAndStops(t *testing.T) {
	table := newTable(100)
	for i := range 50 {
		if err := table.Put(key(i), steertest.Pin(uint32(i+1))); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[steer.Key]uint32{}
	if err := table.Each(func(k steer.Key, p steer.Pin) bool {
		seen[k] = p.Worker
		table.Delete(k) // may change the table
		return true
	}); err != nil || len(seen) != 50 || seen[key(7)] != 8 {
		t.Errorf("saw %d pins (%v)", len(seen), err)
	}
	if err := table.Put(key(1), steertest.Pin(1)); err != nil {
		t.Fatal(err)
	}
	if err := table.Put(key(2), steertest.Pin(1)); err != nil {
		t.Fatal(err)
	}
	calls := 0
	if err := table.Each(func(steer.Key, steer.Pin) bool { calls++; return false }); err != nil || calls != 1 {
		t.Errorf("Each went on after false: %d calls (%v)", calls, err)
	}
}

func TestTableNotesUnderContention(t *testing.T) {
	table := newTable(10)
	if err := table.Put(key(1), steertest.Pin(1)); err != nil {
		t.Fatal(err)
	}
	info := steer.Scan([]byte(steertest.Request("INFO").String()))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				table.Note(key(1), info)
			}
		})
	}
	wg.Wait()
	if p, ok := table.Get(key(1)); !ok || p.Requests != 2000 || p.SeenNS != steertest.Now {
		t.Errorf("pin is %+v, want 2000 requests", p)
	}
	if table.Note(key(2), info) {
		t.Error("a pin that is not there was noted")
	}
}

func TestOutcomesSayWhatTheyDo(t *testing.T) {
	names := map[string]bool{}
	for _, o := range steer.Outcomes() {
		name := o.String()
		if names[name] {
			t.Errorf("%s stands for two outcomes", name)
		}
		names[name] = true
		if want := o.Action().String() + "_"; len(name) < len(want) || name[:len(want)] != want {
			t.Errorf("%s has action %v", name, o.Action())
		}
	}
}
