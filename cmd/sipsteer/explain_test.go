// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/ctrl/store"
	"github.com/sipsteer/sipsteer/userspace/explain"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

func messageFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "message.sip")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExplainPrintsOneObjectALine(t *testing.T) {
	bye := messageFile(t, steertest.Request("BYE").Set("Call-ID", "a\\b\xff").String())
	ringing := steertest.Response("SIP/2.0 180 Ringing").String()
	r := runWith(t, "", ringing, "explain", "--json", bye, "-")
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if r.status != exitOK || len(lines) != 2 {
		t.Fatalf("status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	var got [2]map[string]any
	for i, l := range lines {
		if err := json.Unmarshal([]byte(l), &got[i]); err != nil {
			t.Fatal(err)
		}
	}
	for key, want := range map[string]any{
		"file": bye, "verdict": "pass_no_pin", "twin": "pass_no_pin", "call_id": `a\\b\xff`, "method": "BYE", "to_tag": "9fxced76sl", "status": nil, "key": nil,
	} {
		if got[0][key] != want {
			t.Errorf("%s is %v, want %v", key, got[0][key], want)
		}
	}
	if got[1]["file"] != "-" || got[1]["status"] != 180.0 || got[1]["method"] != nil {
		t.Errorf("response: %v", got[1])
	}
	kernel, root := got[0]["kernel"], os.Geteuid() == 0
	if root && kernel != "pass_no_pin" || !root && (kernel != nil || got[0]["no_kernel"] == nil) {
		t.Errorf("root %v: kernel %v, no_kernel %v", root, kernel, got[0]["no_kernel"])
	}
}

func TestExplainShowsAHintForAFileWithLFs(t *testing.T) {
	r := runWith(t, "", "", "explain", messageFile(t, strings.ReplaceAll(steertest.Request("BYE").String(), "\r\n", "\n")))
	for _, want := range []string{"pass_bare_lf", "BYE, To tag 9fxced76sl", steertest.CallID, "hint", `sed 's/$/\r/'`} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in\n%s", want, r.stdout)
		}
	}
	if r.status != exitOK || (os.Geteuid() != 0) != strings.Contains(r.stderr, "twin alone") {
		t.Errorf("status %d, %q", r.status, r.stderr)
	}
}

func TestExplainGoesOnBehindAFileThatCannotBeRead(t *testing.T) {
	good := messageFile(t, steertest.Request("BYE").String())
	r := runWith(t, "", "", "explain", "--json", "/no/such/file", good)
	if r.status != exitError || r.stderr != "sipsteer: /no/such/file: no such file or directory\n" || !strings.Contains(r.stdout, "pass_no_pin") {
		t.Errorf("status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	if r := runWith(t, "", "", "explain"); r.status != exitUsage {
		t.Errorf("without a file: status %d", r.status)
	}
}

func TestExplainShowsTheKeyOfTheConfigsSecret(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "s.yaml")
	text := `
datapath: {interfaces: [lo], bpffs: ` + filepath.Join("/sys/fs/bpf/none", filepath.Base(dir)) + `}
services: [{name: edge, listen: ["udp://192.0.2.1:5070"], policy: proxy, domains: [example.com]}]
workers: [{name: w1, forward: local}]
store: sqlite://` + dir + "/s.db\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	message := messageFile(t, steertest.Request("BYE").String())
	if r := runWith(t, "", "", "explain", "-c", path, message); r.status != exitOK || strings.Contains(r.stdout, " key ") || !strings.Contains(r.stderr, "keys are not shown") {
		t.Errorf("before the first start: status %d\n%s%s", r.status, r.stdout, r.stderr)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	st, err := store.Open(cfg.Store)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close() // open, as by a daemon
	if _, err := st.Secret("cluster"); err != nil {
		t.Fatal(err)
	}
	r := runWith(t, "", "", "explain", "--json", "-c", path, message)
	var x explain.Explanation
	if err := json.Unmarshal([]byte(r.stdout), &x); err != nil || len(x.Key) != 32 {
		t.Errorf("status %d, %v\n%s%s", r.status, err, r.stdout, r.stderr)
	}
	if !strings.Contains(r.stderr, "pins are not looked up") {
		t.Errorf("no word about pins: %q", r.stderr)
	}
}

func TestADisagreementIsLoud(t *testing.T) {
	var out, errs bytes.Buffer
	lying := func([]byte, explain.Tables) (steer.Outcome, error) { return steer.SteerLocal, nil }
	x := &explaining{Explainer: &explain.Explainer{Kernel: lying}, out: &out}
	if err := x.message(explain.Packet{Payload: []byte(steertest.Request("BYE").String())}); err != nil {
		t.Fatal(err)
	}
	if err := x.result(&errs); err != statusError(exitDisagree) {
		t.Errorf("result %v", err)
	}
	if !strings.Contains(out.String(), "DISAGREE") || !strings.Contains(errs.String(), "DISAGREE") {
		t.Errorf("%s%s", out.String(), errs.String())
	}
}
