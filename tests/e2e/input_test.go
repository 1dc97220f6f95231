// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/netns"
)

func TestSipsakPing(t *testing.T) {
	s := newSite(t)
	s.needs("sipsak")
	s.balance(daemon.Settings{})
	out, err := s.ua.Run(netns.Command{Path: "sipsak", Args: []string{"-vv", "-s", "sip:192.0.2.10:5060"}}, 10*time.Second)
	if err != nil || !strings.Contains(out, "SIP/2.0 200") {
		t.Errorf("sipsak: %v\n%s", err, out)
	}
}

func TestMalformedRequestsAreAnswered(t *testing.T) {
	s := newSite(t)
	s.balance(daemon.Settings{})
	w := s.wire(s.ua, 5060, vip4)
	const start = "OPTIONS sip:$VIP SIP/2.0\nVia: SIP/2.0/UDP $LOCAL;branch=z9hG4bK$ID;rport\n" +
		"From: <sip:a@example.com>;tag=1\nTo: <sip:b@example.com>\nCall-ID: $ID\n"
	for _, c := range []struct{ name, text string }{
		{"CSeq of another method", start + "Max-Forwards: 70\nCSeq: 1 INVITE\nContent-Length: 0\n\n"},
		{"two CSeq", start + "Max-Forwards: 70\nCSeq: 1 OPTIONS\nCSeq: 2 OPTIONS\nContent-Length: 0\n\n"},
		{"two Call-ID", start + "Call-ID: other\nMax-Forwards: 70\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n"},
		{"Max-Forwards is no number", start + "Max-Forwards: many\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n"},
		{"body shorter than its length", start + "Max-Forwards: 70\nCSeq: 1 OPTIONS\nContent-Length: 50\n\nshort"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := w.in(t).wireOf(w)
			w.send(c.text, newID())
			m := w.final()
			first, _, _ := strings.Cut(string(m), "\r\n")
			if m.status() != 400 || len(first) <= len("SIP/2.0 400 ") {
				t.Errorf("want 400 with a reason:\n%s", m)
			}
		})
	}
}

// wireOf gives a wire of another test to this one.
func (s *site) wireOf(w *wire) *wire { return &wire{site: s, conn: w.conn, local: w.local, vip: w.vip} }

func TestGarbageIsDroppedAndCounted(t *testing.T) {
	for _, mode := range []string{"native", "off"} {
		t.Run(mode, func(t *testing.T) {
			s := newSite(t)
			b := s.balance(daemon.Settings{Mode: mode})
			w := s.wire(s.ua, 5060, vip4)
			before := b.settled()
			garbage := [][]byte{
				[]byte("\x16\x03\x01\x02\x00 this is not SIP"), {0, 1, 2, 3, 4, 5, 6, 7, 8, 9},
				[]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), []byte(strings.Repeat("\xff", 1400)), []byte("\r\n\r\n"),
			}
			for _, g := range garbage {
				w.raw(g)
			}
			if m := w.receive(500 * time.Millisecond); m != "" {
				t.Errorf("garbage was answered:\n%s", m)
			}
			after := b.settled()
			if got := sum(dropped(after)) - sum(dropped(before)); got != uint64(len(garbage)) {
				t.Errorf("%d drops counted, want %d: %v", got, len(garbage), dropped(after))
			}
			w.send("OPTIONS sip:$VIP SIP/2.0\nVia: SIP/2.0/UDP $LOCAL;branch=z9hG4bK$ID;rport\nMax-Forwards: 70\n"+
				"From: <sip:a@example.com>;tag=1\nTo: <sip:$VIP>\nCall-ID: $ID\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n", newID())
			if m := w.final(); m.status() != 200 {
				t.Errorf("OPTIONS after the garbage: want 200:\n%s", m)
			}
		})
	}
}

// dropped are all drops: those of the kernel and of the control plane behind it. With the mode off, the control plane
// counts those of the twin as well.
func dropped(st daemon.Status) map[string]uint64 {
	all := map[string]uint64{}
	for k, n := range st.Control.Dropped {
		all["control "+k] = n
	}
	if st.Datapath.Mode == "off" {
		return all
	}
	for k, n := range st.Datapath.Dropped {
		all["datapath "+k] = n
	}
	return all
}

func sum(m map[string]uint64) (total uint64) {
	for _, n := range m {
		total += n
	}
	return total
}

// Without a CSeq there is no answer that its sender could match: such a request is dropped, but not in silence.
func TestARequestThatCannotBeAnsweredIsCounted(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{})
	w := s.wire(s.ua, 5060, vip4)
	for _, missing := range []string{"CSeq: 1 OPTIONS\n", "From: <sip:a@example.com>;tag=1\n", "Call-ID: $ID\n"} {
		before := sum(dropped(b.settled()))
		const text = "OPTIONS sip:$VIP SIP/2.0\nVia: SIP/2.0/UDP $LOCAL;branch=z9hG4bK$ID;rport\nMax-Forwards: 70\n" +
			"From: <sip:a@example.com>;tag=1\nTo: <sip:b@example.com>\nCall-ID: $ID\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n"
		w.send(strings.Replace(text, missing, "", 1), newID())
		if m := w.receive(300 * time.Millisecond); m != "" && m.status() != 400 {
			t.Errorf("without %q: want 400 or nothing:\n%s", missing, m)
		} else if m == "" && sum(dropped(b.settled())) != before+1 {
			t.Errorf("without %q: neither answered nor counted", missing)
		}
	}
}

// A BYE for a call that nobody vouched for must not reach a worker, nor anybody else.
func TestARequestInsideAnUnknownDialogIsRefused(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{})
	victim := s.wire(s.ub, 5060, vip4)
	w := s.wire(s.ua, 5060, vip4)
	for _, route := range []string{"", "Route: <sip:192.0.2.10:5060;lr>\n", "Route: <sip:192.0.2.10:5060;lr;ss=forged;st=forged>\n"} {
		w.send("BYE sip:bob@10.66.0.12:5060 SIP/2.0\nVia: SIP/2.0/UDP $LOCAL;branch=z9hG4bK$ID;rport\nMax-Forwards: 70\n"+
			"From: <sip:a@example.com>;tag=1\nTo: <sip:b@example.com>;tag=2\nCall-ID: $ID\nCSeq: 2 BYE\n"+route+"Content-Length: 0\n\n", newID())
		if m := w.final(); m.status() != 481 {
			t.Errorf("with %q: want 481:\n%s", route, m)
		}
	}
	if m := victim.receive(200 * time.Millisecond); m != "" {
		t.Errorf("the request was relayed:\n%s", m)
	}
	if st := b.settled(); st.Datapath.Steered != 0 {
		t.Errorf("the kernel steered %d messages", st.Datapath.Steered)
	}
}
