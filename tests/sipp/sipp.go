// SPDX-License-Identifier: Apache-2.0

// Package sipp runs SIPp on a host of the lab, with scenarios of our own that follow route sets and answer digest
// challenges, and reads what it counted.
//
// SIPp 3.6 understands MD5 challenges only and looks at the first one of a response: servers under test have to offer
// MD5 alone or first.
package sipp

import (
	"embed"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/sipsteer/sipsteer/tests/netns"
)

//go:embed scenarios/*.xml
var scenarios embed.FS

// Run describes one SIPp process.
type Run struct {
	Scenario string         // name of a file under scenarios, without .xml
	Local    netip.AddrPort // address and port that SIPp uses
	Remote   netip.AddrPort // where requests go; zero for a callee, which only answers
	Calls    int            // how many calls until it ends by itself, at least 1
	Rate     int            // new calls a second; 0 means 10
	Pause    time.Duration  // length of the scenario's pauses
	Timeout  time.Duration  // the whole run fails after it; 0 means 30 s

	User, Password string            // answer to digest challenges
	Keys           map[string]string // words in brackets in the scenario, such as caller, callee, domain
	Final          int               // the final answer that scenario call_refused waits for
	Fork           bool              // the caller hears two phones ring
	Trace          bool              // keep every message, for Session.Messages
}

// defaults are the words that every scenario may use.
func (r Run) defaults() map[string]string {
	return map[string]string{
		"domain": "example.com", "todomain": "example.com", "caller": "alice", "callee": "bob", "hops": "70",
		"user": r.User, "expires": "600", "q": "1", "contact_port": strconv.Itoa(int(r.Local.Port())),
	}
}

// Session is a running SIPp.
type Session struct {
	run  Run
	proc *netns.Process
	dir  string
}

// Start starts SIPp on a host. Its files go to a new folder under dir.
func Start(h *netns.Host, dir string, r Run) (*Session, error) {
	work, err := os.MkdirTemp(dir, "sipp-"+r.Scenario+"-")
	if err != nil {
		return nil, fmt.Errorf("making SIPp's folder: %w", err)
	}
	if err := writeScenario(filepath.Join(work, "scenario.xml"), r); err != nil {
		return nil, err
	}
	proc, err := h.Start(netns.Command{Path: "sipp", Args: r.args(work), Dir: work})
	if err != nil {
		return nil, err
	}
	return &Session{run: r, proc: proc, dir: work}, nil
}

func writeScenario(path string, r Run) error {
	text, err := scenarios.ReadFile("scenarios/" + r.Scenario + ".xml")
	if err != nil {
		return fmt.Errorf("reading scenario %s: %w", r.Scenario, err)
	}
	t, err := template.New(r.Scenario).Parse(string(text))
	if err != nil {
		return fmt.Errorf("reading scenario %s: %w", r.Scenario, err)
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("writing scenario %s: %w", r.Scenario, err)
	}
	defer f.Close()
	if err := t.Execute(f, r); err != nil {
		return fmt.Errorf("writing scenario %s: %w", r.Scenario, err)
	}
	return nil
}

func (r Run) args(work string) []string {
	rate, timeout := r.Rate, r.Timeout
	if rate == 0 {
		rate = 10
	}
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	args := []string{
		"-sf", "scenario.xml", "-t", "u1", "-i", r.Local.Addr().String(), "-p", strconv.Itoa(int(r.Local.Port())),
		"-m", strconv.Itoa(max(r.Calls, 1)), "-r", strconv.Itoa(rate), "-l", strconv.Itoa(max(r.Calls, 1)),
		"-d", strconv.Itoa(int(r.Pause.Milliseconds())),
		"-timeout", fmt.Sprintf("%ds", int(timeout.Seconds())), "-timeout_error", "-nostdin",
		"-trace_stat", "-stf", "stats.csv", "-fd", "1", "-trace_err", "-error_file", "errors.log",
		"-max_socket", "100", "-buff_size", "1048576",
	}
	if r.User != "" {
		// The digest's URI would be the VIP otherwise, and not the request's.
		args = append(args, "-au", r.User, "-ap", r.Password, "-auth_uri", r.authURI())
	}
	keys := r.defaults()
	for k, v := range r.Keys {
		keys[k] = v
	}
	names := make([]string, 0, len(keys))
	for k := range keys {
		names = append(names, k)
	}
	sort.Strings(names)
	for _, k := range names {
		args = append(args, "-key", k, keys[k])
	}
	if r.Trace {
		args = append(args, "-trace_msg", "-message_file", "messages.log")
	}
	if r.Remote.IsValid() {
		args = append(args, r.Remote.String())
	}
	return args
}

// authURI is the request's URI without its scheme, as SIPp wants it.
func (r Run) authURI() string {
	keys := r.defaults()
	for k, v := range r.Keys {
		keys[k] = v
	}
	if strings.HasPrefix(r.Scenario, "register") {
		return keys["domain"]
	}
	return keys["callee"] + "@" + keys["todomain"]
}

// Wait waits until SIPp has ended and returns what it counted. The error says what went wrong in the calls.
func (s *Session) Wait() (Stats, error) {
	timeout := s.run.Timeout
	if timeout == 0 {
		timeout = 30 * time.Second
	}
	procErr := s.proc.Wait(timeout + 5*time.Second)
	stats, err := readStats(filepath.Join(s.dir, "stats.csv"))
	if procErr == nil {
		return stats, err
	}
	return stats, fmt.Errorf("sipp %s: %d of %d calls failed, exit status %d\n%s%s", s.run.Scenario, stats.Failed,
		s.run.Calls, s.proc.ExitCode(), s.file("errors.log", 3000), s.hint())
}

// hint is the end of what SIPp wrote when it did not get as far as keeping a log.
func (s *Session) hint() string {
	if s.file("errors.log", 1) != "" {
		return ""
	}
	out := s.proc.Output()
	return out[max(0, len(out)-1500):]
}

// Stop ends SIPp at once, for a callee that waits for more calls than come.
func (s *Session) Stop() { s.proc.Kill() }

// Running tells whether SIPp has not ended yet.
func (s *Session) Running() bool { return s.proc.Running() }

// Messages returns what SIPp sent and received, when the run asked for it.
func (s *Session) Messages() string { return s.file("messages.log", 1<<20) }

func (s *Session) file(name string, limit int) string {
	b, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return ""
	}
	return string(b[:min(limit, len(b))])
}
