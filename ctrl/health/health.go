// SPDX-License-Identifier: Apache-2.0

// Package health asks workers by OPTIONS whether they still serve (RFC 3261 §11). Each question travels the way of an
// initial request to that worker, so that an answer proves the way as well as the program at its end.
//
// One lost question means nothing. A worker is down after several in a row went without a good answer, and up again
// after several good answers in a row.
package health

import (
	"fmt"
	"slices"
	"time"
)

// Settings say when a worker counts as gone.
type Settings struct {
	Interval time.Duration // between two questions; each wait is up to a tenth shorter or longer
	Timeout  time.Duration // for each answer; may exceed Interval
	Down     int           // failures in a row until a worker is down
	Up       int           // good answers in a row until it is up again
}

// monitor judges one worker. It has no clock and no socket.
type monitor struct {
	set     Settings
	healthy bool
	streak  int        // of results that speak against the present judgement
	waiting []question // oldest first
	good    time.Time  // last good answer; before the first, the start
	refused int        // code of the last answer that refused; 0 when the last failure was silence
}

type question struct {
	branch string
	sent   time.Time
}

// newMonitor starts with a worker that counts as healthy: what an earlier daemon steered to it goes on.
func newMonitor(set Settings, now time.Time) *monitor {
	return &monitor{set: set, healthy: true, good: now}
}

// sent notes that a question left.
func (m *monitor) sent(branch string, now time.Time) {
	m.waiting = append(m.waiting, question{branch, now})
}

// failed notes a question that could not even be sent.
func (m *monitor) failed() {
	m.refused = 0
	m.count(false)
}

// withdraw takes a question back.
func (m *monitor) withdraw(branch string) {
	m.waiting = slices.DeleteFunc(m.waiting, func(q question) bool { return q.branch == branch })
}

// expire counts the questions whose time is over and returns how many those are.
func (m *monitor) expire(now time.Time) (lost int) {
	for len(m.waiting) > 0 && !now.Before(m.waiting[0].sent.Add(m.set.Timeout)) {
		m.waiting = m.waiting[1:]
		m.failed()
		lost++
	}
	return lost
}

// deadline is when expire has something to do; ok is false when nothing is waited for.
func (m *monitor) deadline() (at time.Time, ok bool) {
	if len(m.waiting) == 0 {
		return at, false
	}
	return m.waiting[0].sent.Add(m.set.Timeout), true
}

// unavailable is the one answer by which a server says that it cannot serve (RFC 3261 §21.5.4). Any other shows a
// program that reads and decides, even when it does not like the question.
const unavailable = 503

// answered takes a response. known is false for one that nobody waits for: late, or forged.
func (m *monitor) answered(branch string, code int, now time.Time) (known bool) {
	waited := slices.ContainsFunc(m.waiting, func(q question) bool { return q.branch == branch })
	if !waited || code < 200 { // after a provisional one the final one is still to come
		return waited
	}
	m.withdraw(branch)
	if code == unavailable {
		m.refused = code
		m.count(false)
		return true
	}
	m.refused, m.good = 0, now
	m.count(true)
	return true
}

// count takes a result and turns the judgement over when enough in a row speak against it.
func (m *monitor) count(good bool) {
	if good == m.healthy {
		m.streak = 0
		return
	}
	m.streak++
	limit := m.set.Down
	if good {
		limit = m.set.Up
	}
	if m.streak >= limit {
		m.healthy, m.streak = good, 0
	}
}

// why says in words how the worker does.
func (m *monitor) why(now time.Time) string {
	switch {
	case m.refused != 0:
		return fmt.Sprintf("answers OPTIONS with %d", m.refused)
	case m.healthy && m.streak == 0:
		return "answers OPTIONS"
	case !m.healthy && m.streak > 0:
		return fmt.Sprintf("answers OPTIONS again, %d of %d", m.streak, m.set.Up)
	}
	return fmt.Sprintf("no answer to OPTIONS for %.1f s", now.Sub(m.good).Seconds())
}
