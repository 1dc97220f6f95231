// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestTheHighestSignedCloudKernelIsTaken(t *testing.T) {
	names := []string{
		"linux-image-6.1.0-9-cloud-amd64", "linux-image-6.1.0-56-cloud-amd64", "linux-image-6.1.0-7-cloud-amd64",
		"linux-image-6.1.0-99-cloud-amd64-unsigned", "linux-image-6.1.0-98-cloud-amd64-dbg", "linux-image-6.1.0-97-amd64",
		"linux-image-6.12.9+deb12-cloud-amd64", "linux-image-6.12.117+deb12-cloud-amd64",
	}
	for version, want := range map[string]string{
		"6.1":  "linux-image-6.1.0-56-cloud-amd64",
		"6.12": "linux-image-6.12.117+deb12-cloud-amd64",
		"6.18": "",
	} {
		if got := highest(version, names); got != want {
			t.Errorf("%s: got %q, want %q", version, got, want)
		}
	}
}

func TestBudget(t *testing.T) {
	steer, note := program{"a.o", "steer"}, program{"a.o", "note"}
	b := budget{"6.1": {steer: 100, note: 10}}
	for name, c := range map[string]struct {
		measured map[program]int
		word     string // of the error; "" when there is none
	}{
		"as it was":       {map[program]int{steer: 100, note: 10}, ""},
		"nearly doubled":  {map[program]int{steer: 199, note: 10}, ""},
		"doubled":         {map[program]int{steer: 200, note: 10}, "200"},
		"a new program":   {map[program]int{steer: 100, note: 10, {"b.o", "x"}: 1}, "no line"},
		"one disappeared": {map[program]int{steer: 100}, "not loaded"},
	} {
		err := b.judge("6.1", c.measured)
		if (err != nil) != (c.word != "") || err != nil && !strings.Contains(err.Error(), c.word) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	file := filepath.Join(t.TempDir(), "budget.txt")
	if err := b.write(file); err != nil {
		t.Fatal(err)
	}
	again, err := readBudget(file)
	if err != nil || !reflect.DeepEqual(*again, b) {
		t.Errorf("read again: %v (%v)", again, err)
	}
	if err := os.WriteFile(file, []byte("6.1 a.o steer many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readBudget(file); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a bad line: got %v", err)
	}
}

func TestReport(t *testing.T) {
	const good = "[ 1.0] noise\r\n@guest release 6.1.0-1\r\n[ 2.0] @guest program bpf+a.o steer 7\r\n@guest tests 3\r\n@guest end \r\n"
	r, err := readReport(good)
	want := report{release: "6.1.0-1", tests: 3, programs: map[program]int{{"bpf/a.o", "steer"}: 7}}
	if err != nil || !reflect.DeepEqual(r, want) {
		t.Errorf("got %+v (%v)", r, err)
	}
	for name, bad := range map[string]string{
		"a panic":    strings.Replace(good, "@guest end", "Kernel panic", 1),
		"a failure":  strings.Replace(good, "@guest end", "@guest failed x", 1),
		"no tests":   strings.Replace(good, "@guest tests 3\r\n", "", 1),
		"no program": strings.Replace(good, "@guest program bpf+a.o steer 7", "", 1),
		"garbage":    strings.Replace(good, "steer 7", "steer", 1),
	} {
		if _, err := readReport(bad); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}
