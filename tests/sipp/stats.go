// SPDX-License-Identifier: Apache-2.0

package sipp

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Stats is what SIPp counted over a whole run.
type Stats struct {
	Created         int // calls begun, by either side
	Successful      int
	Failed          int
	Retransmissions int // messages that SIPp itself sent again
}

// readStats reads the last line of SIPp's statistics, a table with ; between the fields and the names in line 1.
func readStats(path string) (Stats, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Stats{}, fmt.Errorf("reading SIPp's statistics: %w", err)
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	if len(lines) < 2 {
		return Stats{}, fmt.Errorf("reading SIPp's statistics: %s has no line of figures", path)
	}
	names, fields := strings.Split(lines[0], ";"), strings.Split(lines[len(lines)-1], ";")
	var s Stats
	want := map[string]*int{
		"TotalCallCreated": &s.Created, "SuccessfulCall(C)": &s.Successful,
		"FailedCall(C)": &s.Failed, "Retransmissions(C)": &s.Retransmissions,
	}
	for i, name := range names {
		to := want[name]
		if to == nil || i >= len(fields) {
			continue
		}
		if *to, err = strconv.Atoi(fields[i]); err != nil {
			return Stats{}, fmt.Errorf("reading SIPp's statistics: %s: %w", name, err)
		}
		delete(want, name)
	}
	if len(want) > 0 {
		return Stats{}, fmt.Errorf("reading SIPp's statistics: %d of the columns are missing in %s", len(want), path)
	}
	return s, nil
}
