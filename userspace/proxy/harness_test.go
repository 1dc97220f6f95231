// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/handover"
	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/token"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

var (
	vip4   = netip.MustParseAddrPort("192.0.2.10:5060")
	vip6   = netip.MustParseAddrPort("[2001:db8::10]:5060")
	alice  = netip.MustParseAddrPort("198.51.100.1:5062")
	bob    = netip.MustParseAddrPort("203.0.113.2:5064")
	bob6   = netip.MustParseAddrPort("[2001:db8::b0b]:5064")
	carol  = netip.MustParseAddrPort("203.0.113.3:5060")
	dave   = netip.MustParseAddrPort("203.0.113.4:5060")
	victim = netip.MustParseAddrPort("203.0.113.99:5060")
	start  = time.Unix(1_800_000_000, 0)
	signer = token.New([]byte("a secret of the tests"))
)

const callID = "call-1@alice.example"

// net is the network round one Core: a virtual clock, and what has been sent.
type network struct {
	t    testing.TB
	core *Core
	now  time.Time
	sent []transport.Datagram // since the last take
}

func newNetwork(t testing.TB) *network {
	n := &network{t: t, now: start}
	n.restart()
	return n
}

// restart replaces the core by a fresh one, as after a crash.
func (n *network) restart() {
	n.t.Helper()
	core, err := NewCore(Config{ID: 7, Listen: []netip.AddrPort{vip4, vip6}, Signer: signer})
	if err != nil {
		n.t.Fatal(err)
	}
	n.core = core
}

func (n *network) collect(out []Send) {
	for _, s := range out {
		d := s.Datagram
		d.Data = bytes.Clone(d.Data)
		n.sent = append(n.sent, d)
	}
}

// in puts a message in at the service address of its family.
func (n *network) in(from netip.AddrPort, msg string) {
	local := vip4
	if from.Addr().Is6() {
		local = vip6
	}
	data := []byte(msg)
	n.collect(n.core.Input(n.now, transport.Datagram{Local: local, Remote: from, Data: data}))
	for i := range data {
		data[i] = 'X' // the core may not have kept it
	}
}

// advance lets time pass, firing each timer at its instant.
func (n *network) advance(d time.Duration) {
	end := n.now.Add(d)
	for {
		at, ok := n.core.NextDeadline()
		if !ok || at.After(end) {
			break
		}
		if at.After(n.now) {
			n.now = at
		}
		n.collect(n.core.Tick(n.now))
	}
	n.now = end
}

// got is a message that came out.
type got struct {
	t    testing.TB
	from netip.AddrPort
	to   netip.AddrPort
	text string
	m    sip.Message
}

// take returns what has been sent since the last take, and checks that it is
// this: start lines up to a blank, with where they go: "INVITE>bob".
func (n *network) take(want ...string) []got {
	n.t.Helper()
	var all []got
	var names []string
	for _, d := range n.sent {
		g := got{t: n.t, from: d.Local, to: d.Remote, text: string(d.Data)}
		if err := sip.Parse(d.Data, &g.m); err != nil {
			n.t.Fatalf("sent what cannot be read: %v\n%s", err, d.Data)
		}
		if err := sip.Validate(&g.m); err != nil {
			n.t.Fatalf("sent what is not valid: %v\n%s", err, d.Data)
		}
		name := string(g.m.Method)
		if !g.m.IsRequest() {
			name = fmt.Sprint(g.m.Status)
		}
		names = append(names, name+">"+who(d.Remote))
		all = append(all, g)
	}
	n.sent = nil
	if strings.Join(names, " ") != strings.Join(want, " ") {
		n.t.Fatalf("sent %q, want %q", names, want)
	}
	return all
}

func who(a netip.AddrPort) string {
	for name, at := range map[string]netip.AddrPort{"alice": alice, "bob": bob, "bob6": bob6, "victim": victim, "carol": carol, "dave": dave} {
		if a == at {
			return name
		}
	}
	return a.String()
}

// header is the value of the only header field with that name, "" when there is
// none.
func (g got) header(name string) string {
	g.t.Helper()
	v := g.headers(name)
	if len(v) > 1 {
		g.t.Fatalf("%d %s header fields in\n%s", len(v), name, g.text)
	}
	return strings.Join(v, "")
}

func (g got) headers(name string) (values []string) {
	for _, h := range g.m.Headers {
		if strings.EqualFold(string(h.Name), name) {
			values = append(values, string(h.Value))
		}
	}
	return values
}

// request is the fields a test may change in a message; zero means the default.
type request struct {
	method, uri, via, from, to, contact string
	cseq                                int
	callID                              string
	routes                              []string // as they are to stand
	extra                               string   // lines with CRLF
	body                                string
	noTicket                            bool
	targets                             []handover.Target // after the first
	maxForwards                         string            // "-" for none
}

// initial builds a request as the control plane hands it over.
func initial(r request) string {
	r = r.defaults()
	if !r.noTicket {
		cookie := signer.Cookie([]byte(r.callID), 7, start)
		branch := r.via[strings.Index(r.via, "branch=")+7:]
		branch, _, _ = strings.Cut(branch, ";")
		if !strings.Contains(r.via, "branch=") {
			branch = ""
		}
		more := ""
		for i := range r.targets {
			line := string(r.targets[i].Append(nil))
			r.extra += line
			more += strings.TrimSpace(strings.SplitN(line, ":", 2)[1]) + "\n"
		}
		r.extra += "X-Sipsteer-Cookie: " + cookie + "\r\n" +
			"X-Sipsteer-Ticket: " + signer.Ticket(cookie, []byte(r.callID), []byte(branch), []byte(r.uri), []byte(more)) + "\r\n"
	}
	return r.text()
}

func (r request) defaults() request {
	set := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	set(&r.method, "INVITE")
	set(&r.uri, "sip:bob@"+bob.String())
	set(&r.via, "SIP/2.0/UDP "+alice.String()+";branch=z9hG4bK-a1")
	set(&r.from, "<sip:alice@example.com>;tag=a")
	set(&r.to, "<sip:bob@example.com>")
	set(&r.contact, "<sip:alice@"+alice.String()+">")
	set(&r.callID, callID)
	set(&r.maxForwards, "70")
	if r.cseq == 0 {
		r.cseq = 1
	}
	return r
}

func (r request) text() string {
	r = r.defaults()
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	line("%s %s SIP/2.0", r.method, r.uri)
	for _, v := range strings.Split(r.via, "\n") {
		line("Via: %s", v)
	}
	if r.maxForwards != "-" {
		line("Max-Forwards: %s", r.maxForwards)
	}
	for _, route := range r.routes {
		line("Route: %s", route)
	}
	line("From: %s", r.from)
	line("To: %s", r.to)
	line("Call-ID: %s", r.callID)
	line("CSeq: %d %s", r.cseq, r.method)
	if r.contact != "-" {
		line("Contact: %s", r.contact)
	}
	b.WriteString(r.extra)
	line("Content-Length: %d\r\n\r\n%s", len(r.body), r.body)
	return strings.TrimSuffix(b.String(), "\r\n")
}

// respond builds what the receiver of a request answers: Vias, Record-Routes,
// From, Call-ID and CSeq as they came, To with the tag b.
func (g got) respond(code int, lines ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %d Reason\r\n", code)
	for i := range g.m.Headers {
		h := &g.m.Headers[i]
		switch h.ID {
		case sip.HVia, sip.HFrom, sip.HCallID, sip.HCSeq:
			b.Write(h.Line)
		case sip.HRecordRoute:
			if code > 100 && code < 300 {
				b.Write(h.Line)
			}
		case sip.HTo:
			b.WriteString("To: " + string(h.Value))
			if code > 100 && !bytes.Contains(h.Value, []byte("tag=")) {
				b.WriteString(";tag=b")
			}
			b.WriteString("\r\n")
		}
	}
	for _, l := range lines {
		b.WriteString(l + "\r\n")
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	return b.String()
}

const bobContact = "Contact: <sip:bob@203.0.113.2:5064>"

// call sets a call up: INVITE, 180, 200, ACK. It returns the INVITE that the
// callee got, the 200 that the caller got.
func (n *network) call() (invite, ok got) {
	n.t.Helper()
	n.in(alice, initial(request{}))
	invite = n.take("100>alice", "INVITE>bob")[1]
	n.in(bob, invite.respond(180, bobContact))
	n.take("180>alice")
	n.in(bob, invite.respond(200, bobContact))
	ok = n.take("200>alice")[0]
	n.in(alice, ok.next("ACK", 1))
	n.take("ACK>bob")
	return invite, ok
}

// next builds the caller's next request in the dialog that a 2xx made.
func (ok got) next(method string, cseq int) string {
	return ok.nextRequest(method, cseq).text()
}

func (ok got) nextRequest(method string, cseq int) request {
	uri := ok.header("Contact")
	uri = strings.Trim(uri, "<>")
	rr := ok.headers("Record-Route")
	var routes []string
	for i := len(rr) - 1; i >= 0; i-- {
		routes = append(routes, rr[i])
	}
	return request{
		method: method, uri: uri, cseq: cseq, routes: routes, to: ok.header("To"),
		via: fmt.Sprintf("SIP/2.0/UDP %s;branch=z9hG4bK-a-%s-%d", alice, method, cseq),
	}
}

// back builds the callee's request in the dialog that an INVITE made.
func (invite got) back(method string, cseq int) string {
	return invite.backRequest(method, cseq).text()
}

func (invite got) backRequest(method string, cseq int) request {
	return request{
		method: method, uri: strings.Trim(invite.header("Contact"), "<>"), cseq: cseq,
		routes: invite.headers("Record-Route"), from: invite.header("To") + ";tag=b", to: invite.header("From"),
		via: fmt.Sprintf("SIP/2.0/UDP %s;branch=z9hG4bK-b-%s-%d", bob, method, cseq), contact: "<sip:bob@203.0.113.2:5064>",
	}
}

// counted checks one named counter.
func (n *network) refused(cause string, want uint64) {
	n.t.Helper()
	if v := n.core.Stats().Refused[cause]; v != want {
		n.t.Fatalf("refused[%s] = %d, want %d: %+v", cause, v, want, n.core.Stats())
	}
}

func (n *network) dropped(cause string, want uint64) {
	n.t.Helper()
	if v := n.core.Stats().Dropped[cause]; v != want {
		n.t.Fatalf("dropped[%s] = %d, want %d: %+v", cause, v, want, n.core.Stats())
	}
}

// empty checks that every transaction ends by itself.
func (n *network) empty() {
	n.t.Helper()
	n.advance(5 * time.Minute)
	n.sent = nil
	if s := n.core.Stats(); s.Transactions != 0 || len(n.core.timers) != 0 {
		n.t.Fatalf("left over: %d transactions, %d timers", s.Transactions, len(n.core.timers))
	}
}
