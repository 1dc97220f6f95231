// SPDX-License-Identifier: Apache-2.0

package dialog

import (
	"fmt"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Counts tells how many pins there are in each state, and of each worker how
// many that have not ended.
type Counts struct {
	Early, Confirmed, Ended int
	Worker                  map[uint32]int
}

func newCounts() Counts { return Counts{Worker: map[uint32]int{}} }

func (c *Counts) add(p steer.Pin) {
	switch p.State {
	case steer.StateEarly:
		c.Early++
	case steer.StateConfirmed:
		c.Confirmed++
	case steer.StateEnded:
		c.Ended++
		return
	}
	c.Worker[p.Worker]++
}

// Count walks the pins.
func (d *Dialogs) Count() (Counts, error) {
	c := newCounts()
	err := d.pins.Each(func(_ steer.Key, p steer.Pin) bool {
		c.add(p)
		return true
	})
	if err != nil {
		return c, fmt.Errorf("counting dialogs: %w", err)
	}
	return c, nil
}

// Recent is what the last sweep counted, which costs nothing, whatever the size
// of the table. Before the first sweep it counts. The map is not to be changed.
func (d *Dialogs) Recent() (Counts, error) {
	if c := d.recent.Load(); c != nil {
		return *c, nil
	}
	return d.Count()
}
