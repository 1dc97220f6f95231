// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

func TestContactsBehindNATGetAnAliasBothWays(t *testing.T) {
	n := newNetwork(t)
	n.in(alice, initial(request{
		via: "SIP/2.0/UDP 10.1.1.1:5060;rport;branch=z9hG4bK-a1", contact: `"A" <sip:alice@10.1.1.1:5060;ob>;+x="1"`,
		uri: "sip:bob@192.168.7.7:5060;x=1;alias=203.0.113.2~5064~1",
	}))
	invite := n.take("100>alice", "INVITE>bob")[1]
	if string(invite.m.RequestURI) != "sip:bob@192.168.7.7:5060;x=1" {
		t.Fatalf("Request-URI %s", invite.m.RequestURI)
	}
	if c := invite.header("Contact"); c != `"A" <sip:alice@10.1.1.1:5060;ob;alias=198.51.100.1~5062~1>;+x="1"` {
		t.Fatalf("Contact %s", c)
	}
	if v := invite.headers("Via")[1]; v != "SIP/2.0/UDP 10.1.1.1:5060;branch=z9hG4bK-a1;received=198.51.100.1;rport=5062" {
		t.Fatalf("Via %s", v)
	}
	n.in(bob, invite.respond(200, "Contact: sip:bob@192.168.7.7:5060;expires=5"))
	ok := n.take("200>alice")[0]
	if c := ok.header("Contact"); c != "<sip:bob@192.168.7.7:5060;alias=203.0.113.2~5064~1>;expires=5" {
		t.Fatalf("Contact %s", c)
	}
	r := ok.nextRequest("BYE", 2)
	r.uri, r.contact = "sip:bob@192.168.7.7:5060;alias=203.0.113.2~5064~1", "-"
	r.via = "SIP/2.0/UDP 10.1.1.1:5060;rport;branch=z9hG4bK-a2"
	n.restart()
	n.in(alice, r.text())
	bye := n.take("BYE>bob")[0]
	if string(bye.m.RequestURI) != "sip:bob@192.168.7.7:5060" {
		t.Fatalf("Request-URI %s", bye.m.RequestURI)
	}
	back := invite.backRequest("BYE", 1)
	back.uri = "sip:alice@10.1.1.1:5060;ob;alias=198.51.100.1~5062~1"
	n.in(bob, back.text())
	n.take("BYE>alice")
}

func TestContactTargets(t *testing.T) {
	v6 := netip.MustParseAddrPort("[2001:db8::5]:7000")
	for _, c := range []struct {
		contact string
		source  netip.AddrPort
		direct  bool
		want    string // target
		edited  string // "" when it stays
	}{
		{"<sip:a@198.51.100.1:5062>", alice, true, "198.51.100.1:5062", ""},
		{"<sip:a@198.51.100.1>", alice, true, "198.51.100.1:5060", ""},
		{"<sip:a@203.0.113.9>", alice, true, "203.0.113.9:5060", ""},
		{"<sip:a@100.64.0.1>", alice, true, "198.51.100.1:5062", "<sip:a@100.64.0.1;alias=198.51.100.1~5062~1>"},
		{"<sip:a@10.0.0.1>", alice, false, "10.0.0.1:5060", ""},
		{"<sip:a@10.0.0.1>", netip.MustParseAddrPort("10.0.0.1:9"), true, "10.0.0.1:5060", ""},
		{"<sip:a@phone.local>", alice, true, "198.51.100.1:5062", "<sip:a@phone.local;alias=198.51.100.1~5062~1>"},
		{"<sip:a@phone.local>", alice, false, "invalid AddrPort", ""},
		{"sip:a@phone.local", alice, true, "198.51.100.1:5062", "<sip:a@phone.local;alias=198.51.100.1~5062~1>"},
		{"<sip:a@10.0.0.1;alias=203.0.113.99~5060~1;x>", alice, true, "198.51.100.1:5062", "<sip:a@10.0.0.1;x;alias=198.51.100.1~5062~1>"},
		{"<sip:a@10.0.0.1;alias=203.0.113.9~5070~1>", alice, false, "203.0.113.9:5070", ""},
		{"<sip:a@[fe80::1]:5060;ob?x=y>", v6, true, "[2001:db8::5]:7000", "<sip:a@[fe80::1]:5060;ob;alias=[2001:db8::5]~7000~1?x=y>"},
		{"*", alice, true, "invalid AddrPort", ""},
		{"<tel:+1>", alice, true, "invalid AddrPort", ""},
	} {
		raw := "INVITE sip:x SIP/2.0\r\nContact: " + c.contact + "\r\n\r\n"
		var m sip.Message
		if err := sip.Parse([]byte(raw), &m); err != nil {
			t.Fatal(err)
		}
		var ed sip.Editor
		ed.Reset(&m)
		at := contactTarget(&m, &ed, c.source, c.direct)
		if at.String() != c.want {
			t.Errorf("%s: target %v, want %v", c.contact, at, c.want)
		}
		want := c.edited
		if want == "" {
			want = c.contact
		}
		if got := string(ed.AppendTo(nil)); got != strings.Replace(raw, c.contact, want, 1) {
			t.Errorf("%s: edited to %q", c.contact, got)
		}
	}
}

func TestAliasesOfIPv6AreReadWithAndWithoutBrackets(t *testing.T) {
	for value, want := range map[string]string{
		"1.2.3.4~5~1": "1.2.3.4:5", "[::2]~5~1": "[::2]:5", "::2~5~1": "[::2]:5",
		"1.2.3.4~5~2": "", "1.2.3.4~0~1": "", "1.2.3.4": "", "x~5~1": "", "": "", "1.2.3.4~70000~1": "",
	} {
		at, ok := parseAlias([]byte(value))
		if ok != (want != "") || ok && at.String() != want {
			t.Errorf("%q: %v %v", value, at, ok)
		}
	}
}

func TestCallsOverIPv6(t *testing.T) {
	n := newNetwork(t)
	a6 := netip.MustParseAddrPort("[2001:db8::a]:5062")
	n.in(a6, initial(request{uri: "sip:bob@[2001:db8::b0b]:5064", via: "SIP/2.0/UDP [2001:db8::a]:5062;branch=z9hG4bK-a1", contact: "<sip:alice@[2001:db8::a]:5062>"}))
	invite := n.take("100>[2001:db8::a]:5062", "INVITE>bob6")[1]
	if invite.from != vip6 || !strings.HasPrefix(invite.header("Record-Route"), "<sip:[2001:db8::10]:5060;lr;ss=") {
		t.Fatalf("from %v:\n%s", invite.from, invite.text)
	}
	n.in(bob6, invite.respond(200, "Contact: <sip:bob@[2001:db8::b0b]:5064>"))
	ok := n.take("200>[2001:db8::a]:5062")[0]
	r := ok.nextRequest("BYE", 2)
	r.via = "SIP/2.0/UDP [2001:db8::a]:5062;branch=z9hG4bK-a2"
	n.in(a6, r.text())
	n.take("BYE>bob6")
}

func TestCallsBetweenFamiliesCarryTwoRecordRoutes(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		n := newNetwork(t)
		n.in(alice, initial(request{uri: "sip:bob@[2001:db8::b0b]:5064"}))
		invite := n.take("100>alice", "INVITE>bob6")[1]
		rr := invite.headers("Record-Route")
		if len(rr) != 2 || !strings.Contains(rr[0], "[2001:db8::10]") || !strings.Contains(rr[1], "192.0.2.10") || invite.from != vip6 {
			t.Fatalf("Record-Routes %q", rr)
		}
		if fresh {
			n.restart()
		}
		n.in(bob6, invite.respond(200, "Contact: <sip:bob@[2001:db8::b0b]:5064>"))
		ok := n.take("200>alice")[0]
		if ok.from != vip4 {
			t.Fatalf("200 from %v", ok.from)
		}
		n.in(alice, ok.next("ACK", 1))
		ack := n.take("ACK>bob6")[0]
		if len(ack.headers("Route")) != 0 || ack.from != vip6 {
			t.Fatalf("ACK:\n%s", ack.text)
		}
		back := invite.backRequest("BYE", 1)
		back.via = "SIP/2.0/UDP [2001:db8::b0b]:5064;branch=z9hG4bK-b1"
		n.in(bob6, back.text())
		bye := n.take("BYE>alice")[0]
		if len(bye.headers("Route")) != 0 || bye.from != vip4 {
			t.Fatalf("BYE:\n%s", bye.text)
		}
	}
}

// A proxy on the caller's side and one on the callee's: the route set runs
// through both, and each side's st covers its proxy.
func TestProxiesOnBothSidesStayInTheRouteSet(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		n := newNetwork(t)
		up, down := "<sip:198.51.100.1:5062;lr;r2=on>", "<sip:203.0.113.2:5064;lr>"
		vias := "SIP/2.0/UDP " + alice.String() + ";branch=z9hG4bK-up\nSIP/2.0/UDP 10.9.9.9;branch=z9hG4bK-phone"
		uri := "sip:bob@10.8.8.8:5060;alias=1.2.3.4~5~1"
		msg := looping(vias, uri)
		msg = strings.Replace(msg, "From:", "Record-Route: "+up+"\r\nRoute: <sip:192.0.2.10;lr>, "+down+"\r\nFrom:", 1)
		msg = strings.Replace(msg, "alice@"+alice.String(), "alice@10.9.9.9", 1)
		n.in(alice, msg)
		invite := n.take("100>alice", "INVITE>bob")[1]
		if string(invite.m.RequestURI) != uri || invite.header("Route") != down || invite.header("Contact") != "<sip:alice@10.9.9.9>" {
			t.Fatalf("INVITE:\n%s", invite.text)
		}
		rr := invite.headers("Record-Route")
		if len(rr) != 2 || rr[1] != up {
			t.Fatalf("Record-Routes %q", rr)
		}
		if fresh {
			n.restart()
		}
		answer := invite.respond(200, "Contact: <sip:bob@10.8.8.8>")
		answer = strings.Replace(answer, "Record-Route: ", "Record-Route: "+down+",", 1)
		n.in(bob, answer)
		ok := n.take("200>alice")[0]
		if ok.header("Contact") != "<sip:bob@10.8.8.8>" {
			t.Fatalf("200:\n%s", ok.text)
		}
		lists := ok.headers("Record-Route")
		ours := strings.SplitN(lists[0], ",", 2)[1]
		r := request{method: "BYE", cseq: 2, uri: "sip:bob@10.8.8.8", to: ok.header("To"), routes: []string{ours, down}, via: "SIP/2.0/UDP " + alice.String() + ";branch=z9hG4bK-up2"}
		n.in(alice, r.text())
		bye := n.take("BYE>bob")[0]
		if bye.header("Route") != down {
			t.Fatalf("BYE:\n%s", bye.text)
		}
		r.routes, r.via = []string{ours}, "SIP/2.0/UDP "+alice.String()+";branch=z9hG4bK-up3" // round the proxy
		n.in(alice, r.text())
		n.take("403>alice")
		back := invite.backRequest("BYE", 1)
		n.in(bob, back.text())
		if bye := n.take("BYE>alice")[0]; bye.header("Route") != up {
			t.Fatalf("BYE:\n%s", bye.text)
		}
	}
}

func TestStrictRoutersAreServed(t *testing.T) {
	n := newNetwork(t)
	_, ok := n.call()
	// A strict router before us put our Record-Route into the Request-URI.
	r := ok.nextRequest("BYE", 2)
	r.uri, r.routes = strings.Trim(r.routes[0], "<>"), []string{"<sip:bob@203.0.113.2:5064>"}
	n.in(alice, r.text())
	bye := n.take("BYE>bob")[0]
	if string(bye.m.RequestURI) != "sip:bob@203.0.113.2:5064" || len(bye.headers("Route")) != 0 {
		t.Fatalf("BYE:\n%s", bye.text)
	}
	// The next hop is a strict router.
	msg := strings.Replace(initial(request{callID: "strict@x", uri: "sip:bob@10.0.0.1"}), "From:", "Route: <sip:203.0.113.2:5064>, <sip:1.2.3.4;lr>\r\nFrom:", 1)
	n.in(alice, msg)
	invite := n.take("100>alice", "INVITE>bob")[1]
	if string(invite.m.RequestURI) != "sip:203.0.113.2:5064" || invite.header("Route") != "<sip:1.2.3.4;lr>, <sip:bob@10.0.0.1>" {
		t.Fatalf("INVITE:\n%s", invite.text)
	}
}

func TestMethodsWithoutDialogAreNotRecordRouted(t *testing.T) {
	for method, want := range map[string]int{"MESSAGE": 0, "OPTIONS": 0, "PUBLISH": 0, "SUBSCRIBE": 1, "NOTIFY": 1, "REFER": 1, "INFO": 1} {
		n := newNetwork(t)
		n.in(alice, initial(request{method: method, maxForwards: "-", body: "x"}))
		out := n.take(method + ">bob")[0]
		if len(out.headers("Record-Route")) != want || out.header("Max-Forwards") != "70" {
			t.Errorf("%s:\n%s", method, out.text)
		}
		n.in(bob, out.respond(202, bobContact))
		n.take("202>alice")
		n.empty()
	}
}
