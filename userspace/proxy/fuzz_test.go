// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/handover"
	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

// A core with a call up, one ringing and one just begun gets any bytes, from a
// stranger or a party. It does not panic; whatever it sends is valid SIP and goes
// back to the sender's host, to a party of the calls, or where a ticket says.
func FuzzInput(f *testing.F) {
	n := newNetwork(f)
	invite, ok := n.call()
	seeds := []string{
		initial(request{}), initial(request{callID: "second@x"}), initial(request{noTicket: true}), cancelText(),
		ok.next("ACK", 1), ok.next("BYE", 2), ok.next("INVITE", 2), invite.back("UPDATE", 1),
		invite.respond(100), invite.respond(183, bobContact), invite.respond(200, bobContact), invite.respond(486),
		looping("SIP/2.0/UDP 1.2.3.4;branch=z9hG4bK1\nSIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKaaa.b, SIP/2.0/UDP x;branch=y", "sip:b@203.0.113.2"),
		"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKa.b\r\n\r\n", "\r\n",
		"0 0 SIP/\nV:SIP/2.0/0 0\nF:\nT:\nCAll-ID:\nCSeq:\n", // bare LF: its 400 must not have them
		strings.Replace(ok.next("BYE", 2), "Route: ", "Route: <sip:203.0.113.99>,", 1),
		strings.Replace(ok.next("BYE", 2), "BYE sip:bob@203.0.113.2:5064", "BYE sip:192.0.2.10;ss=a;st=b", 1),
	}
	for _, s := range seeds {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, party bool) {
		n := newNetwork(t)
		n.in(alice, initial(request{callID: "second@x"}))
		n.in(alice, initial(request{callID: callID}))
		n.in(bob, invite.respond(180, bobContact))
		n.sent = nil
		source := victim
		if party {
			source = bob
		}
		n.collect(n.core.Input(n.now, transport.Datagram{Local: vip4, Remote: source, Data: data}))
		n.advance(10 * time.Minute)
		for _, d := range n.sent {
			checkSend(t, d, data, source)
		}
		if s := n.core.Stats(); s.Transactions != 0 {
			t.Fatalf("%d transactions stay for ever", s.Transactions)
		}
	})
}

func checkSend(t *testing.T, d transport.Datagram, data []byte, source netip.AddrPort) {
	t.Helper()
	var m, in sip.Message
	if err := sip.Parse(d.Data, &m); err != nil {
		t.Fatalf("sent what cannot be read: %v\n%q", err, d.Data)
	}
	if m.Get(sip.HCookie) != nil || m.Get(sip.HTicket) != nil {
		t.Fatalf("the control plane's header fields went out:\n%s", d.Data)
	}
	switch {
	case d.Remote == alice, d.Remote == bob, d.Remote.Addr() == source.Addr():
		return
	}
	if sip.Parse(data, &in) != nil || !in.IsRequest() || in.Value(sip.HTicket) == nil {
		t.Fatalf("sent to %v:\n%s\nfor\n%s", d.Remote, d.Data, data)
	}
	via, _ := sip.ParseVia(in.First(sip.HVia))
	if !signer.VerifyTicket(string(in.Value(sip.HTicket)), string(in.Value(sip.HCookie)), in.CallID(), via.Branch(), in.RequestURI, handover.Signed(&in)) {
		t.Fatalf("sent to %v without a ticket:\n%s", d.Remote, d.Data)
	}
}
