// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/ctrl/api/apitest"
)

func TestRatesBetweenTwoLooks(t *testing.T) {
	before := &api.Status{Workers: []api.WorkerStatus{{Name: "w1", Steered: 100}}}
	now := &api.Status{
		Node: "lb1", Dialogs: api.DialogCounts{Confirmed: 3},
		Workers: []api.WorkerStatus{{Name: "w1", State: api.WorkerUp, Steered: 160}, {Name: "w2", State: api.WorkerDown}},
	}
	before.Datapath = api.DatapathStatus{Steered: 1000, Passed: 50, Dropped: map[string]uint64{"not_sip": 7, "keepalive": 1}}
	now.Datapath = api.DatapathStatus{Mode: "off", Steered: 3000, Passed: 20, Dropped: map[string]uint64{"not_sip": 27, "keepalive": 1}}
	r := ratesOf(before, now, 2*time.Second)
	if r.Steered != 1000 || r.Passed != 0 || r.Dropped["not_sip"] != 10 || len(r.Dropped) != 1 || r.Workers["w1"] != 30 {
		t.Fatalf("%+v", r)
	}
	var b bytes.Buffer
	printRates(&b, r)
	for _, want := range []string{"steered/s      1000\n", "passed up/s    0\n", "dropped/s      10 (not_sip 10)\n", "3 confirmed", "w2"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestTopIntoAPipe(t *testing.T) {
	url := serve(t, apitest.New())
	r := runWith(t, url, "", "top", "--every", "100ms", "-n", "2", "--json")
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if r.status != exitOK || len(lines) != 2 {
		t.Fatalf("status %d, %d lines\n%s%s", r.status, len(lines), r.stdout, r.stderr)
	}
	for _, l := range lines {
		var got rates
		if err := json.Unmarshal([]byte(l), &got); err != nil || got.Status.Node == "" || got.Seconds < 0.09 {
			t.Errorf("%v in %s", err, l)
		}
	}
	text := runWith(t, url, "", "top", "--every", "100ms", "-n", "1")
	if text.status != exitOK || strings.Contains(text.stdout, "\x1b") || !strings.Contains(text.stdout, "WORKER") {
		t.Errorf("status %d\n%s%s", text.status, text.stdout, text.stderr)
	}
	if wrong := runWith(t, url, "", "top", "--every", "1ms"); wrong.status != exitUsage {
		t.Errorf("--every 1ms: status %d", wrong.status)
	}
}
