// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/doctor"
)

func TestDoctorNamesTheFaultAndFails(t *testing.T) {
	r := runWith(t, "", "", "doctor", "--json", "-i", "none-such")
	var out struct {
		OK       bool             `json:"ok"`
		Findings []doctor.Finding `json:"findings"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil {
		t.Fatalf("%v in %s%s", err, r.stdout, r.stderr)
	}
	if r.status != exitError || out.OK || r.stderr != "" {
		t.Errorf("status %d, ok %v, stderr %q", r.status, out.OK, r.stderr)
	}
	last := out.Findings[len(out.Findings)-1]
	if last.Interface != "none-such" || last.Status != doctor.Fail || last.Mend == "" {
		t.Errorf("the last finding is %+v", last)
	}
	text := runWith(t, "", "", "doctor", "-i", "none-such")
	if text.status != exitError || !strings.Contains(text.stdout, "mend: ip -brief link") || !strings.Contains(text.stdout, "not fit yet") {
		t.Errorf("status %d, it prints\n%s", text.status, text.stdout)
	}
}
