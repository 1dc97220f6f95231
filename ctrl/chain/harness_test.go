// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/auth"
	"github.com/sipsteer/sipsteer/ctrl/dialog"
	"github.com/sipsteer/sipsteer/ctrl/location"
	"github.com/sipsteer/sipsteer/ctrl/pool"
	"github.com/sipsteer/sipsteer/ctrl/registrar"
	"github.com/sipsteer/sipsteer/ctrl/route"
	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/token"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

var (
	vip     = netip.MustParseAddrPort("192.0.2.10:5060")
	alice   = netip.MustParseAddrPort("198.51.100.7:5062")
	carrier = netip.MustParseAddrPort("203.0.113.77:5060")
	bob     = netip.MustParseAddrPort("198.51.100.8:5060")
)

// users are the accounts of the fixture; the password is the name.
type users map[string]bool

func (u users) Resolve(aor string) (string, bool) {
	if aor == "4711@example.org" {
		aor = "alice@example.com"
	}
	return aor, u[aor]
}

func (u users) HA1(name, realm string, alg auth.Algorithm) (string, bool) {
	return auth.HA1(alg, name, realm, name), u[name+"@"+realm]
}

// prompt is a journal that is durable at once.
type prompt struct{}

func (prompt) Submit(_ location.Change, done func(error)) error { done(nil); return nil }

// fixture is a chain between recorded sends and deliveries.
type fixture struct {
	*Handler
	t         *testing.T
	now       time.Time
	pins      *steer.Table
	sent      []transport.Datagram // answers
	delivered []delivery
	broken    bool // deliveries fail

	policy     *steer.Sources
	kernelPays bool
	trunks     map[netip.Addr]*Trunk
	failed     []netip.Addr
}

type delivery struct {
	worker uint32
	transport.Datagram
}

func newFixture(t *testing.T, maxPins int) *fixture {
	f := &fixture{t: t, now: time.Unix(1_800_000_000, 0), policy: steer.NewSources(), trunks: map[netip.Addr]*Trunk{}}
	accounts := users{"alice@example.com": true, "bob@example.com": true, "off@example.com": true}
	table := location.New(prompt{})
	domains := route.NewDomains([]string{"example.com", "example.org"}, []netip.AddrPort{vip})
	workers := pool.New([]pool.Worker{{ID: 1, Name: "w1", Weight: 1}, {ID: 2, Name: "w2", Weight: 1}}, 4099)
	for _, name := range []string{"w1", "w2"} {
		if err := workers.SetReachable(name, true); err != nil {
			t.Fatal(err)
		}
	}
	trunk := route.NewDialPlan([]route.Gateway{{
		Name: "g", Group: "g", Addr: carrier, Weight: 1, Sources: []netip.Prefix{netip.PrefixFrom(carrier.Addr(), 32)},
	}}, []route.Prefix{{Prefix: "00", Groups: []string{"g"}}})
	f.pins = steer.NewTable(maxPins, dialog.Monotonic)
	f.Handler = New(Config{
		Service: 1, Secret: steer.Secret{1}, Pins: f.pins,
		Dialogs: dialog.New(f.pins, dialog.NewCallTable(), dialog.Timeouts{Early: time.Minute, Confirmed: time.Hour, Ended: time.Minute}, dialog.Monotonic),
		Pool:    workers, Domains: domains, Accounts: accounts, Router: route.New(domains, table, accounts, route.Forking{MaxTargets: 4, Ring: 20 * time.Second}, trunk),
		Auth: auth.New([]byte("nonce secret"), nil, 0, accounts),
		Registrar: registrar.New(table, registrar.Limits{
			DefaultExpires: time.Hour, MinExpires: time.Minute, MaxExpires: 2 * time.Hour, MaxContacts: 5,
		}),
		Signer:  token.New([]byte("cluster secret")),
		Deliver: f.deliver,
		Send: func(d transport.Datagram) error {
			d.Data = append([]byte(nil), d.Data...)
			f.sent = append(f.sent, d)
			return nil
		},
		Answered: func(m *sip.Message) (uint32, bool) { return 2, strings.Contains(string(m.First(sip.HVia)), "ours") },
		Now:      func() time.Time { return f.now },
		Sources:  f, Own: domains,
		Trunk:  func(a netip.Addr) *Trunk { return f.trunks[a] },
		Failed: func(a netip.Addr) { f.failed = append(f.failed, a) },
	}).NewHandler()
	return f
}

func (f *fixture) Judge(a netip.Addr) (steer.Outcome, bool) {
	return f.policy.Judge(a, uint64(f.now.UnixNano()))
}

func (f *fixture) Pay(a netip.Addr, service uint16) steer.Outcome {
	return f.policy.Pay(a, service, uint64(f.now.UnixNano()))
}

func (f *fixture) KernelPays() bool { return f.kernelPays }

func (f *fixture) deliver(worker uint32, d transport.Datagram) error {
	if f.broken {
		return errors.New("no way")
	}
	d.Data = append([]byte(nil), d.Data...)
	f.delivered = append(f.delivered, delivery{worker, d})
	return nil
}

// from handles a message and returns the status code of the answer, 0 if none.
func (f *fixture) from(source netip.AddrPort, message string) int {
	f.t.Helper()
	before := len(f.sent)
	f.Handle(transport.Datagram{Local: vip, Remote: source, Data: []byte(message)})
	if len(f.sent) == before {
		return 0
	}
	var m sip.Message
	if err := sip.Parse(f.last(), &m); err != nil || m.Status != 400 && m.Status != 505 && sip.Validate(&m) != nil {
		f.t.Fatalf("answered with %q: %v", f.last(), err)
	}
	return m.Status
}

// last is the last answer.
func (f *fixture) last() []byte { return f.sent[len(f.sent)-1].Data }

// request is a request as a test describes it; zero fields have defaults.
type request struct {
	method, uri, from, to, callID string
	cseq                          int
	extra                         string // whole lines
	auth                          string // user with whose name as password it is signed
}

func (r request) String() string {
	def := func(s *string, d string) {
		if *s == "" {
			*s = d
		}
	}
	def(&r.method, "INVITE")
	def(&r.uri, "sip:bob@example.com")
	def(&r.from, "<sip:alice@example.com>;tag=a1")
	def(&r.to, "<sip:bob@example.com>")
	def(&r.callID, "c1@198.51.100.7")
	if r.cseq == 0 {
		r.cseq = 1
	}
	return fmt.Sprintf("%s %s SIP/2.0\r\nVia: SIP/2.0/UDP %s;branch=z9hG4bK%s%d;rport\r\nMax-Forwards: 70\r\n"+
		"From: %s\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\n%sContent-Length: 0\r\n\r\n",
		r.method, r.uri, alice, r.callID, r.cseq, r.from, r.to, r.callID, r.cseq, r.method, r.extra)
}

var nonceRE = regexp.MustCompile(`nonce="([^"]+)"`)

// signed sends a request, answers the challenge and returns the code of that.
func (f *fixture) signed(source netip.AddrPort, r request) int {
	f.t.Helper()
	r.cseq = max(r.cseq, 1)
	code := f.from(source, r.String())
	if code != 401 && code != 407 {
		return code
	}
	r.cseq++
	return f.from(source, f.sign(r, code))
}

// sign adds credentials for the last challenge.
func (f *fixture) sign(r request, code int) string {
	nonce := nonceRE.FindSubmatch(f.last())
	if nonce == nil {
		f.t.Fatalf("no challenge in %q", f.last())
	}
	name, header, uri := r.auth, "Proxy-Authorization", "sip:192.0.2.10:5060"
	if code == 401 {
		header = "Authorization"
	}
	if r.method == "" {
		r.method = "INVITE"
	}
	ha1 := auth.HA1(auth.MD5, name, "example.com", name)
	// HA1 hashes a:b:c; H(method:uri) and H(ha1:…:ha2) have two and more parts.
	ha2 := md5Hex(r.method + ":" + uri)
	response := md5Hex(strings.Join([]string{ha1, string(nonce[1]), "00000001", "c", "auth", ha2}, ":"))
	r.extra += fmt.Sprintf("%s: Digest username=%q, realm=\"example.com\", nonce=%q, uri=%q, response=%q, algorithm=MD5, cnonce=\"c\", qop=auth, nc=00000001\r\n",
		header, name, nonce[1], uri, response)
	return r.String()
}

// register binds a user to a contact.
func (f *fixture) register(user, contact string, source netip.AddrPort) {
	f.t.Helper()
	address := "<sip:" + user + "@example.com>"
	code := f.signed(source, request{
		method: "REGISTER", uri: "sip:example.com", from: address + ";tag=r", to: address,
		callID: "reg-" + user, extra: "Contact: " + contact + "\r\n", auth: user,
	})
	if code != 200 {
		f.t.Fatalf("registering %s: %d", user, code)
	}
}
