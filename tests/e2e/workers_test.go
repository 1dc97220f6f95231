// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/kamailio"
)

// vips are both addresses of the service.
var vips = []netip.AddrPort{vip4, vip6}

// l2 is a site with our worker on w1, Kamailio on w2, and a balancer before them that has no worker of its own.
func l2(t *testing.T, mode string) (*site, *balancer) {
	t.Helper()
	s := newSite(t)
	s.needs("kamailio")
	secret, err := daemon.WriteSecret(s.dir)
	s.must(err)
	ours, err := daemon.StartWorker(s.w1, binary(), s.dir, "w1", secret)
	s.must(err)
	theirs, err := kamailio.Start(s.w2, s.dir, kamailioConfig, vips)
	s.must(err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("sipsteer worker wrote:\n%s\nkamailio wrote:\n%s", tail(ours.Output()), tail(theirs.Proc.Output()))
		}
	})
	return s, s.balance(daemon.Settings{Mode: mode, Secret: secret, Workers: []daemon.Worker{
		{Name: "w1", Forward: "l2", Address: s.w1.Addr4().String()},
		{Name: "w2", Forward: "l2", Address: s.w2.Addr4().String()},
	}})
}

func TestCallsThroughWorkersOnOtherHosts(t *testing.T) {
	for _, c := range []struct {
		name, mode string
		vip        netip.AddrPort
		n          int
	}{
		{"native", "native", vip4, 300},
		{"native over IPv6", "native", vip6, 100},
		{"generic", "generic", vip4, 100},
		{"off", "off", vip4, 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, b := l2(t, c.mode)
			telephones(s, b, c.vip)
			before := b.settled()
			// Kamailio's children overtake each other: the answer waits for the ringing to be through, the BYE for the ACK.
			caller, callee := s.call(c.vip, calls{
				call: "call", answer: "answer", n: c.n, rate: 100, length: 100 * time.Millisecond, rings: 100 * time.Millisecond,
			})
			after := b.settled()
			if c.mode != "off" {
				checkSteering(s, round{before, after, c.n, caller.Retransmissions + callee.Retransmissions})
			}
			checkShares(s, after.Workers, 0.30, 0.70)
		})
	}
}

func TestKindsOfCallsThroughWorkersOnOtherHosts(t *testing.T) {
	s, b := l2(t, "native")
	telephones(s, b, vip4)
	for _, c := range []calls{
		{call: "call_reinvite", answer: "answer_reinvite"},
		{call: "call_waiting", answer: "answer_hangup"},
		{call: "call_cancel", answer: "answer_cancelled"},
		{call: "call_refused", answer: "answer_busy"},
	} {
		t.Run(c.call, func(t *testing.T) {
			c.n, c.rate, c.length, c.rings = 20, 20, 100*time.Millisecond, 100*time.Millisecond
			s.in(t).call(vip4, c)
		})
	}
}

// Our worker takes nothing that the control plane has not handed over, even from its own segment.
func TestAWorkerIsNoOpenRelay(t *testing.T) {
	s, _ := l2(t, "native")
	outsider, err := s.farm.Host("outsider", 66)
	s.must(err)
	s.must(outsider.Route(vip4.Addr(), s.w1.Addr4()))
	victim := s.wire(s.ub, 5060, vip4)
	w := s.wire(outsider, 5060, vip4)
	const text = "%[1]s sip:bob@10.66.0.12:5060 SIP/2.0\nVia: SIP/2.0/UDP $LOCAL;branch=z9hG4bK$ID;rport\nMax-Forwards: 70\n" +
		"From: <sip:a@example.com>;tag=1\nTo: <sip:b@example.com>%[2]s\nCall-ID: $ID\nCSeq: 1 %[1]s\n" +
		"Contact: <sip:a@$LOCAL>\n%[3]sContent-Length: 0\n\n"
	forged := "X-Sipsteer-Cookie: forged\nX-Sipsteer-Ticket: forged\n"
	routed := "Route: <sip:192.0.2.10:5060;lr;ss=forged;st=forged>\n"
	for _, c := range []struct{ name, method, tag, extra string }{
		{"INVITE without a ticket", "INVITE", "", ""},
		{"INVITE with a forged ticket", "INVITE", "", forged},
		{"MESSAGE with a forged ticket", "MESSAGE", "", forged},
		{"BYE in an unknown dialog", "BYE", ";tag=2", routed},
		{"INFO in an unknown dialog, without Route", "INFO", ";tag=2", ""},
	} {
		w.send(fmt.Sprintf(text, c.method, c.tag, c.extra), newID())
		if m := w.final(); m.status() < 400 {
			t.Errorf("%s: want a refusal:\n%s", c.name, m)
		}
	}
	if m := victim.receive(300 * time.Millisecond); m != "" {
		t.Errorf("a request was relayed:\n%s", m)
	}
}
