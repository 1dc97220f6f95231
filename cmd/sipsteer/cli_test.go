// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/ctrl/api/apitest"
)

// binary is the command as a user has it, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "sipsteer-cli")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "sipsteer")
		out, err := exec.Command("go", "build", "-o", binary, "-ldflags", "-X main.version=v9", ".").CombinedOutput()
		if err != nil {
			os.Stderr.Write(out)
			panic(err)
		}
		return m.Run()
	}())
}

type result struct {
	status         int
	stdout, stderr string
}

// runWith runs the binary against url with the given standard input.
func runWith(t *testing.T, url, stdin string, args ...string) result {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = []string{"SIPSTEER_API=" + url, "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH"), "TZ=UTC"}
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// serve starts the real API over a fake daemon.
func serve(t *testing.T, d *apitest.Daemon) string {
	t.Helper()
	s := httptest.NewServer(api.New(d.Sources(), "v9", "127.0.0.1"))
	t.Cleanup(s.Close)
	return s.URL
}

func TestReadingCommands(t *testing.T) {
	url := serve(t, apitest.New())
	tests := map[string][]string{ // command: lines that must be there, blanks folded
		"aliases":  {"no aliases yet; add one with: sipsteer aliases add 4711@example.com alice@example.com"},
		"domains":  {"DOMAIN SERVICE FROM", "example.com edge config"},
		"routes":   {"PREFIX GROUPS STRIP ADD SILENT FOR NEXT ON", "+49 carrier 3 0 4s 408,503"},
		"gateways": {"GATEWAY GROUP ADDRESS PRIORITY WEIGHT SOURCES", "g1 carrier udp://203.0.113.5:5060 1 1 -"},
		"status": {
			"node lb1, sipsteer test, up 1h2m5s",
			"service edge on udp://192.0.2.10:5060 for example.com",
			"datapath native XDP on eth0",
			"steered 1200, passed up 30, dropped 7 (not_sip 7)",
			"control received 35 (INVITE 20, REGISTER 10, FROTZ 3, XYZZY 2), answered 22 (401 12, 200 10)",
			"dialogs 1 early, 1 confirmed, 1 ended",
			"registrations 1",
			"w1 up l2 192.0.2.21 1 600 2 answers OPTIONS",
		},
		"workers":      {"WORKER STATE FORWARD ADDRESS WEIGHT STEERED DIALOGS HEALTH", "w2 up local - 1 600 1 not asked"},
		"workers list": {"w2 up local - 1 600 1 not asked"},
		"dialogs":      {"c1@host ended edge w1 alice@example.com bob@example.com 2026-03-01 12:00:00 2026-03-01 12:00:04 2026-03-01 12:01:05 200 3 4"},
		"dialogs --state early": {
			"CALL-ID STATE SERVICE WORKER FROM TO START ANSWER END CODE REQUESTS RESPONSES",
			"c3@host early edge w1 bob@example.com alice@example.com 2026-03-01 12:00:00 - - - 1 0",
		},
		"dialogs list --call-id none":         {"no dialogs"},
		"registrations":                       {"USER CONTACT BEHIND EXPIRES Q USER AGENT"},
		"registrations --aor bob@example.com": {"nobody is registered"},
		"users":                               {"no users yet; add one with: sipsteer users add alice@example.com --password-stdin"},
		"version":                             nil,
	}
	for line, want := range tests {
		r := runWith(t, url, "", strings.Fields(line)...)
		if r.status != 0 || r.stderr != "" {
			t.Errorf("%s: exit %d, %s", line, r.status, r.stderr)
		}
		var got []string
		for l := range strings.Lines(r.stdout) {
			got = append(got, strings.Join(strings.Fields(l), " "))
		}
		for _, w := range want {
			if !strings.Contains("\n"+strings.Join(got, "\n")+"\n", "\n"+w+"\n") {
				t.Errorf("%s: no line %q in\n%s", line, w, r.stdout)
			}
		}
	}
}

func TestJSONIsWhatTheAPISays(t *testing.T) {
	url := serve(t, apitest.New())
	for _, line := range []string{"status", "workers", "dialogs", "registrations", "users", "version"} {
		r := runWith(t, url, "", append(strings.Fields(line), "--json")...)
		var v any
		if r.status != 0 || json.Unmarshal([]byte(r.stdout), &v) != nil {
			t.Errorf("%s: exit %d, %s%s", line, r.status, r.stdout, r.stderr)
		}
		list, isList := v.([]any)
		if line == "users" && (!isList || len(list) != 0) {
			t.Errorf("users: %s, want []", r.stdout)
		}
		if line == "status" && v.(map[string]any)["datapath"].(map[string]any)["steered"] != 1200.0 {
			t.Errorf("status: %s", r.stdout)
		}
	}
}

func TestChangingCommands(t *testing.T) {
	d := apitest.New()
	url := serve(t, d)
	steps := []struct {
		line, stdin string
		status      int
		says        string
	}{
		{"users add sip:alice@Example.com --password-stdin", "s3cret\nrest", 0, "added alice@example.com\n"},
		{"users add alice@example.com --password x", "", 1, "sipsteer: adding user alice@example.com: user alice@example.com exists already\n"},
		{"users passwd alice@example.com --password n3w", "", 0, "changed the password of alice@example.com\n"},
		{"users passwd bob@example.com --password n3w", "", 1, "sipsteer: changing the password of bob@example.com: user bob@example.com: not found\n"},
		{"users add bob@example.com --password-stdin", "", 1, "sipsteer: reading the password: standard input has none on its first line\n"},
		{"users remove sip:alice@Example.com", "", 0, "removed alice@example.com\n"},
		{"users remove alice@example.com", "", 1, "sipsteer: removing user alice@example.com: user alice@example.com: not found\n"},
		{"workers drain w1", "", 0, "w1 gets no new calls; 2 dialogs left\n"},
		{"workers undrain w1", "", 0, "w1 gets new calls again\n"},
		{"workers weight w1 3", "", 0, "w1 has weight 3\n"},
		{"workers weight w1 config", "", 0, "w1 has weight 1\n"},
		{"workers weight w9 3", "", 1, "sipsteer: weighting worker w9: worker \"w9\": not found\n"},
		{"workers drain w9", "", 1, "sipsteer: draining worker w9: worker \"w9\": not found\n"},
		{"registrations remove alice@example.com", "", 0, "removed 1 bindings of alice@example.com\n"},
		{"registrations remove alice@example.com", "", 1, "sipsteer: removing registrations: registrations of alice@example.com: not found\n"},
	}
	for _, s := range steps {
		r := runWith(t, url, s.stdin, strings.Fields(s.line)...)
		if r.status != s.status || r.stdout+r.stderr != s.says {
			t.Errorf("%s: exit %d, %q, want %d, %q", s.line, r.status, r.stdout+r.stderr, s.status, s.says)
		}
		if s.line == "users passwd alice@example.com --password n3w" && d.Password("alice@example.com") != "n3w" {
			t.Error("the password did not change")
		}
	}
}

func TestDrainWaitsUntilTheLastCallIsOver(t *testing.T) {
	d := apitest.New()
	url := serve(t, d)
	over := make(chan struct{})
	time.AfterFunc(300*time.Millisecond, func() {
		defer close(over)
		if err := d.EndDialogs("w1"); err != nil {
			t.Error(err)
		}
	})
	r := runWith(t, url, "", "workers", "drain", "w1", "--wait", "--every", "10ms")
	select {
	case <-over:
	default:
		t.Error("it did not wait")
	}
	if r.status != 0 || r.stderr != "w1 gets no new calls; 2 dialogs left\n" || r.stdout != "w1 gets no new calls and has none left\n" {
		t.Errorf("exit %d, %q, %q", r.status, r.stdout, r.stderr)
	}
}

func TestWrongCommandLinesExit2(t *testing.T) {
	for line, says := range map[string]string{
		"stat":                   `sipsteer has no command "stat"; did you mean status?`,
		"users ad":               `sipsteer users has no command "ad"; did you mean add?`,
		"status now":             `sipsteer status: there is no use for "now"`,
		"workers drain":          "sipsteer workers drain: NAME is missing",
		"workers weight w1 0":    `"0" is no weight; allowed: 1 to 1000, or config`,
		"workers weight w1 much": `"much" is no weight`,
		"users add a@b":          "give either --password SECRET or --password-stdin",
		"users add a@b --password x --password-stdin": "give either --password SECRET or --password-stdin",
		"users add a --password x":                    `"a" is not an address such as alice@example.com`,
		"users remove a":                              `"a" is not an address`,
		"registrations remove a":                      `"a" is not an address`,
		"dialogs --state odd":                         `"odd" is no state; allowed: early, confirmed, ended`,
		"dialogs --limit 0":                           "--limit 0 is not between 1 and 100000",
		"status --jsno":                               "unknown flag: --jsno",
		"status --api ftp://x":                        `"ftp://x" is not the URL of an API`,
		"worker":                                      "name the worker's file with -c",
		"config check":                                "name the file with -c",
	} {
		r := runWith(t, "http://127.0.0.1:1", "", strings.Fields(line)...)
		if r.status != 2 || !strings.Contains(r.stderr, says) || !strings.Contains(r.stderr, "--help") || r.stdout != "" {
			t.Errorf("%s: exit %d, %q, want %q", line, r.status, r.stdout+r.stderr, says)
		}
	}
}

func TestNoDaemonIsSaidInOneSentence(t *testing.T) {
	for _, url := range []string{"http://127.0.0.1:1", "unix://" + filepath.Join(t.TempDir(), "none.sock")} {
		r := runWith(t, url, "", "status")
		want := "sipsteer: reading the status: nobody listens on " + url + "; is sipsteer running? start it with `sipsteer run`, or name its API with --api\n"
		if r.status != 1 || r.stderr != want {
			t.Errorf("exit %d, %q", r.status, r.stderr)
		}
	}
}

func TestTheAPIIsFoundByFlagThenFileThenEnvironment(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "api.sock")
	ln, err := api.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	go api.Serve(t.Context(), ln, api.New(apitest.New().Sources(), "v9", ""))
	file := filepath.Join(t.TempDir(), "s.yaml")
	text := "datapath: {mode: off}\nservices: [{name: e, listen: ['udp://192.0.2.1:5060'], domains: [d]}]\nworkers: [{name: w, forward: local}]\napi: {listen: 'unix://" + socket + "'}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := runWith(t, "http://127.0.0.1:1", "", "status", "-c", file); r.status != 0 {
		t.Errorf("-c does not beat the environment: %s", r.stderr)
	}
	if r := runWith(t, "unix://"+socket, "", "status"); r.status != 0 {
		t.Errorf("the environment is not used: %s", r.stderr)
	}
	if r := runWith(t, "unix://"+socket, "", "status", "-c", file, "--api", "http://127.0.0.1:1"); r.status != 1 {
		t.Error("--api does not beat -c")
	}
}

func TestHostileTextDoesNotReachTheTerminal(t *testing.T) {
	d := apitest.New()
	d.Bindings[0].UserAgent = "\x1b]0;owned\x07phone\u009b31m"
	r := runWith(t, serve(t, d), "", "registrations")
	if strings.ContainsAny(r.stdout, "\x1b\x07\u009b") || !strings.Contains(r.stdout, "phone") {
		t.Errorf("%q", r.stdout)
	}
}

func TestConfigCheckListsEveryMistake(t *testing.T) {
	good, err := filepath.Abs("../../deploy/examples/sipsteer.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if r := runWith(t, "", "", "config", "check", "-c", good); r.status != 0 || !strings.Contains(r.stdout, "no mistakes found") {
		t.Errorf("exit %d, %s%s", r.status, r.stdout, r.stderr)
	}
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("nod: x\nmode: y\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := runWith(t, "", "", "config", "check", "-c", bad)
	if r.status != 1 || !strings.HasPrefix(r.stderr, bad+":1: nod: unknown key; did you mean node?\n") || strings.Contains(r.stderr, "failed") {
		t.Errorf("exit %d, %s", r.status, r.stderr)
	}
	r = runWith(t, "", "", "config", "check", "--json", "-c", bad)
	var v struct {
		OK     bool `json:"ok"`
		Errors []struct {
			Line int    `json:"line"`
			Key  string `json:"key"`
		} `json:"errors"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &v); err != nil || v.OK || len(v.Errors) < 2 || v.Errors[0].Key == "" || r.status != 1 {
		t.Errorf("%v: %s", err, r.stdout)
	}
	if r := runWith(t, "", "", "run", "-c", bad); r.status != 1 || !strings.HasPrefix(r.stderr, "sipsteer: "+bad+":1: nod") {
		t.Errorf("exit %d, %s", r.status, r.stderr)
	}
	if r := runWith(t, "", "", "run", "-c", bad+"x"); r.status != 1 || !strings.Contains(r.stderr, "reading the config: stat "+bad+"x: no such file") {
		t.Errorf("exit %d, %s", r.status, r.stderr)
	}
}
