// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

func TestInitialRequestsNeedTheControlPlanesTicket(t *testing.T) {
	good := initial(request{})
	for name, msg := range map[string]string{
		"none":                initial(request{noTicket: true}),
		"forged ticket":       strings.Replace(good, "X-Sipsteer-Ticket: ", "X-Sipsteer-Ticket: a", 1),
		"ticket of another":   strings.Replace(good, "INVITE sip:bob@", "INVITE sip:eve@", 1),
		"another Call-ID":     strings.Replace(good, callID, "other@x", 1),
		"another branch":      strings.Replace(good, "z9hG4bK-a1", "z9hG4bK-a2", 1),
		"two cookies":         strings.Replace(good, "X-Sipsteer-Cookie", "X-Sipsteer-Cookie: x\r\nX-Sipsteer-Cookie", 1),
		"cookie alone":        strings.Replace(good, "X-Sipsteer-Ticket", "X-Ticket", 1),
		"another destination": strings.Replace(good, "INVITE sip:bob@"+bob.String(), "INVITE sip:bob@"+victim.String(), 1),
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			n.in(alice, msg)
			n.take("403>alice")
			n.refused("no_ticket", 1)
			if n.core.Stats().Transactions != 0 {
				t.Fatal("a refusal costs state")
			}
		})
	}
}

func TestInDialogRequestsGoToThePartiesAlone(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		for name, c := range map[string]struct {
			edit func(r *request)
			want int
		}{
			"third party in the Request-URI": {func(r *request) { r.uri = "sip:x@" + victim.String() }, 403},
			"third party by alias":           {func(r *request) { r.uri += ";alias=203.0.113.99~5060~1" }, 403},
			"third party by Route":           {func(r *request) { r.routes = append(r.routes, "<sip:"+victim.String()+";lr>") }, 403},
			"third party by strict Route":    {func(r *request) { r.routes = append(r.routes, "<sip:"+victim.String()+">") }, 403},
			"another port of the party":      {func(r *request) { r.uri = "sip:bob@203.0.113.2:22" }, 403},
			"ourselves":                      {func(r *request) { r.uri = "sip:bob@" + vip4.String() }, 482},
			"a name":                         {func(r *request) { r.uri = "sip:bob@victim.example" }, 502},
			"no Route":                       {func(r *request) { r.routes = nil }, 481},
			"a Route without cookie":         {func(r *request) { r.routes = []string{"<sip:" + vip4.String() + ";lr>"} }, 481},
			"cookie of another Call-ID":      {func(r *request) { r.callID = "other@x" }, 481},
			"st of another Call-ID": {func(r *request) {
				r.callID = "other@x"
				r.routes = []string{fmt.Sprintf("<sip:%s;lr;ss=%s;st=%s>", vip4, signer.Cookie([]byte("other@x"), 7, start), signer.Target([]byte(callID), bob))}
			}, 403},
			"no st": {func(r *request) {
				r.routes = []string{strings.Split(r.routes[0], ";st=")[0] + ">"}
			}, 403},
			"malformed Route": {func(r *request) { r.routes = []string{"<sip:"} }, 400},
		} {
			t.Run(fmt.Sprint(name, " fresh ", fresh), func(t *testing.T) {
				n := newNetwork(t)
				_, ok := n.call()
				if fresh {
					n.restart()
				}
				r := ok.nextRequest("INFO", 2)
				c.edit(&r)
				n.in(alice, r.text())
				n.take(fmt.Sprintf("%d>alice", c.want))
				r.method, r.via = "ACK", strings.Replace(r.via, "branch=z9hG4bK", "branch=z9hG4bKack", 1)
				n.in(alice, r.text())
				n.take()
			})
		}
	}
}

func TestLongCallsEndAsShortOnes(t *testing.T) {
	n := newNetwork(t)
	_, ok := n.call()
	n.advance(25 * time.Hour)
	n.in(alice, ok.next("BYE", 2))
	n.take("BYE>bob")
}

func TestAFreshWorkerServesTheDialogsItFinds(t *testing.T) {
	n := newNetwork(t)
	invite, ok := n.call()
	n.restart()
	n.in(bob, invite.back("INFO", 1))
	n.in(alice, n.take("INFO>alice")[0].respond(200))
	n.take("200>bob")
	n.in(alice, ok.next("ACK", 1))
	n.take("ACK>bob")
	n.in(alice, ok.next("BYE", 2))
	n.in(bob, n.take("BYE>bob")[0].respond(200))
	n.take("200>alice")
	n.empty()
}

func TestAFreshWorkerPassesTheAnswerToARingingCall(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{via: "SIP/2.0/UDP 10.0.0.1:5062;rport;branch=z9hG4bK-a1"}))
	invite := n.take("100>alice", "INVITE>bob")[1]
	n.in(bob, invite.respond(180, bobContact))
	n.take("180>alice")
	n.restart()
	answer := invite.respond(200, bobContact)
	n.in(bob, answer)
	ok := n.take("200>alice")[0]
	n.in(alice, ok.next("ACK", 1))
	n.take("ACK>bob")
	n.in(alice, ok.next("BYE", 2))
	n.take("BYE>bob")

	// The branch proves the way back: nobody may turn it to somebody else.
	for name, forged := range map[string]string{
		"received":   strings.Replace(answer, "received=198.51.100.1", "received=203.0.113.99", 1),
		"rport":      strings.Replace(answer, "rport=5062", "rport=53", 1),
		"their Via":  strings.Replace(answer, "branch=z9hG4bK-a1", "branch=z9hG4bK-a9", 1),
		"CSeq":       strings.Replace(answer, "CSeq: 1 ", "CSeq: 9 ", 1),
		"Call-ID":    strings.Replace(answer, callID, "other@x", 1),
		"our branch": strings.Replace(answer, "5060;branch=z9hG4bKa", "5060;branch=z9hG4bKb", 1),
	} {
		if forged == answer {
			t.Fatalf("%s: the test forges nothing", name)
		}
		n.restart()
		n.in(bob, forged)
		n.take()
		n.dropped("stray_response", 1)
	}
}

func TestAFreshWorkerMakesTheSameBranch(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{}))
	first := n.take("100>alice", "INVITE>bob")[1]
	n.restart()
	n.in(alice, initial(request{}))
	again := n.take("100>alice", "INVITE>bob")[1]
	if first.text != again.text {
		t.Fatalf("the callee would take it for another request:\n%s\n%s", first.text, again.text)
	}
}

func TestResponsesThatAreNotOursAreDropped(t *testing.T) {
	n := newNetwork(t)
	invite, _ := n.call()
	ok := invite.respond(200, bobContact)
	n.in(bob, strings.Replace(ok, "192.0.2.10:5060;branch", "192.0.2.11:5060;branch", 1))
	n.dropped("foreign_via", 1)
	alone := ok[:strings.Index(ok, "Via: SIP/2.0/UDP 198")] + ok[strings.Index(ok, "From:"):]
	n.restart()
	n.in(bob, alone)
	n.dropped("no_via", 1)
	n.take()
}

func TestAnsweredNamesTheWorkerByTheBranch(t *testing.T) {
	n := newNetwork(t)
	invite, _ := n.call()
	answer := invite.respond(200, bobContact)
	for msg, want := range map[string]bool{
		answer: true,
		strings.Replace(answer, "CSeq: 1 INVITE", "CSeq: 1 CANCEL", 1): true, // our CANCEL has the same branch
		strings.Replace(answer, callID, "other@x", 1):                  false,
		strings.Replace(answer, "Via:", "X-Via:", 1):                   false,
		invite.text:              false,
		"SIP/2.0 200 OK\r\n\r\n": false,
	} {
		var m sip.Message
		if err := sip.Parse([]byte(msg), &m); err != nil {
			t.Fatal(err)
		}
		worker, ok := Answered(signer, &m)
		if ok != want || ok && worker != 7 {
			t.Errorf("worker %d %v, want %v for\n%s", worker, ok, want, msg)
		}
	}
}

func TestOneBranchTwiceIsTwoBranches(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{}))
	a := n.take("100>alice", "INVITE>bob")[1]
	n.in(alice, initial(request{callID: "other@x"}))
	b := n.take("100>alice", "INVITE>bob")[1]
	if a.headers("Via")[0] == b.headers("Via")[0] {
		t.Fatal("same branch for two calls")
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		r      request
		code   int
		cause  string
		header string
	}{
		"hops":              {request{maxForwards: "0"}, 483, "max_forwards", ""},
		"hops malformed":    {request{maxForwards: "x"}, 400, "malformed", ""},
		"proxy-require":     {request{extra: "Proxy-Require: foo, bar\r\n"}, 420, "proxy_require", "Unsupported: foo, bar\r\n"},
		"scheme":            {request{uri: "tel:+49301234"}, 416, "malformed", ""},
		"sips":              {request{uri: "sips:bob@203.0.113.2"}, 502, "transport", ""},
		"tcp":               {request{uri: "sip:bob@203.0.113.2;transport=tcp"}, 502, "transport", ""},
		"tcp alias":         {request{uri: "sip:bob@10.0.0.1;alias=203.0.113.2~5060~2"}, 502, "transport", ""},
		"name":              {request{uri: "sip:bob@phone.example"}, 502, "transport", ""},
		"multicast":         {request{uri: "sip:bob@224.0.1.75"}, 502, "transport", ""},
		"broadcast":         {request{uri: "sip:bob@255.255.255.255"}, 502, "transport", ""},
		"unspecified":       {request{uri: "sip:bob@0.0.0.0"}, 502, "transport", ""},
		"ourselves":         {request{uri: "sip:bob@192.0.2.10"}, 482, "loop", ""},
		"two Call-IDs":      {request{extra: "Call-ID: x\r\n"}, 400, "malformed", ""},
		"CSeq of another":   {request{extra: "CSeq: 1 BYE\r\n"}, 400, "malformed", ""},
		"malformed Request": {request{uri: "sip:bob@[::1"}, 400, "malformed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			n.in(alice, initial(c.r))
			out := n.taken(t)
			if out.m.Status != c.code || !strings.Contains(out.text, c.header) || !strings.Contains(string(out.m.Value(3)), ";tag=ss") {
				t.Fatalf("want %d:\n%s", c.code, out.text)
			}
			n.refused(c.cause, 1)
			if n.core.Stats().Transactions != 0 {
				t.Fatal("a refusal costs state")
			}
		})
	}
}

func TestLoopsAreSeenAndSpiralsAreNot(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{}))
	invite := n.take("100>alice", "INVITE>bob")[1]
	vias := "SIP/2.0/UDP " + bob.String() + ";branch=z9hG4bK-pbx\n" + strings.Join(invite.headers("Via"), "\n")
	n.in(bob, looping(vias, "sip:bob@"+bob.String()))
	n.take("482>bob")
	n.in(bob, looping(strings.ReplaceAll(vias, "pbx", "pbx2"), "sip:carol@"+bob.String()))
	n.take("100>bob", "INVITE>bob") // another Request-URI: a spiral
}

// looping is a request with several Vias and a ticket for the first.
func looping(vias, uri string) string {
	top, _, _ := strings.Cut(vias, "\n")
	branch := top[strings.Index(top, "branch=")+7:]
	cookie := signer.Cookie([]byte(callID), 7, start)
	return request{via: vias, uri: uri, extra: "X-Sipsteer-Cookie: " + cookie + "\r\nX-Sipsteer-Ticket: " +
		signer.Ticket(cookie, []byte(callID), []byte(branch), []byte(uri), nil) + "\r\n"}.text()
}

func TestOverloadRefusesNewCallsBeforeStandingOnes(t *testing.T) {
	n := newNetwork(t)
	_, ok := n.call() // one server, one client transaction
	n.core.cfg.MaxTransactions = 10
	for i := range 3 {
		n.in(alice, initial(request{callID: fmt.Sprint(i)}))
		n.take("100>alice", "INVITE>bob")
	}
	n.in(alice, initial(request{callID: "second@x"}))
	if out := n.take("503>alice")[0]; out.header("Retry-After") == "" {
		t.Fatalf("no Retry-After:\n%s", out.text)
	}
	n.refused("overload", 1)
	n.in(alice, ok.next("BYE", 2))
	n.take("BYE>bob")
}

func TestNoiseIsCountedAndDropped(t *testing.T) {
	n := newNetwork(t)
	for _, msg := range []string{"", "\r\n\r\n", "\x00\x01", "GET / HTTP/1.1\r\n\r\n"} {
		n.in(alice, msg)
	}
	n.dropped("not_sip", 4)
	n.in(alice, "SIP/2.0 200 OK\r\nVia: x\r\n\r\n")
	n.in(alice, "ACK sip:x SIP/2.0\r\n\r\n")
	n.dropped("malformed", 2)
	n.in(alice, request{method: "ACK"}.text())
	n.dropped("stray_ack", 1)
	n.take()
}

// taken is the one message that has been sent, to whomever.
func (n *network) taken(t *testing.T) got {
	t.Helper()
	if len(n.sent) != 1 {
		t.Fatalf("sent %d messages", len(n.sent))
	}
	to := n.sent[0].Remote
	if to.Addr() != alice.Addr() {
		t.Fatalf("sent to %v", to)
	}
	return n.takeAny()[0]
}

func (n *network) takeAny() []got {
	n.t.Helper()
	names := make([]string, len(n.sent))
	for i, d := range n.sent {
		first, rest, _ := strings.Cut(string(d.Data), " ")
		if strings.HasPrefix(first, "SIP/") {
			first = rest[:3]
		}
		names[i] = first + ">" + who(d.Remote)
	}
	return n.take(names...)
}
