// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/transport"
)

func TestCallPassesThroughAndOnlyTheProxysFieldsChange(t *testing.T) {
	n := newNetwork(t)
	odd := "X-Odd:   \"quoted, ;=\"  ,  b\r\nSubject: folded\r\n\tline\r\nsupported:100rel\r\n"
	body := "v=0\r\no=- 1 1 IN IP4 198.51.100.1\r\n"
	in := initial(request{extra: odd, body: body})
	n.in(alice, in)
	out := n.take("100>alice", "INVITE>bob")
	if trying := out[0]; trying.header("To") != "<sip:bob@example.com>" || trying.from != vip4 {
		t.Fatalf("100 Trying:\n%s", trying.text)
	}
	invite := out[1]
	if invite.from != vip4 {
		t.Fatalf("INVITE left from %v", invite.from)
	}
	// Undo what a proxy changes; the rest has to be what came in.
	undone := regexp.MustCompile(`Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK[a-z2-7]+\.[a-z0-9]+\r\n`).ReplaceAllString(invite.text, "")
	undone = regexp.MustCompile(`Record-Route: <sip:192.0.2.10:5060;lr;ss=[a-z2-7]+;st=[a-z2-7]+>\r\n`).ReplaceAllString(undone, "")
	undone = strings.Replace(undone, "Max-Forwards: 69", "Max-Forwards: 70", 1)
	want := regexp.MustCompile(`X-Sipsteer-[^\r]*\r\n`).ReplaceAllString(in, "")
	if undone != want {
		t.Fatalf("changed more than it may:\n%s\nwant\n%s", undone, want)
	}

	answer := invite.respond(200, bobContact, "X-Odd: \"a,b\" , c", "Allow:  INVITE")
	n.in(bob, answer)
	ok := n.take("200>alice")[0]
	undone = regexp.MustCompile(`st=[a-z2-7]+`).ReplaceAllString(ok.text, "st=")
	want = regexp.MustCompile(`st=[a-z2-7]+`).ReplaceAllString(answer, "st=")
	want = want[:strings.Index(want, "Via:")] + want[strings.Index(want, "Via: SIP/2.0/UDP 198"):]
	if undone != want {
		t.Fatalf("changed more than it may:\n%s\nwant\n%s", undone, want)
	}
	if ok.header("Record-Route") == invite.header("Record-Route") {
		t.Fatal("the caller's Record-Route still names the way to the caller")
	}

	n.in(alice, ok.next("ACK", 1))
	ack := n.take("ACK>bob")[0]
	if len(ack.headers("Route")) != 0 || ack.header("CSeq") != "1 ACK" || !strings.HasPrefix(ack.text, "ACK sip:bob@203.0.113.2:5064 ") {
		t.Fatalf("ACK:\n%s", ack.text)
	}
	n.in(alice, ok.next("BYE", 2))
	bye := n.take("BYE>bob")[0]
	if len(bye.headers("Route"))+len(bye.headers("Record-Route")) != 0 || len(bye.headers("Via")) != 2 {
		t.Fatalf("BYE:\n%s", bye.text)
	}
	n.in(bob, bye.respond(200))
	if end := n.take("200>alice")[0]; len(end.headers("Via")) != 1 {
		t.Fatalf("200 to BYE:\n%s", end.text)
	}
	n.empty()
}

func TestASlowAnswerToAnotherRequestThanINVITEIsPrecededBy100(t *testing.T) {
	n := newNetwork(t)
	_, ok := n.call()
	n.in(alice, ok.next("INFO", 2))
	info := n.take("INFO>bob")[0]
	n.advance(3499 * time.Millisecond)
	n.take("INFO>bob", "INFO>bob")
	n.in(alice, ok.next("INFO", 2))
	n.take() // not before its sender has slowed down
	n.advance(time.Millisecond)
	n.sent = n.sent[len(n.sent)-1:] // beside bob's by timer E
	n.take("100>alice")
	n.in(alice, ok.next("INFO", 2))
	n.take("100>alice")
	n.in(bob, info.respond(200))
	n.take("200>alice")
	n.empty()
}

func TestTryingCopiesTheTimestamp(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{extra: "Timestamp: 54.21\r\n"}))
	if out := n.take("100>alice", "INVITE>bob"); out[0].header("Timestamp") != "54.21" {
		t.Fatalf("100 Trying:\n%s", out[0].text)
	}
}

func TestCalleeMayHangUp(t *testing.T) {
	n := newNetwork(t)
	invite, _ := n.call()
	n.in(bob, invite.back("BYE", 1))
	bye := n.take("BYE>alice")[0]
	n.in(alice, bye.respond(200))
	n.take("200>bob")
	n.empty()
}

func TestLostMessagesAreSentAgainByTheirTimers(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{}))
	n.take("100>alice", "INVITE>bob")
	n.advance(499 * time.Millisecond)
	n.take()
	n.advance(time.Millisecond)
	n.take("INVITE>bob") // timer A
	n.advance(time.Second)
	invite := n.take("INVITE>bob")[0]
	n.in(alice, initial(request{})) // the control plane hands it over again
	n.take("100>alice")
	n.in(bob, invite.respond(180, bobContact))
	n.take("180>alice")
	n.advance(20 * time.Second)
	n.take()
	n.in(alice, initial(request{}))
	n.take("180>alice") // the last provisional is repeated
	n.in(bob, invite.respond(486))
	out := n.take("ACK>bob", "486>alice")
	if got := out[0].header("To"); !strings.HasSuffix(got, ";tag=b") {
		t.Fatalf("ACK to %s", got)
	}
	n.advance(500 * time.Millisecond)
	n.take("486>alice") // timer G
	n.in(bob, invite.respond(486))
	n.take("ACK>bob")
	n.advance(time.Second)
	n.take("486>alice")
	n.in(alice, request{method: "ACK", to: "<sip:bob@example.com>;tag=b"}.text())
	n.take()
	n.advance(4 * time.Second)
	n.take()
	n.empty()
}

func TestLostBYEAndItsAnswerAreSentAgain(t *testing.T) {
	n := newNetwork(t)
	_, ok := n.call()
	n.in(alice, ok.next("BYE", 2))
	n.take("BYE>bob")
	n.advance(1500 * time.Millisecond)
	bye := n.take("BYE>bob", "BYE>bob")[1] // timer E
	n.in(alice, ok.next("BYE", 2))
	n.take()
	n.in(bob, bye.respond(200))
	n.take("200>alice")
	n.in(bob, bye.respond(200))
	n.take()
	n.in(alice, ok.next("BYE", 2))
	n.take("200>alice")
	n.empty()
}

func Test2xxRetransmissionsPass(t *testing.T) {
	n := newNetwork(t)
	invite, ok := n.call()
	n.in(bob, invite.respond(200, bobContact))
	again := n.take("200>alice")[0]
	if again.text != ok.text {
		t.Fatalf("the retransmission differs:\n%s\n%s", again.text, ok.text)
	}
	n.in(alice, ok.next("ACK", 1))
	n.take("ACK>bob")
	n.in(alice, initial(request{})) // a late INVITE is absorbed
	n.take()
	n.advance(40 * time.Second)
	n.in(bob, invite.respond(200, bobContact)) // the transaction is forgotten, the branch still proves
	if late := n.take("200>alice")[0]; late.text != ok.text {
		t.Fatalf("the late retransmission differs:\n%s\n%s", late.text, ok.text)
	}
}

func TestNoAnswerEndsIn408(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{}))
	n.take("100>alice", "INVITE>bob")
	n.advance(31900 * time.Millisecond)
	n.take("INVITE>bob", "INVITE>bob", "INVITE>bob", "INVITE>bob", "INVITE>bob", "INVITE>bob")
	n.advance(100 * time.Millisecond)
	n.take("408>alice")
	n.empty()
}

// Its sender gives up at the same time; a 408 would only cross that (RFC 4320 §4.2).
func TestARequestOtherThanINVITEWithoutAnAnswerGetsNone(t *testing.T) {
	n := newNetwork(t)
	_, ok := n.call()
	n.in(alice, ok.next("BYE", 2))
	n.advance(33 * time.Second)
	for _, d := range n.sent {
		if d.Remote == alice && !strings.HasPrefix(string(d.Data), "SIP/2.0 100 ") {
			t.Fatalf("alice was sent\n%s", d.Data)
		}
	}
	n.empty()
	_, ok = n.call()
	n.in(alice, ok.next("INFO", 2))
	info := n.take("INFO>bob")[0]
	n.in(bob, info.respond(408))
	n.take()
	n.empty()
}

func TestTimerCCancelsAndAnswers408(t *testing.T) {
	for _, answers := range []bool{true, false} {
		n := newNetwork(t)
		n.in(alice, initial(request{}))
		invite := n.take("100>alice", "INVITE>bob")[1]
		n.in(bob, invite.respond(180))
		n.take("180>alice")
		n.advance(170 * time.Second)
		n.in(bob, invite.respond(183)) // starts timer C again
		n.take("183>alice")
		n.advance(180 * time.Second)
		n.take()
		n.advance(time.Second)
		cancel := n.take("CANCEL>bob")[0]
		n.in(bob, cancel.respond(200))
		if answers {
			n.in(bob, invite.respond(487))
			n.take("ACK>bob", "408>alice")
		} else {
			n.advance(32 * time.Second)
			n.take("408>alice")
			n.in(bob, invite.respond(487)) // too late for the caller, but acknowledged
			n.take("ACK>bob")
		}
		n.empty()
	}
}

func TestNextHop503And500(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{}))
	invite := n.take("100>alice", "INVITE>bob")[1]
	n.in(bob, invite.respond(503, "Retry-After: 100"))
	out := n.take("ACK>bob", "500>alice")
	if len(out[1].headers("Retry-After")) != 0 {
		t.Fatalf("the 503's fields passed:\n%s", out[1].text)
	}
	n.empty()
}

func TestSendErrorsAnswer500(t *testing.T) {
	n := newNetwork(t)
	out := n.core.Input(n.now, transport.Datagram{Local: vip4, Remote: alice, Data: []byte(initial(request{}))})
	n.collect(n.core.Failed(n.now, out[1]))
	n.take("500>alice")
	if n.core.Stats().Dropped["send_failed"] != 1 {
		t.Fatal("not counted")
	}
	n.empty()
}

func TestReInviteMovesTheTargets(t *testing.T) {
	n := newNetwork(t)
	invite, ok := n.call()
	moved := "198.51.100.77:5080"
	r := ok.nextRequest("INVITE", 2)
	r.contact = "<sip:alice@" + moved + ">"
	n.in(alice, r.text())
	re := n.take("100>alice", "INVITE>bob")[1]
	if len(re.headers("Record-Route")) != 0 {
		t.Fatalf("re-INVITE with Record-Route:\n%s", re.text)
	}
	// Not before the 2xx.
	back := invite.backRequest("INFO", 1)
	back.uri = "sip:alice@" + moved
	n.in(bob, back.text())
	n.take("403>bob")
	bobMoved := "203.0.113.77:5090"
	n.in(bob, re.respond(200, "Contact: <sip:bob@"+bobMoved+">"))
	n.take("200>alice")
	ackRequest := ok.nextRequest("ACK", 2)
	ackRequest.uri = "sip:bob@" + bobMoved
	n.in(alice, ackRequest.text())
	n.take("ACK>" + bobMoved)
	back.via, back.cseq = "SIP/2.0/UDP 203.0.113.2:5064;branch=z9hG4bK-b2", 2
	n.in(bob, back.text())
	n.take("INFO>" + moved)
	if n.core.Stats().Dialogs != 1 {
		t.Fatalf("%d dialogs remembered", n.core.Stats().Dialogs)
	}
	// A stranger who does not know the tags may not use it.
	stranger := ok.nextRequest("INFO", 3)
	stranger.uri, stranger.from = "sip:bob@"+bobMoved, "<sip:eve@example.com>;tag=eve"
	n.in(victim, stranger.text())
	n.take("403>203.0.113.99:5062")
	bye := ok.nextRequest("BYE", 3)
	bye.uri = "sip:bob@" + bobMoved
	n.in(alice, bye.text())
	n.in(bob, n.take("BYE>" + bobMoved)[0].respond(200))
	n.take("200>alice")
	if n.core.Stats().Dialogs != 0 {
		t.Fatal("the dialog is remembered after BYE")
	}
}

func TestIdleDialogsAreForgotten(t *testing.T) {
	n := newNetwork(t)
	_, ok := n.call()
	n.in(alice, ok.next("UPDATE", 2))
	n.in(bob, n.take("UPDATE>bob")[0].respond(200, bobContact))
	n.take("200>alice")
	n.advance(23 * time.Hour)
	if n.core.Stats().Dialogs != 1 {
		t.Fatal("forgotten too early")
	}
	n.advance(2 * time.Hour)
	if n.core.Stats().Dialogs != 0 {
		t.Fatal("never forgotten")
	}
	if _, ok := n.core.NextDeadline(); ok {
		t.Fatal("a timer runs for nothing")
	}
}

func TestEarlyDialogsAreServed(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		n := newNetwork(t)
		n.in(alice, initial(request{}))
		invite := n.take("100>alice", "INVITE>bob")[1]
		n.in(bob, invite.respond(183, bobContact, "Require: 100rel", "RSeq: 1"))
		early := n.take("183>alice")[0]
		if fresh {
			n.restart()
		}
		n.in(alice, early.next("PRACK", 2))
		prack := n.take("PRACK>bob")[0]
		n.in(bob, prack.respond(200))
		n.take("200>alice")
		n.in(bob, invite.back("UPDATE", 1))
		update := n.take("UPDATE>alice")[0]
		n.in(alice, update.respond(200, "Contact: <sip:alice@198.51.100.1:5062>"))
		n.take("200>bob")
		n.in(bob, invite.respond(200, bobContact))
		n.take("200>alice")
	}
}

func TestNotifyMayOvertakeTheAnswerToSubscribe(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{method: "SUBSCRIBE", extra: "Event: presence\r\n"}))
	subscribe := n.take("SUBSCRIBE>bob")[0]
	n.in(bob, subscribe.back("NOTIFY", 1))
	notify := n.take("NOTIFY>alice")[0]
	n.in(alice, notify.respond(200))
	n.take("200>bob")
	n.in(bob, subscribe.respond(202, bobContact))
	ok := n.take("202>alice")[0]
	n.in(alice, ok.next("SUBSCRIBE", 2))
	n.take("SUBSCRIBE>bob")
	n.empty()
}

func TestAChallengedBYELeavesTheDialogUp(t *testing.T) {
	for code, left := range map[int]int{407: 1, 481: 0, 200: 0} {
		n := newNetwork(t)
		_, ok := n.call()
		n.in(alice, ok.next("UPDATE", 2))
		n.in(bob, n.take("UPDATE>bob")[0].respond(200, bobContact))
		n.take("200>alice")
		n.in(alice, ok.next("BYE", 3))
		n.in(bob, n.take("BYE>bob")[0].respond(code))
		n.take(fmt.Sprintf("%d>alice", code))
		if got := n.core.Stats().Dialogs; got != left {
			t.Errorf("%d dialogs remembered after %d", got, code)
		}
	}
}

func TestRedirectsAndFailuresPassAsTheyAre(t *testing.T) {
	for _, code := range []int{302, 401, 480, 500, 603} {
		n := newNetwork(t)
		n.in(alice, initial(request{}))
		invite := n.take("100>alice", "INVITE>bob")[1]
		n.in(bob, invite.respond(code, "Contact: <sip:bob@10.0.0.1>, <sip:c@phone>"))
		out := n.take("ACK>bob", fmt.Sprintf("%d>alice", code))[1]
		if out.header("Contact") != "<sip:bob@10.0.0.1>, <sip:c@phone>" {
			t.Fatalf("Contact changed:\n%s", out.text)
		}
		n.empty()
	}
}
