// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

// callRecord is what the tests read of a record, in the file and from the API.
type callRecord struct {
	ID        int64
	CallID    string `json:"call_id"`
	To        string
	Worker    string
	Ring      string
	Answer    string
	FinalCode int    `json:"final_code"`
	EndedBy   string `json:"ended_by"`
	Cause     string
	Requests  int
	Responses int
}

// kindOfCall is one kind of call to a user of its own.
type kindOfCall struct {
	callee, call, answer string
	port                 uint16
	code                 int
	by, cause            string
}

var kindsOfCalls = []kindOfCall{
	{"bob1", "call", "answer", 5071, 200, "caller", "bye"},
	{"bob2", "call_waiting", "answer_hangup", 5072, 200, "callee", "bye"},
	{"bob3", "call_refused", "answer_busy", 5073, 486, "callee", "failed"},
	{"bob4", "call_cancel", "answer_cancelled", 5074, 487, "caller", "cancelled"},
}

// startCalls starts n calls of each kind and returns the callers and callees.
func (s *site) startCalls(n int) (all []*sipp.Session) {
	s.Helper()
	for _, k := range kindsOfCalls {
		at := netip.AddrPortFrom(s.ub.AddrLike(vip4.Addr()), k.port)
		s.passed(s.sipp(s.ub, vip4, sipp.Run{Scenario: "register", User: k.callee, Local: at}), 1)
	}
	for _, k := range kindsOfCalls {
		run := sipp.Run{Calls: n, Timeout: 90 * time.Second, Local: netip.AddrPortFrom(s.ub.AddrLike(vip4.Addr()), k.port)}
		run.Scenario, run.Pause = k.answer, 300*time.Millisecond
		all = append(all, s.sipp(s.ub, vip4, run))
		run.Local = netip.AddrPortFrom(s.ua.AddrLike(vip4.Addr()), k.port)
		run.Scenario, run.Pause, run.Rate, run.Final = k.call, time.Second, 8, k.code
		run.Keys = map[string]string{"callee": k.callee}
		all = append(all, s.sipp(s.ua, vip4, run))
	}
	return all
}

func TestOneRecordACallHoweverOftenTheDaemonIsKilled(t *testing.T) {
	s := newSite(t)
	secret, err := daemon.WriteSecret(s.dir)
	s.must(err)
	_, err = daemon.StartWorker(s.w1, binary(), s.dir, "w1", secret)
	s.must(err)
	file := filepath.Join(s.dir, "records.jsonl")
	b := s.balance(daemon.Settings{Secret: secret, Records: file, Workers: []daemon.Worker{
		{Name: "w1", Forward: "l2", Address: s.w1.Addr4().String()},
	}})
	b.addUsers("alice", "bob1", "bob2", "bob3", "bob4")
	const each = 75
	sessions := s.startCalls(each)
	kills := 0
	for running(sessions) {
		time.Sleep(1700 * time.Millisecond)
		if kills++; kills > 12 {
			break // the rest of the calls in peace
		}
		b.kill()
		b.must(b.daemon.Start())
	}
	for _, session := range sessions {
		s.passed(session, each)
	}
	t.Logf("killed and started %d times", kills)
	if kills < 4 {
		t.Errorf("killed %d times only: this proves little", kills)
	}
	b.checkRecords(file, each)
	b.kill()
	b.must(b.daemon.Start())
	time.Sleep(2 * time.Second) // two sweeps
	b.checkRecords(file, each)
}

func running(sessions []*sipp.Session) bool {
	for _, s := range sessions {
		if s.Running() {
			return true
		}
	}
	return false
}

// kill ends the daemon without a word.
func (b *balancer) kill() {
	b.Helper()
	_ = b.daemon.Stop(syscall.SIGKILL) // its status says that it was killed
}

// records are what the API has.
func (b *balancer) records() (list []callRecord) {
	b.Helper()
	out, err := b.daemon.Command("records", "--json", "--limit", "10000")
	b.must(err)
	b.must(json.Unmarshal([]byte(out), &list))
	return list
}

// checkRecords waits for the records of n calls of each kind and compares store and file.
func (b *balancer) checkRecords(file string, n int) {
	b.Helper()
	var rows []callRecord
	for range 50 {
		if rows = b.records(); len(rows) >= n*len(kindsOfCalls) {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond) // the file comes behind the store
	text, err := os.ReadFile(file)
	b.must(err)
	var lines []callRecord
	for line := range strings.Lines(string(text)) {
		var r callRecord
		b.must(json.Unmarshal([]byte(line), &r))
		lines = append(lines, r)
	}
	if len(rows) != n*len(kindsOfCalls) || len(lines) != len(rows) {
		b.Fatalf("%d records in the store, %d in the file, want %d", len(rows), len(lines), n*len(kindsOfCalls))
	}
	seen := map[string]bool{}
	count := map[string]int{}
	for i, r := range rows {
		if seen[r.CallID] || lines[i].ID != r.ID || lines[i].CallID != r.CallID || r.Worker != "w1" {
			b.Fatalf("record %d: %+v in the store, %+v in the file", i, r, lines[i])
		}
		seen[r.CallID] = true
		count[r.To[len("sip:"):len("sip:bobN")]+" "+strconv.Itoa(r.FinalCode)+" "+r.EndedBy+" "+r.Cause]++
	}
	for _, k := range kindsOfCalls {
		if got := count[k.callee+" "+strconv.Itoa(k.code)+" "+k.by+" "+k.cause]; got != n {
			b.Errorf("%d calls to %s ended as they should, want %d: %v", got, k.callee, n, count)
		}
	}
}
