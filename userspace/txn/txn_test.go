// SPDX-License-Identifier: Apache-2.0

package txn

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// step is one event at a time, what must be done, and where the machine stands
// afterwards. Between steps every timer that is due fires; wantTicks lists them.
type step struct {
	at    time.Duration
	event string // "tick", "fail", "request", "ack", or a status code
	want  Action
	state State
}

const ms = time.Millisecond

func TestINVITEClientFollowsFigure5AndRFC6026(t *testing.T) {
	runClient(t, true, false, map[string][]step{
		"timer A doubles until timer B ends it": {
			{0, "next 500ms", 0, Calling}, {500 * ms, "tick", Send, Calling}, {1500 * ms, "tick", Send, Calling},
			{3500 * ms, "tick", Send, Calling}, {7500 * ms, "tick", Send, Calling}, {15500 * ms, "tick", Send, Calling},
			{31500 * ms, "tick", Send, Calling}, {32000 * ms, "tick", TimedOut | Ended, Terminated},
		},
		"a provisional stops timers A and B": {
			{100 * ms, "100", Pass, Proceeding}, {40 * time.Second, "tick", 0, Proceeding},
			{41 * time.Second, "180", Pass, Proceeding}, {300 * time.Second, "200", Pass, Accepted},
		},
		"2xx retransmissions and further 2xx pass while Accepted, nothing else does": {
			{0, "200", Pass, Accepted}, {500 * ms, "200", Pass, Accepted}, {600 * ms, "180", 0, Accepted},
			{700 * ms, "486", 0, Accepted}, {32 * time.Second, "tick", Ended, Terminated}, {33 * time.Second, "200", 0, Terminated},
		},
		"a non-2xx is acknowledged each time and passed once": {
			{0, "180", Pass, Proceeding}, {ms, "486", SendACK | Pass, Completed}, {500 * ms, "486", SendACK, Completed},
			{501 * ms, "200", 0, Completed}, {502 * ms, "180", 0, Completed},
			{32001 * ms, "tick", Ended, Terminated},
		},
		"a transport error ends it before a final response":        {{0, "fail", Ended, Terminated}, {0, "fail", 0, Terminated}},
		"a transport error after a final response is of no matter": {{0, "486", SendACK | Pass, Completed}, {ms, "fail", 0, Completed}},
	})
}

func TestNonINVITEClientFollowsFigure6(t *testing.T) {
	runClient(t, false, false, map[string][]step{
		"timer E doubles to T2, timer F ends it": {
			{500 * ms, "tick", Send, Trying}, {1500 * ms, "tick", Send, Trying}, {3500 * ms, "tick", Send, Trying},
			{7500 * ms, "tick", Send, Trying}, {11500 * ms, "tick", Send, Trying}, {15500 * ms, "tick", Send, Trying},
			{32 * time.Second, "tick", TimedOut | Ended, Terminated},
		},
		"after a provisional timer E is T2 and timer F still runs": {
			{100 * ms, "100", Pass, Proceeding}, {500 * ms, "tick", Send, Proceeding}, {4499 * ms, "tick", 0, Proceeding},
			{4500 * ms, "tick", Send, Proceeding}, {32 * time.Second, "tick", TimedOut | Ended, Terminated},
		},
		"timer K absorbs repeated final responses": {
			{ms, "200", Pass, Completed}, {2 * ms, "200", 0, Completed}, {3 * ms, "tick", 0, Completed}, {5001 * ms, "tick", Ended, Terminated},
		},
	})
}

func TestReliableClientsNeverRetransmitNorLinger(t *testing.T) {
	runClient(t, false, true, map[string][]step{
		"K is 0":          {{600 * ms, "tick", 0, Trying}, {700 * ms, "404", Pass | Ended, Terminated}},
		"F still applies": {{32 * time.Second, "tick", TimedOut | Ended, Terminated}},
	})
	runClient(t, true, true, map[string][]step{
		"D is 0":     {{600 * ms, "tick", 0, Calling}, {700 * ms, "404", SendACK | Pass | Ended, Terminated}},
		"M still is": {{0, "200", Pass, Accepted}, {ms, "200", Pass, Accepted}, {32 * time.Second, "tick", Ended, Terminated}},
	})
}

func runClient(t *testing.T, invite, reliable bool, cases map[string][]step) {
	t.Helper()
	timing := DefaultTiming()
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			c := NewClient(&timing, invite, reliable, 0)
			for _, s := range steps {
				var got Action
				var code int
				switch _, err := fmt.Sscan(s.event, &code); {
				case err == nil:
					got = c.Response(s.at, code)
				case s.event == "tick":
					got = c.Tick(s.at)
				case s.event == "fail":
					got = c.Fail()
				case s.event == "next 500ms":
					if c.Next() != 500*ms {
						t.Fatalf("first deadline %v", c.Next())
					}
				}
				if got != s.want || c.State() != s.state {
					t.Fatalf("%s at %v: actions %05b state %v, want %05b %v", s.event, s.at, got, c.State(), s.want, s.state)
				}
			}
		})
	}
}

func TestINVITEServerFollowsFigure7AndRFC6026(t *testing.T) {
	runServer(t, true, false, map[string][]step{
		"retransmissions get the last provisional": {
			{0, "request", 0, Proceeding}, {0, "100", Send, Proceeding}, {ms, "request", Send, Proceeding}, {ms, "180", Send, Proceeding},
		},
		"timer G doubles to T2, timer H ends it": {
			{0, "486", Send, Completed}, {500 * ms, "tick", Send, Completed}, {1500 * ms, "tick", Send, Completed},
			{3500 * ms, "tick", Send, Completed}, {7500 * ms, "tick", Send, Completed}, {11500 * ms, "tick", Send, Completed},
			{11600 * ms, "request", Send, Completed}, {32 * time.Second, "tick", TimedOut | Ended, Terminated},
		},
		"the ACK silences it, timer I ends it": {
			{0, "486", Send, Completed}, {100 * ms, "ack", 0, Confirmed}, {600 * ms, "tick", 0, Confirmed}, {600 * ms, "ack", 0, Confirmed},
			{600 * ms, "request", 0, Confirmed}, {600 * ms, "200", 0, Confirmed}, {5100 * ms, "tick", Ended, Terminated},
		},
		"Accepted absorbs INVITEs, passes ACKs and 2xx until timer L": {
			{0, "200", Send, Accepted}, {ms, "request", 0, Accepted}, {ms, "200", Send, Accepted}, {ms, "ack", Pass, Accepted},
			{ms, "180", 0, Accepted}, {ms, "486", 0, Accepted}, {ms, "fail", 0, Accepted}, {32 * time.Second, "tick", Ended, Terminated},
		},
		"no timer runs before a final response": {{0, "180", Send, Proceeding}, {time.Hour, "tick", 0, Proceeding}, {time.Hour, "ack", 0, Proceeding}},
	})
}

func TestNonINVITEServerFollowsFigure8(t *testing.T) {
	runServer(t, false, false, map[string][]step{
		"Trying absorbs retransmissions": {{0, "request", 0, Trying}, {0, "ack", 0, Trying}},
		"Completed repeats the answer until timer J": {
			{0, "100", Send, Proceeding}, {ms, "request", Send, Proceeding}, {0, "200", Send, Completed}, {31 * time.Second, "request", Send, Completed},
			{31 * time.Second, "404", 0, Completed}, {32 * time.Second, "tick", Ended, Terminated}, {33 * time.Second, "request", 0, Terminated},
		},
	})
}

func TestReliableServersDoNotLinger(t *testing.T) {
	runServer(t, false, true, map[string][]step{"J is 0": {{0, "200", Send | Ended, Terminated}}})
	runServer(t, true, true, map[string][]step{
		"no G, I is 0": {{0, "486", Send, Completed}, {600 * ms, "tick", 0, Completed}, {700 * ms, "ack", Ended, Terminated}},
		"H still is":   {{0, "486", Send, Completed}, {32 * time.Second, "tick", TimedOut | Ended, Terminated}},
	})
}

func runServer(t *testing.T, invite, reliable bool, cases map[string][]step) {
	t.Helper()
	timing := DefaultTiming()
	for name, steps := range cases {
		t.Run(name, func(t *testing.T) {
			m := NewServer(&timing, invite, reliable)
			for _, s := range steps {
				var got Action
				var code int
				switch _, err := fmt.Sscan(s.event, &code); {
				case err == nil:
					got = m.Respond(s.at, code)
				case s.event == "tick":
					got = m.Tick(s.at)
				case s.event == "fail":
					got = m.Fail()
				case s.event == "request":
					got = m.Request()
				case s.event == "ack":
					got = m.ACK(s.at)
				}
				if got != s.want || m.State() != s.state {
					t.Fatalf("%s at %v: actions %05b state %v, want %05b %v", s.event, s.at, got, m.State(), s.want, s.state)
				}
			}
		})
	}
}

// Whatever comes in whatever order: a final response passes once (2xx to INVITE
// apart), nothing is sent after the end, and every machine left alone ends.
func TestClientsHoldTheirPromisesInAnyOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timing := DefaultTiming()
		invite := rapid.Bool().Draw(t, "invite")
		c := NewClient(&timing, invite, rapid.Bool().Draw(t, "reliable"), 0)
		var now Instant
		finals, ends := 0, 0
		count := func(act Action, code int) {
			if act.Has(Pass) && code >= 200 && (!invite || code >= 300) {
				finals++
			}
			if act.Has(Ended) {
				ends++
			}
			if (c.State() == Terminated) != (ends == 1) {
				t.Fatalf("state %v after %d ends", c.State(), ends)
			}
		}
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			now += time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "gap"))
			dead := c.State() == Terminated
			code := rapid.SampledFrom([]int{0, 100, 180, 200, 302, 486, 603}).Draw(t, "code")
			act := c.Tick(now)
			count(act, 0)
			if code > 0 {
				more := c.Response(now, code)
				count(more, code)
				act |= more
			}
			if dead && act != 0 {
				t.Fatalf("actions %05b after the end", act)
			}
		}
		if finals > 1 || ends > 1 {
			t.Fatalf("%d final responses passed, %d ends", finals, ends)
		}
		for i := 0; c.Next() != Never; i++ {
			if c.Next() <= now-time.Hour || i > 100 {
				t.Fatal("timers do not advance")
			}
			now = max(now, c.Next())
			count(c.Tick(now), 0)
		}
		if s := c.State(); s != Terminated && !(invite && s == Proceeding) {
			t.Fatalf("left alone in %v", s)
		}
	})
}

func TestServersHoldTheirPromisesInAnyOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timing := DefaultTiming()
		invite := rapid.Bool().Draw(t, "invite")
		s := NewServer(&timing, invite, rapid.Bool().Draw(t, "reliable"))
		var now Instant
		finals := 0
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			now += time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "gap"))
			before := s.State()
			var act Action
			switch e := rapid.SampledFrom([]int{-2, -1, 0, 100, 180, 200, 486}).Draw(t, "event"); e {
			case -2:
				act = s.ACK(now)
			case -1:
				act = s.Request()
			case 0:
				act = s.Tick(now)
			default:
				act = s.Respond(now, e)
				if act.Has(Send) && e >= 200 && before != Accepted {
					finals++
				}
			}
			if before == Terminated && act != 0 {
				t.Fatalf("actions %05b after the end", act)
			}
		}
		if finals > 1 {
			t.Fatalf("%d final responses sent", finals)
		}
		for i := 0; s.Next() != Never; i++ {
			if i > 100 {
				t.Fatal("timers do not advance")
			}
			now = max(now, s.Next())
			s.Tick(now)
		}
		if st := s.State(); st != Terminated && finals > 0 {
			t.Fatalf("left alone in %v after a final response", st)
		}
	})
}

func TestStatesHaveTheRFCsNames(t *testing.T) {
	if Accepted.String() != "Accepted" || State(99).String() != "" || !(Send | Pass).Has(Pass) || Send.Has(Send|Pass) {
		t.Fatal("names or sets are wrong")
	}
}
