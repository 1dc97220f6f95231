// SPDX-License-Identifier: Apache-2.0

package health

import (
	"strings"
	"testing"
	"time"
)

var (
	set   = Settings{Interval: time.Second, Timeout: 1500 * time.Millisecond, Down: 3, Up: 2}
	start = time.Unix(1_800_000_000, 0)
)

// play feeds a monitor one result a second: a good answer, 503 as r, silence as a dot. It returns the judgement after
// each as + or -.
func play(results string) (judged string, m *monitor) {
	m = newMonitor(set, start)
	now := start
	for _, r := range results {
		m.sent("b", now)
		switch r {
		case 'a':
			m.answered("b", 200, now)
		case 'r':
			m.answered("b", 503, now)
		default:
			m.expire(now.Add(set.Timeout))
		}
		now = now.Add(time.Second)
		judged += map[bool]string{true: "+", false: "-"}[m.healthy]
	}
	return judged, m
}

func TestThresholds(t *testing.T) {
	for _, c := range []struct{ name, results, want string }{
		{"good", "aaaa", "++++"},
		{"one lost", "a.a.a", "+++++"},
		{"two lost", "a..a..a", "+++++++"},
		{"three lost", "a...", "+++-"},
		{"silent from the start", "...", "++-"},
		{"refusals count as failures", "rr.", "++-"},
		{"one good answer is not enough", "...a.a", "++----"},
		{"up again", "...aa", "++--+"},
		{"up again, then down", "...aa...", "++--+++-"},
	} {
		if got, _ := play(c.results); got != c.want {
			t.Errorf("%s: %s gives %s, want %s", c.name, c.results, got, c.want)
		}
	}
}

func TestWhy(t *testing.T) {
	for results, want := range map[string]string{
		"":     "answers OPTIONS",
		"a":    "answers OPTIONS",
		"a..":  "no answer to OPTIONS for 2.5 s",
		"...":  "no answer to OPTIONS for 2.5 s",
		"...a": "answers OPTIONS again, 1 of 2",
		"ar":   "answers OPTIONS with 503",
		"rrr":  "answers OPTIONS with 503",
	} {
		_, m := play(results)
		if got := m.why(start.Add(2500 * time.Millisecond)); got != want {
			t.Errorf("%q: %q, want %q", results, got, want)
		}
	}
}

func TestOnlyWhatIsWaitedForCounts(t *testing.T) {
	m := newMonitor(set, start)
	m.sent("one", start)
	m.sent("two", start.Add(time.Second))
	if m.answered("forged", 200, start) {
		t.Error("an answer to no question counts")
	}
	if !m.answered("one", 100, start) || len(m.waiting) != 2 {
		t.Error("a provisional answer ends the wait")
	}
	if at, ok := m.deadline(); !ok || at != start.Add(set.Timeout) {
		t.Errorf("deadline %v (%v)", at, ok)
	}
	if lost := m.expire(start.Add(set.Timeout)); lost != 1 {
		t.Errorf("%d lost, want 1", lost)
	}
	if m.answered("one", 200, start.Add(set.Timeout)) {
		t.Error("a late answer counts")
	}
	for _, code := range []int{200, 403, 483, 500} {
		m.sent("x", start)
		if m.streak = 1; !m.answered("x", code, start) || m.streak != 0 {
			t.Errorf("%d is not taken for a sign of life", code)
		}
	}
}

func TestTheQuestionIsReadAsOne(t *testing.T) {
	own, vip := addr("10.66.0.1:40000"), addr("[2001:db8::10]:5060")
	branch, text := compose(own, vip, 7)
	other, _ := compose(own, vip, 7)
	if branch == other {
		t.Error("two questions have one branch")
	}
	answer := strings.Replace(string(text), "OPTIONS sip:[2001:db8::10]:5060 SIP/2.0", "SIP/2.0 404 Not Found", 1)
	got, code, ok := readAnswer([]byte(answer))
	if !ok || got != branch || code != 404 {
		t.Errorf("read %q, %d, %v", got, code, ok)
	}
	for _, bad := range []string{"", "\r\n", string(text), strings.Replace(answer, "Via", "Vja", 1)} {
		if _, _, ok := readAnswer([]byte(bad)); ok {
			t.Errorf("%q is taken for an answer", bad)
		}
	}
}
