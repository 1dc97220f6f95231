// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/transport"
)

func TestStepsOfACallAreTimed(t *testing.T) {
	f := newFixture(t, 10)
	f.register("bob", "<sip:bob@198.51.100.8>", bob)
	deliver := f.Deliver
	f.Deliver = func(worker uint32, d transport.Datagram) error {
		f.now = f.now.Add(3 * time.Millisecond)
		return deliver(worker, d)
	}
	f.signed(alice, request{auth: "alice"})
	if len(f.delivered) != 1 {
		t.Fatalf("%d deliveries", len(f.delivered))
	}
	steps := f.Steps()
	// Two requests of bob and two of alice, the first of each challenged.
	for step, want := range map[string]uint64{"auth": 4, "store": 1, "route": 1, "pin": 1, "handover": 1} {
		if got := steps[step].Count; got != want {
			t.Errorf("%s was timed %d times, want %d", step, got, want)
		}
	}
	h := steps["handover"]
	if h.Sum != 0.003 || h.Buckets[0.0025] != 0 || h.Buckets[0.01] != 1 || h.Buckets[1] != 1 {
		t.Errorf("3 ms were counted as %+v", h)
	}
	if h := steps["pin"]; h.Sum != 0 || h.Buckets[0.00002] != 1 {
		t.Errorf("no time at all was counted as %+v", h)
	}
}

func TestADurationAboveEveryBoundIsCounted(t *testing.T) {
	var h histogram
	h.observe(2 * time.Second)
	h.observe(-time.Second) // a clock that was set back
	got := h.read()
	if got.Count != 2 || got.Buckets[1] != 1 || got.Sum != 2 {
		t.Errorf("%+v", got)
	}
}

func TestEveryStepHasAName(t *testing.T) {
	f := newFixture(t, 1)
	if got := f.Steps(); len(got) != int(steps) || got[""].Buckets != nil {
		t.Errorf("%v", got)
	}
}
