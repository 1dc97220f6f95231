// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/netns"
)

const requestText = `%s %s SIP/2.0
Via: SIP/2.0/UDP $LOCAL;branch=z9hG4bK$ID%d%[1]s;rport
Max-Forwards: 70
From: %[4]s
To: %[5]s
Call-ID: $ID
CSeq: %[3]d %[1]s
Contact: <sip:alice@$LOCAL>
%[6]sContent-Length: 0

`

// standing is a call between two wires, as its caller knows it.
type standing struct {
	caller, callee *wire
	id             string
	from, to       string
	route, remote  string // our Record-Route as received, and the callee's Contact
}

// request sends a request of the caller inside the dialog.
func (c *standing) request(method, uri string, cseq int, extra string) {
	c.caller.Helper()
	c.caller.send(fmt.Sprintf(requestText, method, uri, cseq, c.from, c.to, extra), c.id)
}

// standingCall calls from alice to bob, digest and all, up to the ACK. bob's wire is on port 5062.
func standingCall(s *site, b *balancer, caller, callee *netns.Host) *standing {
	s.Helper()
	b.addUsers("alice", "bob")
	c := &standing{caller: s.wire(caller, 5060, vip4), callee: s.wire(callee, 5062, vip4), id: newID()}
	regID := newID()
	challenge := c.callee.registerOnce(regID, "bob", 1, "").header("WWW-Authenticate")
	if m := c.callee.registerOnce(regID, "bob", 2, digest(challenge, "bob", password, "REGISTER", "sip:"+domain)); m.status() != 200 {
		s.Fatalf("registering bob:\n%s", m)
	}
	c.from, c.to = "<sip:alice@example.com>;tag=caller", "<sip:bob@example.com>"
	const uri = "sip:bob@" + domain
	c.request("INVITE", uri, 1, "")
	refused := c.caller.final()
	c.to = refused.header("To")
	c.caller.send(fmt.Sprintf(requestText, "ACK", uri, 1, c.from, c.to, ""), c.id)
	c.to = "<sip:bob@example.com>"
	c.request("INVITE", uri, 2, digest(refused.header("Proxy-Authenticate"), "alice", password, "INVITE", uri))
	invite := c.callee.request("INVITE")
	c.callee.send(answer(invite, "200 OK", "Contact: <sip:bob@$LOCAL>\n"), c.id)
	ok := c.caller.final()
	if ok.status() != 200 {
		s.Fatalf("calling bob:\n%s", ok)
	}
	c.to, c.remote = ok.header("To"), uriOf(ok.header("Contact"))
	c.route = "Route: " + ok.header("Record-Route") + "\n"
	c.request("ACK", c.remote, 2, c.route)
	c.callee.request("ACK")
	return c
}

// A party to a call may talk to the other party through us, and to nobody else.
func TestAStandingCallIsNoOpenRelay(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{})
	c := standingCall(s, b, s.ua, s.ub)
	victim := s.wire(s.ub, 5099, vip4)
	for i, r := range []struct{ name, uri, route string }{
		{"another Request-URI", "sip:victim@10.66.0.12:5099", c.route},
		{"another Request-URI and no Route", "sip:victim@10.66.0.12:5099", ""},
		{"an alias", c.remote + ";alias=10.66.0.12~5099~1", c.route},
		{"one more Route", c.remote, c.route + "Route: <sip:10.66.0.12:5099;lr>\n"},
		{"the victim's Route alone", c.remote, "Route: <sip:10.66.0.12:5099;lr>\n"},
	} {
		c.request("INFO", r.uri, 10+i, r.route)
		if m := victim.receive(300 * time.Millisecond); m != "" {
			t.Errorf("with %s, a stranger received:\n%s", r.name, m)
		}
		for m := message("drain"); m != ""; {
			m = c.caller.receive(50 * time.Millisecond)
		}
	}
	c.request("BYE", c.remote, 20, c.route)
	bye := c.callee.request("BYE")
	c.callee.send(answer(bye, "200 OK", ""), c.id)
	if m := c.caller.final(); m.status() != 200 {
		t.Errorf("BYE to the other party: want 200:\n%s", m)
	}
}

// Somebody who learned a Call-ID steers packets to the call's worker, but cannot end or divert the call with that.
func TestAStrangerCannotSendIntoACall(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{})
	c := standingCall(s, b, s.ua, s.ub)
	stranger := s.wire(s.ub, 5077, vip4)
	const bye = "BYE sip:victim@10.66.0.12:5077 SIP/2.0\nVia: SIP/2.0/UDP $LOCAL;branch=z9hG4bK$IDx;rport\nMax-Forwards: 70\n" +
		"From: <sip:a@example.com>;tag=x\nTo: <sip:b@example.com>;tag=y\nCall-ID: $ID\nCSeq: 9 BYE\nContent-Length: 0\n\n"
	stranger.send(bye, c.id)
	if m := c.callee.receive(300 * time.Millisecond); m != "" {
		t.Errorf("the callee received a stranger's BYE without a Route:\n%s", m)
	}
	c.request("INFO", c.remote, 30, c.route)
	info := c.callee.request("INFO")
	c.callee.send(answer(info, "200 OK", ""), c.id)
	if m := c.caller.final(); m.status() != 200 {
		t.Errorf("the call after the stranger's BYE: want 200 to INFO:\n%s", m)
	}
}
