// SPDX-License-Identifier: Apache-2.0

package steer_test

import (
	"bytes"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

func TestFrameMeetsTheTable(t *testing.T) {
	for _, c := range steertest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			var pin *steer.Pin
			if c.Pin != nil {
				p := *c.Pin
				pin = &p
			}
			given := bytes.Clone(c.Frame)
			tables := steertest.Tables(c.Key(), pin)
			tables.Direct.Add = func(_ steer.Key, p steer.Pin) bool { pin = &p; return true }
			v := steer.Frame(given, steertest.IngressIndex, tables)
			if v.Outcome != c.Outcome || v.Action != c.Action {
				t.Fatalf("got %v (XDP action %d), want %v (%d)", v.Outcome, v.Action, c.Outcome, c.Action)
			}
			if !bytes.Equal(v.Frame, c.Want) {
				t.Errorf("frame leaves as\n%x, want\n%x", v.Frame, c.Want)
			}
			if !bytes.Equal(given, c.Frame) {
				t.Error("the frame given was changed")
			}
			if pin == nil {
				pin = &steer.Pin{}
			}
			if *pin != c.WantPin {
				t.Errorf("pin is %+v, want %+v", *pin, c.WantPin)
			}
		})
	}
}
