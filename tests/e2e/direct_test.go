// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/netns"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

// farm is a site with policy direct whose workers note what reaches them.
type farm struct {
	*site
	*balancer
	caller *wire
	mu     sync.Mutex
	got    map[string][]string // by Call-ID: "w1 INVITE"
}

func directFarm(t *testing.T, mode, policy string) *farm {
	s := newSite(t)
	f := &farm{site: s, got: map[string][]string{}}
	f.listen("w1", s.w1)
	f.listen("w2", s.w2)
	f.balancer = s.balance(daemon.Settings{Mode: mode, Direct: policy, Workers: twoHosts(s)})
	f.caller = s.wire(s.ua, 5060, vip4)
	f.waitStates("up", "up")
	return f
}

func twoHosts(s *site) []daemon.Worker {
	return []daemon.Worker{
		{Name: "w1", Forward: "l2", Address: s.w1.Addr4().String()},
		{Name: "w2", Forward: "l2", Address: s.w2.Addr4().String()},
	}
}

// listen is a worker that notes each message.
func (f *farm) listen(name string, h *netns.Host) {
	conn, err := h.ListenUDP(vip4)
	f.site.must(err)
	f.site.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 65535)
		for {
			n, _, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			m := message(buf[:n])
			word, _, _ := strings.Cut(string(m), " ")
			f.mu.Lock()
			id := m.header("Call-ID")
			f.got[id] = append(f.got[id], name+" "+word)
			f.mu.Unlock()
		}
	}()
}

const directText = "%s sip:bob@example.com SIP/2.0\nVia: SIP/2.0/UDP $LOCAL;branch=z9hG4bK$ID%[1]s\nMax-Forwards: 70\n" +
	"From: <sip:alice@example.com>;tag=caller\nTo: <sip:bob@example.com>%s\nCall-ID: $ID\nCSeq: %d %[1]s\n%sContent-Length: 0\n\n"

// send sends a request of a call, n of them with Call-IDs that begin with the prefix.
func (f *farm) send(method, prefix string, n int, extra string) {
	tag, cseq := "", 1
	if method != "INVITE" {
		tag, cseq = ";tag=callee", 2
	}
	for i := range n {
		f.caller.send(fmt.Sprintf(directText, method, tag, cseq, extra), fmt.Sprintf("%s-%d", prefix, i))
		if i%50 == 49 {
			time.Sleep(2 * time.Millisecond) // receive buffers are small
		}
	}
}

// where waits until each of the calls has had so many messages at the workers, and returns who got the last by Call-ID.
func (f *farm) where(prefix string, n, messages int) map[string]string {
	f.site.Helper()
	last := map[string]string{}
	for deadline := time.Now().Add(3 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		f.mu.Lock()
		for i := range n {
			id := fmt.Sprintf("%s-%d", prefix, i)
			if got := f.got[id]; len(got) == messages {
				last[id], _, _ = strings.Cut(got[messages-1], " ")
			}
		}
		f.mu.Unlock()
		if len(last) == n {
			return last
		}
	}
	f.site.Fatalf("of %d calls %s only %d had %d messages reach a worker", n, prefix, len(last), messages)
	return nil
}

func shareOf(where map[string]string) map[string]int {
	shares := map[string]int{}
	for _, w := range where {
		shares[w]++
	}
	return shares
}

func (f *farm) waitStates(w1, w2 string) {
	f.site.Helper()
	var got []string
	for range 200 {
		st := f.status()
		if got = []string{st.Workers[0].State, st.Workers[1].State}; got[0] == w1 && got[1] == w2 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	f.site.Fatalf("workers are %v, want %s and %s", got, w1, w2)
}

func (f *farm) command(args ...string) string {
	f.site.Helper()
	out, err := f.daemon.Command(args...)
	if err != nil {
		f.site.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

func same(t *testing.T, what string, before, after map[string]string) {
	t.Helper()
	for id, w := range before {
		if after[id] != w {
			t.Fatalf("%s: %s went to %s, before to %s", what, id, after[id], w)
		}
	}
}

const roomy = "    new_pins_per_source: 100000"

func TestDirectKeepsCallsOnTheirWorkers(t *testing.T) {
	for _, mode := range []string{"native", "generic", "off"} {
		t.Run(mode, func(t *testing.T) {
			f := directFarm(t, mode, roomy)
			const n = 200
			f.send("INVITE", "call", n, "")
			first := f.where("call", n, 1)
			if s := shareOf(first); s["w1"] < 60 || s["w2"] < 60 {
				t.Errorf("shares of new calls: %v", s)
			}
			// A drained worker keeps its calls and gets no others; what user space sees goes the same way.
			f.command("workers", "drain", "w1")
			f.send("ACK", "call", n, "")
			same(t, "ACK", first, f.where("call", n, 2))
			f.send("INFO", "call", n, "Subject: "+strings.Repeat("long ", 400)+"\n") // in fragments
			same(t, "INFO in fragments", first, f.where("call", n, 3))
			f.send("INVITE", "late", n, "")
			if s := shareOf(f.where("late", n, 1)); s["w2"] != n {
				t.Errorf("with w1 drained, new calls went %v", s)
			}
			f.send("INVITE", "large", 20, "Subject: "+strings.Repeat("long ", 400)+"\n")
			large := f.where("large", 20, 1)
			f.command("workers", "undrain", "w1")
			f.send("BYE", "large", 20, "")
			same(t, "BYE behind an INVITE in fragments", large, f.where("large", 20, 2))
			f.send("BYE", "call", n, "")
			same(t, "BYE", first, f.where("call", n, 4))
			st := f.settled()
			if mode != "off" && st.Control.Steered > 2*n || st.Datapath.Direct["pinned"] != 2*n+20 {
				t.Errorf("control %+v, direct %v", st.Control, st.Datapath.Direct)
			}
		})
	}
}

// The drain holds over a restart, and says when it is done.
func TestDrainHoldsOverARestartAndEnds(t *testing.T) {
	f := directFarm(t, "native", roomy)
	const n = 60
	f.send("INVITE", "call", n, "")
	first := f.where("call", n, 1)
	f.command("workers", "drain", "w1")
	f.command("workers", "weight", "w2", "7")
	f.stop(syscall.SIGTERM)
	f.send("INFO", "call", n, "") // nobody is there but the kernel
	same(t, "INFO while the daemon is away", first, f.where("call", n, 2))
	f.site.must(f.daemon.Start())
	f.waitStates("draining", "up")
	if out := f.command("workers", "list"); !strings.Contains(out, " 7 ") {
		t.Errorf("w2 lost its weight over the restart:\n%s", out)
	}
	f.send("INVITE", "late", n, "")
	if s := shareOf(f.where("late", n, 1)); s["w2"] != n {
		t.Errorf("behind the restart, new calls went %v", s)
	}
	want := fmt.Sprintf("w1 gets no new calls; %d dialogs left", shareOf(first)["w1"])
	if out := f.command("workers", "drain", "w1"); !strings.Contains(out, want) {
		t.Errorf("drain says %q, want %q", out, want)
	}
	time.AfterFunc(time.Second, func() { f.send("BYE", "call", n, "") })
	if out := f.command("workers", "drain", "w1", "--wait", "--every", "100ms"); !strings.Contains(out, "has none left") {
		t.Errorf("drain --wait says %q", out)
	}
	same(t, "BYE", first, f.where("call", n, 3))
	f.waitStates("drained", "up")
}

func TestAFloodLeavesRoomInTheTable(t *testing.T) {
	for _, mode := range []string{"native", "off"} {
		t.Run(mode, func(t *testing.T) {
			f := directFarm(t, mode, "    new_pins_per_source: 10")
			const n = 1500
			f.send("INVITE", "flood", n, "")
			f.where("flood", n, 1) // every one is steered
			st := f.settled()
			if st.Dialogs.Early < 100 || st.Dialogs.Early > 150 || st.Datapath.Direct["over_source"] != n-st.Dialogs.Early {
				t.Errorf("dialogs %+v, direct %v", st.Dialogs, st.Datapath.Direct)
			}
		})
	}
}

// SIPp on both workers, as a farm would be: calls as they are made.
func TestCallsThroughADirectService(t *testing.T) {
	for _, c := range []struct {
		mode string
		vip  netip.AddrPort
	}{{"native", vip4}, {"native", vip6}, {"off", vip4}} {
		t.Run(c.mode+" "+c.vip.String(), func(t *testing.T) {
			s := newSite(t)
			for _, h := range []*netns.Host{s.w1, s.w2} {
				s.sipp(h, c.vip, sipp.Run{Scenario: "answer", Local: c.vip, Calls: 1000, Timeout: 60 * time.Second})
			}
			f := &farm{site: s, balancer: s.balance(daemon.Settings{Mode: c.mode, Direct: roomy, Workers: twoHosts(s)})}
			f.waitStates("up", "up")
			const n = 300
			stats := s.passed(s.sipp(s.ua, c.vip, sipp.Run{Scenario: "call_direct", Calls: n, Rate: 100, Pause: 100 * time.Millisecond}), n)
			st := f.settled()
			chance := byChance(s, daemon.Status{}, st)
			if want := 3*n - chance; c.mode != "off" && (st.Datapath.Steered < want || st.Datapath.Steered > want+uint64(3*stats.Retransmissions) || st.Control.Steered != chance) {
				t.Errorf("the kernel steered %d, user space %d; want %d and %d", st.Datapath.Steered, st.Control.Steered, want, chance)
			}
			if st.Dialogs.Ended != n || st.Datapath.Direct["pinned"] != n {
				t.Errorf("dialogs %+v, direct %v", st.Dialogs, st.Datapath.Direct)
			}
			checkShares(s, st.Workers, 0.35, 0.65)
		})
	}
}
