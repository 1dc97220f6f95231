// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/kamailio"
	"github.com/sipsteer/sipsteer/tests/netns"
)

// kamailioConfig is the worker's config that we ship.
const kamailioConfig = "../../deploy/kamailio/kamailio.cfg"

// loneKamailio is a Kamailio worker with nothing before it, so that a test can be its control plane.
func loneKamailio(t *testing.T) (caller, callee *wire) {
	t.Helper()
	lab, err := netns.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lab.Close)
	s := &site{T: t, dir: t.TempDir()}
	add := func(name string, n uint8) *netns.Host {
		h, err := lab.Host(name, n)
		s.must(err)
		return h
	}
	worker := add("w1", 21)
	s.ua, s.ub = add("ua", 11), add("ub", 12)
	s.must(worker.Own(vip4.Addr()))
	s.must(s.ua.Route(vip4.Addr(), worker.Addr4()))
	s.must(s.ub.Route(vip4.Addr(), worker.Addr4()))
	s.needs("kamailio")
	k, err := kamailio.Start(worker, s.dir, kamailioConfig, []netip.AddrPort{vip4})
	s.must(err)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("kamailio wrote:\n%s", tail(k.Proc.Output()))
		}
	})
	return s.wire(s.ua, 5060, vip4), s.wire(s.ub, 5062, vip4)
}

// request waits for a request of that method and skips what is not one.
func (w *wire) request(method string) message {
	w.Helper()
	for {
		m := w.receive(3 * time.Second)
		if m == "" {
			w.Fatalf("no %s within 3 s", method)
		}
		if strings.HasPrefix(string(m), method+" ") {
			return m
		}
	}
}

// requestURI is the second word of a request.
func (m message) requestURI() string { return strings.Fields(string(m))[1] }

// answer makes a response to a request, with a To tag where there is none yet.
func answer(req message, line string, extra string) string {
	var b strings.Builder
	b.WriteString("SIP/2.0 " + line + "\n")
	for _, name := range []string{"Via", "Record-Route", "From", "To", "Call-ID", "CSeq"} {
		for _, v := range req.headers(name) {
			if name == "To" && !strings.Contains(v, ";tag=") {
				v += ";tag=callee"
			}
			b.WriteString(name + ": " + v + "\n")
		}
	}
	return b.String() + extra + "Content-Length: 0\n\n"
}

const handedOver = `INVITE sip:bob@192.168.1.5:5060;alias=10.66.0.12~5062~1 SIP/2.0
Via: SIP/2.0/UDP $LOCAL;branch=z9hG4bK$ID;rport
Max-Forwards: 70
From: <sip:alice@example.com>;tag=caller
To: <sip:bob@example.com>
Call-ID: $ID
CSeq: 1 INVITE
Contact: <sip:alice@192.168.7.7:5060>
X-Sipsteer-Cookie: v1.COOKIE-x_y
X-Sipsteer-Ticket: TICKET
Content-Length: 0

`

func TestKamailioWorkerCarriesACallBehindNAT(t *testing.T) {
	caller, callee := loneKamailio(t)
	id := newID()
	caller.send(handedOver, id)
	invite := callee.request("INVITE")
	for _, name := range []string{"X-Sipsteer-Cookie", "X-Sipsteer-Ticket"} {
		if v := invite.headers(name); v != nil {
			t.Errorf("the callee sees %s: %q", name, v)
		}
	}
	rr := invite.header("Record-Route")
	if !strings.Contains(rr, "sip:192.0.2.10:5060") && !strings.Contains(rr, "sip:192.0.2.10;") || param(rr, "ss") != "v1.COOKIE-x_y" {
		t.Errorf("Record-Route: %q", rr)
	}
	if uri := invite.requestURI(); uri != "sip:bob@192.168.1.5:5060" {
		t.Errorf("Request-URI: %q, want it without the alias", uri)
	}
	if c := invite.header("Contact"); !strings.Contains(c, ";alias=10.66.0.11~5060~1") {
		t.Errorf("the caller's Contact: %q, want its source as alias", c)
	}
	callee.send(answer(invite, "200 OK", "Contact: <sip:bob@192.168.1.5:5060>\n"), id)
	ok := caller.final()
	if c := ok.header("Contact"); ok.status() != 200 || !strings.Contains(c, ";alias=10.66.0.12~5062~1") {
		t.Fatalf("want 200 with the callee's source as alias:\n%s", ok)
	}
	inDialog := func(w *wire, method, uri, from, to string, cseq int) {
		w.send(method+" "+uri+" SIP/2.0\nVia: SIP/2.0/UDP $LOCAL;branch=z9hG4bK$ID"+method+";rport\nMax-Forwards: 70\nRoute: "+rr+
			"\nFrom: "+from+"\nTo: "+to+"\nCall-ID: $ID\nCSeq: "+itoa(cseq)+" "+method+"\nContent-Length: 0\n\n", id)
	}
	calleeURI, callerURI := uriOf(ok.header("Contact")), uriOf(invite.header("Contact"))
	inDialog(caller, "ACK", calleeURI, ok.header("From"), ok.header("To"), 1)
	if ack := callee.request("ACK"); ack.requestURI() != "sip:bob@192.168.1.5:5060" {
		t.Errorf("ACK's Request-URI: %q", ack.requestURI())
	}
	inDialog(callee, "INFO", callerURI, ok.header("To"), ok.header("From"), 1)
	caller.send(answer(caller.request("INFO"), "200 OK", ""), id)
	if m := callee.final(); m.status() != 200 {
		t.Errorf("INFO from the callee: want 200:\n%s", m)
	}
	inDialog(caller, "BYE", calleeURI, ok.header("From"), ok.header("To"), 2)
	callee.send(answer(callee.request("BYE"), "200 OK", ""), id)
	if m := caller.final(); m.status() != 200 {
		t.Errorf("BYE from the caller: want 200:\n%s", m)
	}
}

func TestKamailioWorkerRingsTwoPhones(t *testing.T) {
	caller, callee := loneKamailio(t)
	second := callee.wire(callee.ub, 5063, vip4)
	id := newID()
	caller.send(strings.Replace(handedOver, "X-Sipsteer-Ticket", "X-Sipsteer-Target: <sip:bob@192.168.1.6;alias=10.66.0.12~5063~1>\n"+
		"X-Sipsteer-Target: <sip:bob@192.168.1.7;alias=10.66.0.12~5063~1>;next;ring=20\nX-Sipsteer-Ticket", 1), id)
	first, other := callee.request("INVITE"), second.request("INVITE")
	if first.requestURI() != "sip:bob@192.168.1.5:5060" || other.requestURI() != "sip:bob@192.168.1.6" || strings.Contains(string(other), "X-Sipsteer") {
		t.Errorf("the phones see\n%s\n%s", first, other)
	}
	second.send(answer(other, "180 Ringing", ""), id)
	callee.send(answer(first, "200 OK", "Contact: <sip:bob@192.168.1.5:5060>\n"), id)
	if ok := caller.final(); ok.status() != 200 {
		t.Errorf("want 200:\n%s", ok)
	}
	second.request("CANCEL")
	if m := second.receive(200 * time.Millisecond); strings.HasPrefix(string(m), "INVITE") {
		t.Errorf("a target of the next group was tried as well:\n%s", m)
	}
}

func uriOf(nameAddr string) string {
	_, uri, _ := strings.Cut(nameAddr, "<")
	uri, _, _ = strings.Cut(uri, ">")
	return uri
}

func TestKamailioWorkerRefusesWhatNobodyVouchedFor(t *testing.T) {
	caller, callee := loneKamailio(t)
	forged := strings.NewReplacer("X-Sipsteer-Cookie: v1.COOKIE-x_y\n", "", "X-Sipsteer-Ticket: TICKET\n", "").Replace(handedOver)
	for _, c := range []struct {
		name, text string
		code       int
	}{
		{"initial request without the cookie", forged, 403},
		{"request inside a dialog without Route", strings.Replace(forged, "To: <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=x", 1), 404},
		{"no hops left", strings.Replace(handedOver, "Max-Forwards: 70", "Max-Forwards: 0", 1), 483},
	} {
		caller.send(c.text, newID())
		if m := caller.final(); m.status() != c.code {
			t.Errorf("%s: want %d:\n%s", c.name, c.code, m)
		}
	}
	if m := callee.receive(200 * time.Millisecond); m != "" {
		t.Errorf("a refused request was relayed:\n%s", m)
	}
}
