// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

// Three gateways on the callees' host: nobody listens at the first, the second is out of order.
const dialPlan = `gateways:
  - {name: dead, group: carrier, address: "udp://10.66.0.12:5090", priority: 1}
  - {name: broken, group: carrier, address: "udp://10.66.0.12:5091", priority: 2}
  - {name: good, address: "udp://10.66.0.12:5092"}
routes:
  - {prefix: "+49", groups: [carrier, good], strip: 3, add: "0", reply: 1s}`

func TestCallsPassOverADeadAndABrokenGateway(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{Extra: dialPlan})
	telephones(s, b, vip4)
	at := func(port uint16) netip.AddrPort { return netip.AddrPortFrom(s.ub.AddrLike(vip4.Addr()), port) }
	const n = 5
	broken := s.sipp(s.ub, vip4, sipp.Run{Scenario: "answer_busy", Local: at(5091), Final: 503, Calls: n})
	good := s.sipp(s.ub, vip4, sipp.Run{Scenario: "answer", Local: at(5092), Calls: n, Trace: true})
	keys := map[string]string{"callee": "+4930123"}
	s.passed(s.sipp(s.ua, vip4, sipp.Run{Scenario: "call", Calls: n, Keys: keys}), n)
	s.passed(broken, n)
	s.passed(good, n)
	if got := strings.Count(good.Messages(), "INVITE sip:030123@10.66.0.12:5092 SIP/2.0"); got != n {
		t.Errorf("%d INVITEs with the rewritten number, want %d", got, n)
	}
	keys = map[string]string{"callee": "+331"}
	s.passed(s.sipp(s.ua, vip4, sipp.Run{Scenario: "call_refused", Final: 404, Keys: keys}), 1)
	if st := b.settled(); st.Control.Received["response"] != 0 || st.Dialogs.Early+st.Dialogs.Confirmed != 0 {
		t.Errorf("after the calls: %+v, %+v", st.Control, st.Dialogs)
	}
	out, err := b.daemon.Command("routes")
	s.must(err)
	gateways, err := b.daemon.Command("gateways")
	s.must(err)
	if !strings.Contains(out, "carrier,good") || !strings.Contains(gateways, "udp://10.66.0.12:5090") {
		t.Errorf("listed:\n%s\n%s", out, gateways)
	}
}

// A gateway calls without a password, from its own address alone.
func TestACallOfATrunkNeedsNoPassword(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{Extra: `gateways: [{name: carrier, address: "udp://10.66.0.12:5090", sources: [10.66.0.12/32]}]`})
	b.addUsers("bob")
	trunk, stranger, bob := s.wire(s.ub, 5090, vip4), s.wire(s.ua, 5090, vip4), s.wire(s.ua, 5062, vip4)
	regID := newID()
	challenge := bob.registerOnce(regID, "bob", 1, "").header("WWW-Authenticate")
	if m := bob.registerOnce(regID, "bob", 2, digest(challenge, "bob", password, "REGISTER", "sip:"+domain)); m.status() != 200 {
		t.Fatalf("registering bob:\n%s", m)
	}
	invite := fmt.Sprintf(requestText, "INVITE", "sip:bob@"+domain, 1, "<sip:+33123@carrier.example>;tag=t", "<sip:bob@example.com>", "")
	stranger.send(invite, newID())
	if m := stranger.final(); m.status() != 407 {
		t.Errorf("a stranger's call: want 407:\n%s", m)
	}
	id := newID()
	trunk.send(invite, id)
	got := bob.request("INVITE")
	bob.send(answer(got, "200 OK", "Contact: <sip:bob@$LOCAL>\n"), id)
	if m := trunk.final(); m.status() != 200 {
		t.Errorf("the trunk's call: want 200:\n%s", m)
	}
}
