// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/netns"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

// attacker is a host on the segment that nobody knows.
func (s *site) attacker(n uint8) *netns.Host {
	s.Helper()
	h, err := s.farm.Host(fmt.Sprintf("atk%d", n), n)
	s.must(err)
	for _, vip := range vips {
		s.must(h.Route(vip.Addr(), s.lb.AddrLike(vip.Addr())))
	}
	return h
}

// ban is one entry of `sipsteer bans --json`.
type ban struct {
	Source, By, Reason string
	Since, Until       time.Time
}

func (b *balancer) bans() []ban {
	b.Helper()
	out, err := b.daemon.Command("bans", "--json")
	b.must(err)
	var list []ban
	b.must(json.Unmarshal([]byte(out), &list))
	return list
}

// command runs a command of the command line that must succeed.
func (b *balancer) command(args ...string) string {
	b.Helper()
	out, err := b.daemon.Command(args...)
	b.must(err)
	return out
}

// alive tells whether a wire gets an answer to OPTIONS.
func (w *wire) alive() bool {
	w.Helper()
	w.send("OPTIONS sip:$VIP SIP/2.0\nVia: SIP/2.0/UDP $LOCAL;branch=z9hG4bK$ID;rport\nMax-Forwards: 70\n"+
		"From: <sip:a@example.com>;tag=1\nTo: <sip:$VIP>\nCall-ID: $ID\nCSeq: 1 OPTIONS\nContent-Length: 0\n\n", newID())
	return w.receive(500*time.Millisecond).status() == 200
}

const banAfter = "policy: {ban: {failures: 10, within: 1m, for: 10m}}"

func TestAnAttackerIsBannedAndNobodyElse(t *testing.T) {
	for _, mode := range []string{"native", "off"} {
		t.Run(mode, func(t *testing.T) {
			s := newSite(t)
			b := s.balance(daemon.Settings{Mode: mode, Extra: banAfter})
			telephones(s, b, vip4)
			bad := s.attacker(66)
			session := s.sipp(bad, vip4, sipp.Run{Scenario: "register_refused", User: "alice", Password: "wrong", Calls: 40, Rate: 20, Timeout: 8 * time.Second})
			for range 100 {
				if len(b.bans()) > 0 {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			list := b.bans()
			if len(list) != 1 || list[0].Source != bad.Addr4().String() || list[0].By != "failures" {
				t.Fatalf("bans: %+v", list)
			}
			if left := time.Until(list[0].Until); left < 9*time.Minute || left > 10*time.Minute {
				t.Errorf("banned for another %s", left)
			}
			if _, err := session.Wait(); err == nil {
				t.Error("the attacker got all its answers")
			}
			s.call(vip4, calls{call: "call", answer: "answer", n: 20, rate: 20})
			w := s.in(t).wire(bad, 5070, vip4)
			if w.alive() {
				t.Error("the attacker is still heard")
			}
			if st := b.settled(); st.Policy.Bans != 1 || st.Datapath.Dropped["banned"] == 0 {
				t.Errorf("policy %+v, dropped %v", st.Policy, st.Datapath.Dropped)
			}
			b.stop(syscall.SIGTERM)
			b.must(b.daemon.Start())
			if again := b.bans(); len(again) != 1 || !again[0].Until.Equal(list[0].Until) || w.alive() {
				t.Errorf("after a restart: %+v", again)
			}
			b.command("bans", "remove", bad.Addr4().String())
			if len(b.bans()) != 0 || !w.alive() {
				t.Error("the ban was lifted, and the source is not heard")
			}
		})
	}
}

// A wrong answer to a challenge that went to somebody else proves nothing, and must not ban whose name is on it.
func TestNobodyIsBannedInAnothersName(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{Extra: banAfter})
	b.addUsers("alice")
	thief, victim := s.wire(s.ua, 5060, vip4), s.wire(s.ub, 5060, vip4)
	id := newID()
	challenge := thief.registerOnce(id, "alice", 1, "").header("WWW-Authenticate")
	for i := range 30 {
		victim.registerOnce(newID(), "alice", i+1, digest(challenge, "alice", "wrong", "REGISTER", "sip:"+domain))
		victim.registerOnce(newID(), "alice", i+1, "")
	}
	if list := b.bans(); len(list) != 0 {
		t.Errorf("banned: %+v", list)
	}
}

func TestABanEndsAllAndByItself(t *testing.T) {
	for _, mode := range []string{"native", "off"} {
		t.Run(mode, func(t *testing.T) {
			s := newSite(t)
			b := s.balance(daemon.Settings{Mode: mode})
			w4, w6 := s.wire(s.ua, 5060, vip4), s.wire(s.attacker(66), 5060, vip6)
			b.command("bans", "add", s.ua.Addr4().String(), "--for", "2s", "--reason", "test")
			if w4.alive() {
				t.Error("a banned source is heard")
			}
			if !w6.alive() {
				t.Error("another is not heard")
			}
			time.Sleep(2 * time.Second)
			if !w4.alive() {
				t.Error("not heard after the ban")
			}
			b.command("prefixes", "deny", "fd66::/64")
			if w6.alive() {
				t.Error("a denied IPv6 prefix is heard")
			}
			b.command("prefixes", "allow", w6.local.Addr().String())
			if !w6.alive() {
				t.Error("an address allowed within it is not heard")
			}
			time.Sleep(1500 * time.Millisecond)
			if list := b.bans(); len(list) != 0 {
				t.Errorf("bans that are over: %+v", list)
			}
		})
	}
}

const limited = "policy:\n  rate: {source: {per_second: 1, burst: 5}}\n"

func TestAFloodFromOneSourceLeavesTheOthersAlone(t *testing.T) {
	for _, mode := range []string{"native", "off"} {
		t.Run(mode, func(t *testing.T) {
			s := newSite(t)
			b := s.balance(daemon.Settings{Mode: mode, Extra: "policy:\n  rate: {source: {per_second: 200, burst: 200}, service: {per_second: 1000, burst: 1000}}\n"})
			telephones(s, b, vip4)
			bad := s.attacker(66)
			conn, err := bad.ListenUDP(netip.AddrPortFrom(bad.Addr4(), 5060))
			s.must(err)
			stop := make(chan struct{})
			sent := flood(conn, vip4, bad.Addr4(), stop)
			s.call(vip4, calls{call: "call", answer: "answer", n: 60, rate: 20})
			close(stop)
			total := <-sent
			conn.Close()
			st := b.settled()
			dropped := st.Datapath.Dropped["source_rate"]
			t.Logf("sent %d INVITEs, %d dropped for the source's rate, %d for the service's", total, dropped, st.Datapath.Dropped["service_rate"])
			if total < 5000 || dropped < total/2 || st.Datapath.Dropped["service_rate"] != 0 {
				t.Errorf("sent %d, dropped %v", total, st.Datapath.Dropped)
			}
		})
	}
}

// flood sends INVITEs in the name of an address until it is told to stop; then it says how many.
func flood(conn net.PacketConn, to netip.AddrPort, from netip.Addr, stop <-chan struct{}) <-chan uint64 {
	sent := make(chan uint64, 1)
	text := strings.NewReplacer("$FROM", from.String(), "\n", "\r\n").Replace("INVITE sip:bob@example.com SIP/2.0\n" +
		"Via: SIP/2.0/UDP $FROM;branch=z9hG4bKflood;rport\nMax-Forwards: 70\nFrom: <sip:x@example.com>;tag=1\nTo: <sip:bob@example.com>\n" +
		"Call-ID: flood\nCSeq: 1 INVITE\nContent-Length: 0\n\n")
	go func() {
		var n uint64
		for ; ; n++ {
			select {
			case <-stop:
				sent <- n
				return
			default:
			}
			_, _ = conn.WriteTo([]byte(text), net.UDPAddrFromAddrPort(to)) // what the socket refuses is not sent
			if n%20 == 0 {
				time.Sleep(2 * time.Millisecond)
			}
		}
	}()
	return sent
}

// The trunk's own packets and a flood in its name come from the same address: neither may be limited or banned.
func TestATrunkIsNeverLimitedNorBanned(t *testing.T) {
	for _, mode := range []string{"native", "off"} {
		t.Run(mode, func(t *testing.T) {
			s := newSite(t)
			trunk := "trunks:\n  - {name: carrier, prefixes: [" + s.ua.Addr4().String() + "]}\n"
			b := s.balance(daemon.Settings{Mode: mode, Extra: limited + trunk})
			b.addUsers("alice", "bob")
			s.register(s.ub, vip4, "bob")
			spoofed, err := s.ua.ListenUDP(netip.AddrPortFrom(s.ua.Addr4(), 9999))
			s.must(err)
			defer spoofed.Close()
			stop := make(chan struct{})
			sent := flood(spoofed, vip4, s.ua.Addr4(), stop)
			w := s.wire(s.ua, 5060, vip4)
			for start := time.Now(); time.Since(start) < time.Second; {
				if !w.alive() {
					t.Error("the trunk is not heard")
				}
			}
			close(stop)
			if n := <-sent; n < 100 {
				t.Errorf("the flood had %d packets: this proves nothing", n)
			}
			if out, err := b.daemon.Command("bans", "add", s.ua.Addr4().String()); err == nil {
				t.Errorf("a trunk was banned: %s", out)
			}
			if d := b.settled().Datapath.Dropped; d["source_rate"]+d["banned"]+d["denied"] != 0 {
				t.Errorf("dropped %v", d)
			}
		})
	}
}

func TestATrunkCallsWithoutAPasswordAsItsOwnUsers(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{Extra: "trunks:\n  - {name: carrier, prefixes: [" + s.ua.Addr4().String() + "/32]}\n"})
	b.addUsers("alice", "bob")
	bob := s.wire(s.ub, 5062, vip4)
	id := newID()
	challenge := bob.registerOnce(id, "bob", 1, "").header("WWW-Authenticate")
	if m := bob.registerOnce(id, "bob", 2, digest(challenge, "bob", password, "REGISTER", "sip:"+domain)); m.status() != 200 {
		t.Fatalf("registering bob:\n%s", m)
	}
	w := s.wire(s.ua, 5060, vip4)
	invite := func(from string) {
		w.send(fmt.Sprintf(requestText, "INVITE", "sip:bob@"+domain, 1, from+";tag=1", "<sip:bob@example.com>",
			"P-Asserted-Identity: <sip:+4912345@carrier.example>\n"), newID())
	}
	invite("<sip:alice@example.com>")
	if m := w.final(); m.status() != 407 {
		t.Errorf("in the name of one of our users: want 407:\n%s", m)
	}
	invite("<sip:+4912345@carrier.example>")
	m := bob.receive(3 * time.Second)
	if !strings.HasPrefix(string(m), "INVITE ") || m.header("P-Asserted-Identity") == "" {
		t.Errorf("bob got %q", m)
	}
}

// A fragmented INVITE pays in user space, since the kernel cannot judge it, out of the same bucket as the others.
func TestFragmentsPayAsWell(t *testing.T) {
	for _, mode := range []string{"native", "off"} {
		t.Run(mode, func(t *testing.T) {
			s := newSite(t)
			b := s.balance(daemon.Settings{Mode: mode, Extra: "policy:\n  rate: {source: {per_second: 1, burst: 4}}\n"})
			w := s.wire(s.ua, 5060, vip4)
			options := func(filler string) bool {
				w.send("OPTIONS sip:$VIP SIP/2.0\nVia: SIP/2.0/UDP $LOCAL;branch=z9hG4bK$ID;rport\nMax-Forwards: 70\n"+
					"From: <sip:a@example.com>;tag=1\nTo: <sip:$VIP>\nCall-ID: $ID\nCSeq: 1 OPTIONS\n"+filler+"Content-Length: 0\n\n", newID())
				return w.receive(300*time.Millisecond).status() == 200
			}
			large := "X-Filler: " + strings.Repeat("x", 3000) + "\n"
			start := time.Now()
			answered := 0
			for _, filler := range []string{"", large, "", large, large, "", large, ""} {
				if options(filler) {
					answered++
				}
			}
			most := 4 + int(time.Since(start).Seconds()) + 1
			if answered < 4 || answered > most {
				t.Errorf("%d of 8 requests were answered, want 4 to %d", answered, most)
			}
			if c := b.settled().Control.Dropped["source_rate"]; c == 0 {
				t.Error("none was dropped in user space: no fragment paid")
			}
		})
	}
}
