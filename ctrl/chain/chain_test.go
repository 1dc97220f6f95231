// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/handover"
	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

func md5Hex(s string) string {
	sum := md5.Sum([]byte(s))
	return hex.EncodeToString(sum[:])
}

// called is a fixture in which alice's INVITE was handed over.
func called(t *testing.T) *fixture {
	f := newFixture(t, 100)
	f.register("bob", "<sip:bob@198.51.100.8:5060>", bob)
	if code := f.signed(alice, request{auth: "alice", extra: "X-Foo:  kept ;as, it\t was\r\n"}); code != 0 {
		t.Fatalf("INVITE was answered %d", code)
	}
	if len(f.delivered) != 1 {
		t.Fatalf("%d requests handed over", len(f.delivered))
	}
	return f
}

func TestHandedOverRequest(t *testing.T) {
	f := called(t)
	d := f.delivered[0]
	if d.Remote != alice || d.Local != vip {
		t.Fatalf("handed over from %s to %s: the client's address must stand", d.Remote, d.Local)
	}
	var m sip.Message
	if err := sip.Parse(d.Data, &m); err != nil {
		t.Fatal(err)
	}
	cookie, ticket := string(m.Value(sip.HCookie)), string(m.Value(sip.HTicket))
	if w, ok := f.Signer.VerifyCookie(cookie, m.CallID(), f.now); !ok || w != d.worker {
		t.Fatalf("cookie %q names worker %d, %v; given to %d", cookie, w, ok, d.worker)
	}
	if !f.Signer.VerifyTicket(ticket, cookie, m.CallID(), branchOf(&m), m.RequestURI, handover.Signed(&m)) {
		t.Fatal("ticket does not fit the request")
	}
	if string(m.RequestURI) != "sip:bob@198.51.100.8:5060" || m.Get(sip.HProxyAuthorization) != nil {
		t.Fatalf("handed over as\n%s", d.Data)
	}
	if !bytes.Contains(d.Data, []byte("X-Foo:  kept ;as, it\t was\r\n")) {
		t.Fatal("a foreign header field was changed")
	}
	pin, ok := f.pins.Get(f.Secret.Key(m.CallID()))
	if !ok || pin.Worker != d.worker || pin.State != steer.StateEarly || pin.CSeq != 2 || pin.Method != steer.MethodInvite {
		t.Fatalf("pin %+v, %v", pin, ok)
	}
}

func TestAllContactsOfAUserAreHandedOver(t *testing.T) {
	f := newFixture(t, 100)
	f.register("bob", "<sip:bob@198.51.100.8:5060>;q=0.5, <sip:bob@198.51.100.8:5062>, <sip:bob@198.51.100.8:5064>;q=0.5", bob)
	if code := f.signed(alice, request{auth: "alice"}); code != 0 {
		t.Fatalf("answered %d", code)
	}
	var m sip.Message
	if err := sip.Parse(f.delivered[0].Data, &m); err != nil {
		t.Fatal(err)
	}
	all, err := handover.Read(&m)
	if err != nil || len(all) != 3 || all[0].URI != "sip:bob@198.51.100.8:5062" || !all[1].Next || all[1].Ring != 20*time.Second || all[2].Next {
		t.Fatalf("targets %+v, %v in\n%s", all, err, f.delivered[0].Data)
	}
	cookie := string(m.Value(sip.HCookie))
	if !f.Signer.VerifyTicket(string(m.Value(sip.HTicket)), cookie, m.CallID(), branchOf(&m), m.RequestURI, handover.Signed(&m)) {
		t.Fatal("ticket does not fit the targets")
	}
}

func TestPinStandsBeforeTheHandOver(t *testing.T) {
	f := newFixture(t, 100)
	f.register("bob", "<sip:bob@198.51.100.8>", bob)
	pinned := false
	f.Deliver = func(_ uint32, d transport.Datagram) error {
		_, pinned = f.pins.Get(f.Secret.Key([]byte("c1@198.51.100.7")))
		return nil
	}
	f.signed(alice, request{auth: "alice"})
	if !pinned {
		t.Fatal("the request was handed over without a pin")
	}
}

func TestAnswers(t *testing.T) {
	to := "<sip:bob@example.com>"
	for name, c := range map[string]struct {
		r    request
		code int
	}{
		"foreign domain":             {request{auth: "alice", uri: "sip:bob@example.net"}, 403},
		"no such user":               {request{auth: "alice", uri: "sip:nobody@example.com"}, 404},
		"not registered":             {request{auth: "alice", uri: "sip:off@example.com"}, 480},
		"somebody else's From":       {request{auth: "alice", from: "<sip:bob@example.com>;tag=1"}, 403},
		"foreign From":               {request{auth: "alice", from: "<sip:alice@example.net>;tag=1"}, 403},
		"anonymous From":             {request{auth: "alice", from: "<sip:anonymous@anonymous.invalid>;tag=1"}, 0},
		"wrong password":             {request{auth: "bob"}, 403}, // bob's own, under alice's From
		"unknown user":               {request{auth: "mallory"}, 407},
		"own Route":                  {request{auth: "alice", extra: "Route: <sip:192.0.2.10;lr>\r\n"}, 0},
		"foreign Route":              {request{auth: "alice", extra: "Route: <sip:192.0.2.10;lr>, <sip:203.0.113.5;lr>\r\n"}, 403},
		"scheme":                     {request{auth: "alice", uri: "mailto:bob@example.com"}, 416},
		"no hops left":               {request{auth: "alice", extra: "Max-Forwards: 0\r\n"}, 400}, // repeated
		"extension":                  {request{auth: "alice", extra: "Proxy-Require: foo\r\n"}, 420},
		"ping":                       {request{method: "OPTIONS", uri: "sip:192.0.2.10:5060"}, 200},
		"ping of the domain":         {request{method: "OPTIONS", uri: "sip:example.com"}, 200},
		"in-dialog without a dialog": {request{method: "BYE", to: to + ";tag=x"}, 481},
		"CANCEL of nothing":          {request{method: "CANCEL"}, 481},
		"register elsewhere":         {request{method: "REGISTER", uri: "sip:example.net", auth: "alice"}, 403},
		"register another":           {request{method: "REGISTER", uri: "sip:example.com", to: to, auth: "alice"}, 403},
		"register foreign To":        {request{method: "REGISTER", uri: "sip:example.com", to: "<sip:bob@example.net>", auth: "alice"}, 404},
		"register no address":        {request{method: "REGISTER", uri: "sip:example.com", to: "<isbn:2983792873>", auth: "alice"}, 400},
		"MESSAGE":                    {request{method: "MESSAGE", auth: "alice"}, 0},
		"unknown method":             {request{method: "FOO", auth: "alice"}, 0},
		"malformed From":             {request{from: "<sip:alice@example.com;tag=1"}, 400},
		"no user":                    {request{auth: "alice", uri: "sip:example.com"}, 404},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, 100)
			f.register("bob", "<sip:bob@198.51.100.8:5060>", bob)
			if code := f.signed(alice, c.r); code != c.code {
				t.Fatalf("answered %d, want %d:\n%s", code, c.code, f.last())
			}
			if want := min(1, 1-min(1, c.code)); len(f.delivered) != want {
				t.Fatalf("%d requests handed over, want %d", len(f.delivered), want)
			}
		})
	}
}

func TestAnotherVersionOfSIPIsAnswered505(t *testing.T) {
	f := newFixture(t, 100)
	if code := f.from(alice, strings.ReplaceAll(request{}.String(), "SIP/2.0", "SIP/7.0")); code != 505 {
		t.Fatalf("answered %d, want 505", code)
	}
}

func TestMaxForwardsUsedUp(t *testing.T) {
	f := newFixture(t, 100)
	raw := strings.Replace(request{}.String(), "Max-Forwards: 70", "Max-Forwards: 0", 1)
	if code := f.from(alice, raw); code != 483 {
		t.Fatalf("answered %d, want 483", code)
	}
}

func TestWrongPasswordAndUnknownUserLookTheSame(t *testing.T) {
	f := newFixture(t, 100)
	answer := func(user string) string {
		r := request{method: "REGISTER", uri: "sip:example.com", from: "<sip:x@example.com>;tag=1", to: "<sip:x@example.com>"}
		f.from(alice, r.String())
		r.auth = user
		raw := f.sign(r, 401)
		if user == "alice" { // break the password, not the user
			raw = strings.Replace(raw, `response="`, `response="0`, 1)
			raw = strings.Replace(raw, `", algorithm`, `", algorithm`, 1)
			i := strings.Index(raw, `response="`) + len(`response="`)
			raw = raw[:i+32] + raw[i+33:]
		}
		f.from(alice, raw)
		return nonceRE.ReplaceAllString(string(f.last()), "")
	}
	known, unknown := answer("alice"), answer("mallory")
	if known != unknown || !strings.HasPrefix(known, "SIP/2.0 401 ") {
		t.Fatalf("known user:\n%s\nunknown user:\n%s", known, unknown)
	}
}

func TestRetransmissionGoesToTheSameWorkerOnce(t *testing.T) {
	f := called(t)
	again := f.delivered[0]
	invite := f.signedAgain()
	if code := f.from(alice, invite); code != 0 {
		t.Fatalf("the repeated INVITE was answered %d", code)
	}
	if len(f.delivered) != 2 || f.delivered[1].worker != again.worker || !bytes.Equal(f.delivered[1].Data, again.Data) {
		t.Fatal("the repeated INVITE was not handed over again as it was")
	}
	if n := f.Counters().HandedOver; n != 1 {
		t.Fatalf("%d hand-overs counted, want 1", n)
	}
}

func TestRetransmissionFollowsWhenTheWorkerIsGone(t *testing.T) {
	f := called(t)
	first := f.delivered[0]
	if err := f.Pool.SetReachable(fmt.Sprintf("w%d", first.worker), false); err != nil {
		t.Fatal(err)
	}
	other := 3 - first.worker
	for range 2 {
		f.from(alice, f.signedAgain())
		again := f.delivered[len(f.delivered)-1]
		if again.worker != other || !bytes.Equal(again.Data, first.Data) {
			t.Fatalf("the repeated INVITE went to worker %d", again.worker)
		}
	}
	if pin, ok := f.pins.Get(f.Secret.Key([]byte("c1@198.51.100.7"))); !ok || pin.Worker != other {
		t.Fatalf("the pin says worker %d (%v)", pin.Worker, ok)
	}
	if err := f.Pool.SetReachable(fmt.Sprintf("w%d", other), false); err != nil {
		t.Fatal(err)
	}
	f.from(alice, f.signedAgain())
	if len(f.delivered) != 3 || f.Counters().Dropped["handover_failed"] != 1 {
		t.Fatalf("%d deliveries, dropped %v", len(f.delivered), f.Counters().Dropped)
	}
}

// signedAgain rebuilds the INVITE that called sent, from the challenge before it.
func (f *fixture) signedAgain() string {
	r := request{auth: "alice", extra: "X-Foo:  kept ;as, it\t was\r\n", cseq: 2}
	return f.sign(r, 407)
}

func TestRepeatedREGISTERIsAnsweredAlike(t *testing.T) {
	f := newFixture(t, 100)
	r := request{method: "REGISTER", uri: "sip:example.com", to: "<sip:alice@example.com>", auth: "alice", extra: "Contact: <sip:alice@198.51.100.7>\r\n"}
	f.from(alice, r.String())
	r.cseq = 2
	raw := f.sign(r, 401)
	first := f.from(alice, raw)
	answer := append([]byte(nil), f.last()...)
	if second := f.from(alice, raw); first != 200 || second != 200 || !bytes.Equal(answer, f.last()) {
		t.Fatalf("answered %d, then %d", first, second)
	}
}

func TestMarksFromOutsideAreStripped(t *testing.T) {
	f := newFixture(t, 100)
	f.register("bob", "<sip:bob@198.51.100.8>", bob)
	f.signed(alice, request{auth: "alice", extra: "x-sipsteer-COOKIE: forged\r\nx-sipsteer-target: <sip:forged@198.51.100.9>\r\nX-Sipsteer-Ticket: forged\r\n"})
	if len(f.delivered) != 1 || bytes.Contains(f.delivered[0].Data, []byte("forged")) {
		t.Fatalf("handed over: %d requests, the first %q", len(f.delivered), f.delivered[0].Data)
	}
}

func TestOwnACKIsSwallowed(t *testing.T) {
	f := newFixture(t, 100)
	f.from(alice, request{}.String()) // 407
	var m sip.Message
	if err := sip.Parse(f.last(), &m); err != nil {
		t.Fatal(err)
	}
	f.from(alice, request{method: "ACK", to: string(m.Value(sip.HTo))}.String())
	f.from(alice, request{method: "ACK", to: "<sip:bob@example.com>;tag=foreign"}.String())
	c := f.Counters()
	if c.OwnACK != 1 || c.Dropped["stray_ack"] != 1 || len(f.delivered) != 0 {
		t.Fatalf("counted %+v", c)
	}
}

func TestLostPinIsMadeAgainOnProof(t *testing.T) {
	f := called(t)
	f.pins.Delete(f.Secret.Key([]byte("c1@198.51.100.7")))
	cookie := f.Signer.Cookie([]byte("c1@198.51.100.7"), 2, f.now)
	bye := request{method: "BYE", uri: "sip:bob@198.51.100.8", to: "<sip:bob@example.com>;tag=b", cseq: 3}
	bye.extra = "Route: <sip:192.0.2.10:5060;lr;ss=" + cookie + ">\r\n"
	if code := f.from(alice, bye.String()); code != 0 || len(f.delivered) != 2 || f.delivered[1].worker != 2 {
		t.Fatalf("BYE with a cookie: answered %d, delivered %d", code, len(f.delivered))
	}
	if !bytes.Equal(f.delivered[1].Data, []byte(bye.String())) {
		t.Fatal("an in-dialog request must be handed over as it came")
	}
	pin, ok := f.pins.Get(f.Secret.Key([]byte("c1@198.51.100.7")))
	if !ok || pin.Worker != 2 || pin.State != steer.StateEnded {
		t.Fatalf("pin after the BYE: %+v, %v", pin, ok)
	}
	for name, route := range map[string]string{
		"cookie of another call": "<sip:192.0.2.10:5060;lr;ss=" + f.Signer.Cookie([]byte("other"), 2, f.now) + ">",
		"not our Route":          "<sip:203.0.113.5:5060;lr;ss=" + cookie + ">",
		"old cookie":             "<sip:192.0.2.10:5060;lr;ss=" + f.Signer.Cookie([]byte("c2"), 2, f.now.Add(-48*time.Hour)) + ">",
	} {
		r := bye
		r.callID, r.extra = "c2", "Route: "+route+"\r\n"
		if code := f.from(alice, r.String()); code != 481 {
			t.Errorf("%s: answered %d, want 481", name, code)
		}
	}
}

func TestPinnedMessagesThatComeUpAreSteered(t *testing.T) {
	f := called(t)
	worker := f.delivered[0].worker
	folded := "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKx\r\nFrom: <sip:alice@example.com>;tag=a1\r\n" +
		"To: <sip:bob@example.com>;tag=b\r\nCall-ID:\r\n c1@198.51.100.7\r\nCSeq: 2 INVITE\r\n\r\n"
	f.from(bob, folded)
	if len(f.delivered) != 2 || f.delivered[1].worker != worker || string(f.delivered[1].Data) != folded {
		t.Fatal("the answer was not given to the worker as it came")
	}
	if pin, _ := f.pins.Get(f.Secret.Key([]byte("c1@198.51.100.7"))); pin.State != steer.StateConfirmed {
		t.Fatalf("the answer did not confirm the dialog: %s", pin.State)
	}
}

func TestResponsesNeedAPinOrOurBranch(t *testing.T) {
	f := newFixture(t, 100)
	response := func(branch string) string {
		return "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.10;branch=" + branch + "\r\nFrom: <sip:a@x>;tag=1\r\n" +
			"To: <sip:b@x>;tag=2\r\nCall-ID: z\r\nCSeq: 1 INVITE\r\n\r\n"
	}
	f.from(bob, response("z9hG4bKforeign"))
	f.from(bob, response("z9hG4bKours"))
	if len(f.delivered) != 1 || f.delivered[0].worker != 2 || f.Counters().Dropped["stray_response"] != 1 {
		t.Fatalf("delivered %d, dropped %v", len(f.delivered), f.Counters().Dropped)
	}
}

func TestOverload(t *testing.T) {
	t.Run("table full", func(t *testing.T) {
		f := newFixture(t, 0)
		f.register("bob", "<sip:bob@198.51.100.8>", bob)
		if code := f.signed(alice, request{auth: "alice"}); code != 503 || !bytes.Contains(f.last(), []byte("Retry-After:")) {
			t.Fatalf("answered %d", code)
		}
	})
	t.Run("no worker", func(t *testing.T) {
		f := newFixture(t, 100)
		f.register("bob", "<sip:bob@198.51.100.8>", bob)
		_, _ = f.Pool.SetReachable("w1", false), f.Pool.SetReachable("w2", false)
		if code := f.signed(alice, request{auth: "alice"}); code != 503 || len(f.delivered) != 0 {
			t.Fatalf("answered %d", code)
		}
	})
	t.Run("no way to the worker", func(t *testing.T) {
		f := newFixture(t, 100)
		f.register("bob", "<sip:bob@198.51.100.8>", bob)
		f.broken = true
		if code := f.signed(alice, request{auth: "alice"}); code != 503 || f.Counters().Dropped["handover_failed"] != 1 {
			t.Fatalf("answered %d", code)
		}
	})
}

func TestLoopThroughAnotherProxyIsSeen(t *testing.T) {
	f := called(t)
	back := request{cseq: 2}.String()
	back = strings.Replace(back, "Via:", "Via: SIP/2.0/UDP 203.0.113.5;branch=z9hG4bKp\r\nVia: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bKw\r\nVia:", 1)
	if code := f.from(netip.MustParseAddrPort("203.0.113.5:5060"), back); code != 482 {
		t.Fatalf("the request came back and was answered %d, want 482", code)
	}
	spiral := strings.Replace(back, "sip:bob@example.com SIP", "sip:off@example.com SIP", 1)
	if code := f.from(netip.MustParseAddrPort("203.0.113.5:5060"), spiral); code != 407 {
		t.Fatalf("a spiral was answered %d, want 407", code)
	}
}

func TestRepeatedRefusalIsTheSameRefusal(t *testing.T) {
	f := newFixture(t, 100)
	r := request{auth: "alice", uri: "sip:nobody@example.com"}
	f.from(alice, r.String())
	r.cseq = 2
	raw := f.sign(r, 407)
	if first, second := f.from(alice, raw), f.from(alice, raw); first != 404 || second != 404 {
		t.Fatalf("answered %d, then %d; want 404 twice", first, second)
	}
}

func TestAssertedIdentitiesOfPhonesAreRemoved(t *testing.T) {
	f := newFixture(t, 100)
	f.register("bob", "<sip:bob@198.51.100.8>", bob)
	f.signed(alice, request{auth: "alice", extra: "p-asserted-identity: <sip:ceo@example.com>\r\nP-Preferred-Identity: <sip:alice@example.com>\r\n"})
	if len(f.delivered) != 1 || bytes.Contains(f.delivered[0].Data, []byte("ceo@")) || !bytes.Contains(f.delivered[0].Data, []byte("P-Preferred-Identity")) {
		t.Fatal("an asserted identity of a phone was handed over")
	}
}

// A proxy between two services of one balancer sends the call on under its Call-ID: two dialogs, two pins.
func TestACallThatPassesTwoServicesHasTwoPins(t *testing.T) {
	f := newFixture(t, 100)
	f.register("bob", "<sip:bob@198.51.100.8>", bob)
	callID := []byte("c1@198.51.100.7")
	standing := steer.Pin{Worker: 7, Service: 9, State: steer.StateEarly, Method: steer.MethodInvite}
	elsewhere := steer.Secret{1}.Service("other").Key(callID)
	if err := f.pins.Put(elsewhere, standing); err != nil {
		t.Fatal(err)
	}
	if code := f.signed(alice, request{auth: "alice"}); code != 0 || len(f.delivered) != 1 {
		t.Fatalf("answered %d, handed over %d times", code, len(f.delivered))
	}
	if pin, _ := f.pins.Get(elsewhere); pin != standing {
		t.Fatalf("the pin of the other service became %+v", pin)
	}
	if pin, ok := f.pins.Get(f.Secret.Key(callID)); !ok || pin.Service != 1 {
		t.Fatalf("this service's pin is %+v, %v", pin, ok)
	}
}

func TestNoise(t *testing.T) {
	f := newFixture(t, 100)
	for _, raw := range []string{"", "\r\n\r\n", "\x00\x00\x00\x00", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01garbage", strings.Repeat("A", 60000)} {
		if code := f.from(alice, raw); code != 0 || len(f.delivered) != 0 {
			t.Errorf("%.20q: answered %d", raw, code)
		}
	}
	c := f.Counters()
	if c.Dropped["keepalive"] != 3 || c.Dropped["not_sip"] != 3 {
		t.Fatalf("dropped %v", c.Dropped)
	}
}

func FuzzHandle(f *testing.F) {
	f.Add(request{}.String())
	f.Add(request{method: "REGISTER", uri: "sip:example.com", extra: "Contact: *\r\nExpires: 0\r\n"}.String())
	f.Add(request{method: "BYE", to: "<sip:b@x>;tag=1", extra: "Route: <sip:192.0.2.10;lr;ss=x>\r\n"}.String())
	var fx *fixture // one for all: a pool takes longer to make than a message to handle
	f.Fuzz(func(t *testing.T, raw string) {
		if fx == nil {
			fx = newFixture(t, 10)
		}
		fx.sent, fx.delivered = nil, nil
		fx.Handle(transport.Datagram{Local: vip, Remote: alice, Data: []byte(raw)})
		// Nobody has proved anything: nothing may reach a worker, and at most
		// one answer goes back to where the request came from.
		if len(fx.delivered) != 0 {
			t.Fatalf("handed over without credentials: %q", fx.delivered[0].Data)
		}
		if len(fx.sent) > 1 || len(fx.sent) == 1 && fx.sent[0].Remote.Addr() != alice.Addr() {
			t.Fatalf("answered %d times, to %v", len(fx.sent), fx.sent)
		}
	})
}
