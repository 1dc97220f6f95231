// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/sipsteer/sipsteer/userspace/handover"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

func at(a netip.AddrPort) handover.Target { return handover.Target{URI: "sip:phone@" + a.String()} }

func after(a netip.AddrPort, ring, reply time.Duration, on ...int) handover.Target {
	t := at(a)
	t.Next, t.Ring, t.Reply, t.On = true, ring, reply, on
	return t
}

// forked sends alice's INVITE for bob and more targets and returns what left to
// each.
func forked(n *network, want string, more ...handover.Target) []got {
	n.t.Helper()
	n.in(alice, initial(request{targets: more}))
	return n.take(strings.Fields("100>alice " + want)...)[1:]
}

func TestBothPhonesRingOneAnswersTheOtherIsCancelled(t *testing.T) {
	n := newNetwork(t)
	out := forked(n, "INVITE>bob INVITE>carol", at(carol))
	toBob, toCarol := out[0], out[1]
	if strings.Contains(toBob.text+toCarol.text, "X-Sipsteer") || toBob.headers("Via")[0] == toCarol.headers("Via")[0] ||
		string(toCarol.m.RequestURI) != "sip:phone@203.0.113.3:5060" {
		t.Fatalf("branches:\n%s\n%s", toBob.text, toCarol.text)
	}
	n.in(bob, toBob.respond(180, bobContact))
	n.in(carol, toCarol.respond(180))
	n.take("180>alice", "180>alice")
	n.in(bob, toBob.respond(200, bobContact))
	out = n.take("200>alice", "CANCEL>carol")
	ok, cancel := out[0], out[1]
	if cancel.header("Via") != toCarol.headers("Via")[0] || string(cancel.m.RequestURI) != string(toCarol.m.RequestURI) {
		t.Fatalf("CANCEL is not that of carol's branch:\n%s", cancel.text)
	}
	n.in(carol, cancel.respond(200))
	n.in(carol, toCarol.respond(487))
	n.take("ACK>carol")
	n.in(alice, ok.next("ACK", 1))
	n.in(bob, toBob.respond(200, bobContact)) // repeated: it passes, and cancels nothing again
	n.take("ACK>bob", "200>alice")
	n.in(alice, ok.next("BYE", 2))
	n.take("BYE>bob")
	n.empty()
}

func TestASecond2xxOfAForkPassesToo(t *testing.T) {
	n := newNetwork(t)
	out := forked(n, "INVITE>bob INVITE>carol", at(carol))
	n.in(bob, out[0].respond(200, bobContact))
	n.take("200>alice") // carol has sent nothing yet: her CANCEL waits
	carols := strings.ReplaceAll(out[1].respond(200, "Contact: <sip:phone@203.0.113.3>"), ";tag=b", ";tag=c")
	n.in(carol, carols)
	n.in(carol, carols)
	second := n.take("200>alice", "200>alice")[0]
	n.in(alice, second.next("ACK", 1))
	n.in(alice, second.next("BYE", 2))
	n.take("ACK>carol", "BYE>carol")
	n.empty()
}

func TestTargetsOfLowerPreferenceWaitForTheirTurn(t *testing.T) {
	n := newNetwork(t)
	toBob := forked(n, "INVITE>bob", after(carol, 20*time.Second, 0), at(dave))[0]
	n.in(bob, toBob.respond(486))
	out := n.take("ACK>bob", "INVITE>carol", "INVITE>dave")
	n.in(carol, out[1].respond(180))
	n.take("180>alice")
	n.in(dave, out[2].respond(200, "Contact: <sip:phone@203.0.113.4>"))
	n.take("200>alice", "CANCEL>carol")
	n.empty()
}

func TestAPhoneThatOnlyRingsIsLeftForTheNext(t *testing.T) {
	n := newNetwork(t)
	toBob := forked(n, "INVITE>bob", after(carol, 20*time.Second, 0))[0]
	n.in(bob, toBob.respond(180, bobContact))
	n.advance(19 * time.Second)
	n.in(bob, toBob.respond(183)) // does not prolong it
	n.take("180>alice", "183>alice")
	n.advance(time.Second)
	toCarol := n.take("CANCEL>bob", "INVITE>carol")[1]
	n.in(bob, toBob.respond(487))
	n.take("ACK>bob")
	n.in(carol, toCarol.respond(404))
	n.take("ACK>carol", "404>alice")
	n.empty()
}

func TestADeadGatewayCostsItsReplyTimeOnly(t *testing.T) {
	n := newNetwork(t)
	toBob := forked(n, "INVITE>bob", after(carol, 0, 4*time.Second, 408, 503))[0]
	n.advance(4 * time.Second)
	toCarol := n.take("INVITE>bob", "INVITE>bob", "INVITE>bob", "INVITE>carol")[3]
	n.in(carol, toCarol.respond(183))
	n.take("183>alice")
	n.in(bob, toBob.respond(180)) // too late
	cancel := n.take("CANCEL>bob")[0]
	n.in(bob, cancel.respond(200))
	n.in(bob, toBob.respond(487))
	n.take("ACK>bob")
	n.advance(60 * time.Second) // the last gateway may ring
	n.take()
	n.in(carol, toCarol.respond(200, "Contact: <sip:phone@203.0.113.3>"))
	n.take("200>alice")
	n.empty()
}

func TestAGatewayThatAnsweredInTimeMayRing(t *testing.T) {
	n := newNetwork(t)
	toBob := forked(n, "INVITE>bob", after(carol, 0, 4*time.Second, 408))[0]
	n.in(bob, toBob.respond(100))
	n.advance(100 * time.Second)
	n.take()
	n.in(bob, toBob.respond(486)) // not a code that leads on
	n.take("ACK>bob", "486>alice")
	n.empty()
}

func TestNoBadTargetStopsTheSearch(t *testing.T) {
	bad := []handover.Target{
		{URI: "sip:x@host.example", Next: true}, {URI: "sip:x@203.0.113.9;transport=tcp", Next: true},
		{URI: "sip:x@" + vip4.String(), Next: true}, {URI: "mailto:x", Next: true}, {URI: "sip:x@0.0.0.0"},
	}
	n := newNetwork(t)
	n.in(alice, initial(request{uri: "sip:bob@host.example", targets: append(bad, after(carol, 0, 0))}))
	n.take("100>alice", "INVITE>carol")
	n = newNetwork(t)
	n.in(alice, initial(request{uri: "sip:bob@host.example", targets: bad}))
	n.take("100>alice", "482>alice") // one of them is ourselves
	n = newNetwork(t)
	n.in(alice, initial(request{uri: "sip:bob@host.example", targets: bad[:2]}))
	n.take("100>alice", "500>alice")
	n.empty()
}

func TestATargetThatTheSocketRefusesIsPassedOver(t *testing.T) {
	n := newNetwork(t)
	targets := []handover.Target{after(carol, 0, 0), after(dave, 0, 0)}
	invite := transport.Datagram{Local: vip4, Remote: alice, Data: []byte(initial(request{targets: targets}))}
	out := n.core.Input(n.now, invite)
	for _, want := range []netip.AddrPort{bob, carol, dave} {
		if last := out[len(out)-1]; last.Remote != want {
			t.Fatalf("left for %v, want %v", last.Remote, want)
		}
		if want != dave {
			out = n.core.Failed(n.now, out[len(out)-1])
		}
	}
	n.empty()
}

func TestTheBestAnswerOfAForkGoesUpstream(t *testing.T) {
	for _, c := range []struct{ bob, carol, want int }{
		{486, 404, 486}, {404, 486, 404}, {503, 486, 486}, {500, 302, 302}, {486, 603, 603}, {603, 486, 603},
		{486, 407, 407}, {480, 484, 484}, {408, 486, 486}, {487, 480, 480}, {503, 503, 500}, {503, 500, 500}, {486, 503, 486},
	} {
		t.Run(fmt.Sprint(c.bob, c.carol), func(t *testing.T) {
			n := newNetwork(t)
			out := forked(n, "INVITE>bob INVITE>carol", at(carol), after(dave, 0, 0, 499))
			n.in(carol, out[1].respond(180))
			n.take("180>alice")
			n.in(bob, out[0].respond(c.bob))
			if c.bob >= 600 {
				n.take("ACK>bob", "CANCEL>carol")
			} else {
				n.take("ACK>bob")
			}
			n.in(carol, out[1].respond(c.carol))
			n.take("ACK>carol", fmt.Sprintf("%d>alice", c.want))
			n.empty()
		})
	}
}

func TestChallengesOfAllBranchesAreAskedAtOnce(t *testing.T) {
	n := newNetwork(t)
	out := forked(n, "INVITE>bob INVITE>carol INVITE>dave", at(carol), at(dave))
	n.in(bob, out[0].respond(407, `Proxy-Authenticate: Digest realm="b"`))
	n.in(carol, out[1].respond(404))
	n.in(dave, out[2].respond(401, `WWW-Authenticate: Digest realm="d", nonce="1"`, `WWW-Authenticate: Digest realm="e"`))
	answer := n.take("ACK>bob", "ACK>carol", "ACK>dave", "407>alice")[3]
	if answer.header("Proxy-Authenticate") != `Digest realm="b"` || len(answer.headers("WWW-Authenticate")) != 2 {
		t.Fatalf("challenges:\n%s", answer.text)
	}
	n.empty()
}

func TestTheCallersCANCELEndsTheWholeSearch(t *testing.T) {
	n := newNetwork(t)
	out := forked(n, "INVITE>bob INVITE>carol", at(carol), after(dave, 20*time.Second, 0))
	n.in(bob, out[0].respond(180))
	n.take("180>alice")
	n.in(alice, cancelText())
	n.take("200>alice", "CANCEL>bob")
	n.in(carol, out[1].respond(180))
	n.take("CANCEL>carol", "180>alice")
	n.in(bob, out[0].respond(487))
	n.in(carol, out[1].respond(487))
	n.take("ACK>bob", "ACK>carol", "487>alice")
	n.empty()
}

func TestA2xxThatCrossesTheFailureReachesTheCaller(t *testing.T) {
	n := newNetwork(t)
	out := forked(n, "INVITE>bob", after(carol, 5*time.Second, 0))
	toBob := out[0]
	n.in(bob, toBob.respond(180, bobContact))
	n.advance(5 * time.Second)
	toCarol := n.take("180>alice", "CANCEL>bob", "INVITE>carol")[2]
	n.in(carol, toCarol.respond(486))
	n.take("ACK>carol", "486>alice")
	n.in(bob, toBob.respond(200, bobContact))
	ok := n.take("200>alice")[0]
	n.in(alice, ok.next("ACK", 1))
	n.in(alice, ok.next("BYE", 2))
	n.take("ACK>bob", "BYE>bob")
	n.empty()
}

func TestOtherRequestsForkAndAreNotCancelled(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{method: "MESSAGE", contact: "-", targets: []handover.Target{at(carol), after(dave, time.Second, time.Second)}}))
	out := n.take("MESSAGE>bob", "MESSAGE>carol")
	n.in(bob, out[0].respond(200))
	n.take("200>alice")
	n.in(carol, out[1].respond(200))
	n.take()
	n.empty()

	n.in(alice, initial(request{method: "MESSAGE", cseq: 2, contact: "-", targets: []handover.Target{after(carol, time.Second, time.Second)}}))
	out = n.take("MESSAGE>bob")
	n.advance(3 * time.Second) // only an INVITE is given up early
	n.take("MESSAGE>bob", "MESSAGE>bob")
	n.in(bob, out[0].respond(480))
	out = n.take("MESSAGE>carol")
	n.in(carol, out[0].respond(408))
	n.take("480>alice")
	n.empty()
}

func TestTargetsKeepTheirOwnRoutes(t *testing.T) {
	n := newNetwork(t)
	second := at(dave)
	second.Route = []string{"<sip:203.0.113.3;lr>", `"a, b" <sip:203.0.113.9;lr>`}
	n.in(alice, initial(request{routes: []string{"<sip:203.0.113.2:5064;lr>"}, targets: []handover.Target{second}}))
	out := n.take("100>alice", "INVITE>bob", "INVITE>carol")
	if out[1].header("Route") != "<sip:203.0.113.2:5064;lr>" || out[2].header("Route") != strings.Join(second.Route, ", ") {
		t.Fatalf("routes:\n%s\n%s", out[1].text, out[2].text)
	}
	n.empty()
}

func TestTwoTargetsThatAreOneAreTriedOnce(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{uri: at(carol).URI, targets: []handover.Target{at(carol), after(carol, 0, 0)}}))
	invite := n.take("100>alice", "INVITE>carol")[1]
	n.in(carol, invite.respond(486))
	n.take("ACK>carol", "482>alice")
	n.empty()
}

func TestMaxBreadthIsSharedAndBounds(t *testing.T) {
	for _, c := range []struct {
		extra, sent, share string
		more               string // sent when bob has refused
	}{
		{"", "INVITE>bob INVITE>carol INVITE>dave", "20", ""},
		{"max-breadth: 7\r\n", "INVITE>bob INVITE>carol INVITE>dave", "2", ""},
		{"Max-Breadth: 1\r\n", "INVITE>bob", "1", "INVITE>carol"},
	} {
		n := newNetwork(t)
		n.in(alice, initial(request{extra: c.extra, targets: []handover.Target{at(carol), at(dave)}}))
		invite := n.take(strings.Fields("100>alice " + c.sent)...)[1]
		if got := invite.header("Max-Breadth"); got != c.share {
			t.Errorf("%q: Max-Breadth %s, want %s", c.extra, got, c.share)
		}
		n.in(bob, invite.respond(486))
		n.take(strings.Fields("ACK>bob " + c.more)...)
		n.empty()
	}
	for extra, want := range map[string]string{"Max-Breadth: 0\r\n": "440>alice", "Max-Breadth: x\r\n": "400>alice"} {
		n := newNetwork(t)
		n.in(alice, initial(request{extra: extra, targets: []handover.Target{at(carol)}}))
		n.take(want)
	}
}

func TestTargetsAreSigned(t *testing.T) {
	n := newNetwork(t)
	good := initial(request{targets: []handover.Target{at(carol)}})
	for _, msg := range []string{
		strings.Replace(good, "203.0.113.3", "203.0.113.99", 1),
		strings.Replace(initial(request{}), "X-Sipsteer-Cookie", "X-Sipsteer-Target: <sip:x@203.0.113.99>\r\nX-Sipsteer-Cookie", 1),
	} {
		n.in(alice, msg)
		n.take("403>alice")
	}
}

// Whatever the targets do, the caller gets one failure, or every 2xx and no failure
// after one, and nothing is left over.
func TestForksHoldTheirPromisesInAnyOrderOfEvents(t *testing.T) {
	phones := []netip.AddrPort{bob, carol, dave}
	rapid.Check(t, func(r *rapid.T) {
		n := newNetwork(t)
		wait := func(name string) time.Duration {
			return time.Duration(rapid.SampledFrom([]int{0, 3, 20}).Draw(r, name)) * time.Second
		}
		second, third := at(carol), at(dave)
		second.Next, third.Next = rapid.Bool().Draw(r, "second"), rapid.Bool().Draw(r, "third")
		second.Ring, third.Ring, second.Reply, third.Reply = wait("a"), wait("b"), wait("c"), wait("d")
		n.in(alice, initial(request{targets: []handover.Target{second, third}}))
		invites, since, failures, successes := map[netip.AddrPort]got{}, map[netip.AddrPort]time.Time{}, 0, 0
		look := func() {
			sent := n.sent
			n.sent = nil
			for _, d := range sent {
				n.sent = []transport.Datagram{d}
				g := n.takeAny()[0]
				switch code := g.m.Status; {
				case g.m.Is("INVITE"):
					if _, again := since[d.Remote]; !again {
						invites[d.Remote], since[d.Remote] = g, n.now
					}
				case d.Remote == alice && strings.HasSuffix(g.header("CSeq"), "INVITE") && code >= 300:
					failures++
				case d.Remote == alice && strings.HasSuffix(g.header("CSeq"), "INVITE") && code >= 200:
					successes++
				}
			}
			n.sent = nil
		}
		look()
		for range rapid.IntRange(0, 12).Draw(r, "events") {
			switch e := rapid.SampledFrom([]int{0, 1, 100, 180, 200, 404, 486, 503, 603, 487}).Draw(r, "event"); e {
			case 0:
				n.advance(time.Duration(rapid.IntRange(0, 40).Draw(r, "seconds")) * time.Second)
			case 1:
				n.in(alice, cancelText())
			default:
				phone := rapid.SampledFrom(phones).Draw(r, "phone")
				// Later its transaction may be gone, and what it sends is nobody's.
				if invite, rings := invites[phone]; rings && n.now.Sub(since[phone]) < 30*time.Second {
					n.in(phone, invite.respond(e, "Contact: <sip:phone@"+phone.String()+">"))
				}
			}
			before := failures
			look()
			if successes > 0 && failures > before && before == 0 {
				r.Fatal("a failure after a success")
			}
		}
		n.in(alice, cancelText())
		n.advance(10 * time.Minute)
		look()
		if successes == 0 && failures == 0 {
			r.Fatal("the caller got no final answer")
		}
		if s := n.core.Stats(); s.Transactions != 0 || len(n.core.timers) != 0 {
			r.Fatalf("left over: %d transactions, %d timers", s.Transactions, len(n.core.timers))
		}
	})
}
