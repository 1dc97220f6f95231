// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"strings"
	"testing"
	"time"
)

func cancelText() string { return request{method: "CANCEL", contact: "-"}.text() }

func TestCancelWaitsForAProvisional(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{}))
	invite := n.take("100>alice", "INVITE>bob")[1]
	n.in(alice, cancelText())
	n.take("200>alice")
	n.in(alice, cancelText()) // repeated
	n.take("200>alice")
	n.in(bob, invite.respond(100))
	cancel := n.take("CANCEL>bob")[0]
	if cancel.header("Via") != invite.headers("Via")[0] || cancel.header("CSeq") != "1 CANCEL" ||
		string(cancel.m.RequestURI) != string(invite.m.RequestURI) || cancel.header("To") != invite.header("To") {
		t.Fatalf("CANCEL does not match its INVITE:\n%s", cancel.text)
	}
	n.in(bob, cancel.respond(200))
	n.take()
	n.in(bob, invite.respond(487))
	n.take("ACK>bob", "487>alice")
	n.in(alice, request{method: "ACK", to: "<sip:bob@example.com>;tag=b"}.text())
	n.empty()
}

func TestCancelWhileRingingGoesDownAtOnce(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{}))
	invite := n.take("100>alice", "INVITE>bob")[1]
	n.in(bob, invite.respond(180, bobContact))
	n.take("180>alice")
	n.in(alice, cancelText())
	n.take("200>alice", "CANCEL>bob")
	n.advance(500 * time.Millisecond)
	n.take("CANCEL>bob") // by timer E
	n.in(bob, invite.respond(487))
	n.take("ACK>bob", "487>alice")
	n.empty()
}

func TestCancelCrossingA200LeavesTheCallUp(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{}))
	invite := n.take("100>alice", "INVITE>bob")[1]
	n.in(bob, invite.respond(180, bobContact))
	n.take("180>alice")
	n.in(alice, cancelText())
	cancel := n.take("200>alice", "CANCEL>bob")[1]
	n.in(bob, invite.respond(200, bobContact))
	ok := n.take("200>alice")[0]
	n.in(bob, cancel.respond(481))
	n.take()
	n.in(alice, ok.next("ACK", 1))
	n.take("ACK>bob")
	n.in(alice, cancelText())
	n.take("200>alice")
	n.in(alice, ok.next("BYE", 2))
	n.take("BYE>bob")
	n.empty()
}

func TestCancelAfterTheAnswerChangesNothing(t *testing.T) {
	n := newNetwork(t)
	n.call()
	n.in(alice, cancelText())
	n.take("200>alice")
	n.empty()
}

func TestCancelOfASilentNextHopEndsIn487(t *testing.T) {
	for _, rings := range []bool{false, true} {
		n := newNetwork(t)
		n.in(alice, initial(request{}))
		invite := n.take("100>alice", "INVITE>bob")[1]
		if rings {
			n.in(bob, invite.respond(180))
		}
		n.in(alice, cancelText())
		n.advance(31900 * time.Millisecond)
		n.sent = nil
		n.advance(100 * time.Millisecond)
		n.take("487>alice")
		n.empty()
	}
}

func TestALate487IsAcknowledgedAsLongAsTimerDRuns(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{}))
	invite := n.take("100>alice", "INVITE>bob")[1]
	n.in(bob, invite.respond(180))
	n.in(alice, cancelText())
	n.advance(20 * time.Second)
	n.in(bob, invite.respond(487))
	n.advance(20 * time.Second) // past 64*T1 since the CANCEL, within D since the 487
	n.sent = nil
	n.in(bob, invite.respond(487))
	n.take("ACK>bob")
	n.empty()
}

func TestCancelOfNothingIs481(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, cancelText())
	out := n.take("481>alice")[0]
	if !strings.Contains(out.header("To"), ";tag=") {
		t.Fatalf("no To tag:\n%s", out.text)
	}
	n.refused("no_transaction", 1)
}

func TestRFC2543BranchesMatchByTheWholeRequest(t *testing.T) {
	n := newNetwork(t)
	via := "SIP/2.0/UDP " + alice.String() + ";branch=1"
	n.in(alice, initial(request{via: via}))
	invite := n.take("100>alice", "INVITE>bob")[1]
	n.in(alice, initial(request{via: via}))
	n.take("100>alice")
	n.in(alice, initial(request{via: "SIP/2.0/UDP " + alice.String(), cseq: 2, callID: "no-branch@x"}))
	n.take("100>alice", "INVITE>bob")
	n.in(bob, invite.respond(486))
	n.take("ACK>bob", "486>alice")
	n.in(alice, request{method: "ACK", via: via, to: "<sip:bob@example.com>;tag=b"}.text())
	n.advance(2 * time.Second)
	for _, d := range n.sent {
		if d.Remote == alice {
			t.Fatalf("the ACK was not matched: %s", d.Data)
		}
	}
}
