// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/transport"
)

// peer is a user agent's socket on the loopback.
type peer struct {
	t *testing.T
	s *transport.Socket
}

func newPeer(t *testing.T) *peer {
	s, err := transport.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &peer{t, s}
}

func (p *peer) receive(want string) string {
	p.t.Helper()
	buf := make([]byte, transport.MaxDatagram)
	for range 10 {
		n, _, err := p.s.Receive(buf)
		if err != nil {
			p.t.Fatal(err)
		}
		if msg := string(buf[:n]); strings.HasPrefix(msg, want) {
			return msg
		}
	}
	p.t.Fatalf("no %q in ten datagrams", want)
	return ""
}

func TestWorkerServesItsQueueAndItsSocket(t *testing.T) {
	vip, own, caller, callee := newPeer(t), newPeer(t), newPeer(t), newPeer(t)
	w, err := New(Config{
		ID: 1, Name: "w1", Listen: []netip.AddrPort{vip.s.Local()}, Signer: signer,
		Sockets: []*transport.Socket{own.s},
		Send:    func(d transport.Datagram) error { return vip.s.Send(d.Remote, d.Data) },
		Now:     func() time.Time { return start.Add(time.Since(testBegin)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()

	uri := "sip:bob@" + callee.s.Local().String()
	via := "SIP/2.0/UDP " + caller.s.Local().String() + ";branch=z9hG4bK-1"
	w.Deliver(transport.Datagram{Local: vip.s.Local(), Remote: caller.s.Local(), Data: []byte(initial(request{method: "OPTIONS", uri: uri, via: via}))})
	first := callee.receive("OPTIONS")
	if again := callee.receive("OPTIONS"); again != first { // timer E runs in real time
		t.Fatal("the retransmission differs")
	}
	answer := strings.Replace(first[strings.Index(first, "Via:"):], "Max-Forwards: 69\r\n", "", 1)
	if err := callee.s.Send(own.s.Local(), []byte("SIP/2.0 200 OK\r\n"+answer)); err != nil {
		t.Fatal(err)
	}
	caller.receive("SIP/2.0 200 OK")
	if s := w.Stats(); s.Received != 2 || s.Requests != 1 || s.Responses != 1 || w.Name() != "w1" {
		t.Fatalf("%+v", s)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

var testBegin = time.Now()

func TestDeliverNeverBlocksAndKeepsTheOrder(t *testing.T) {
	var mu sync.Mutex
	var order []string
	w, err := New(Config{ID: 1, Listen: []netip.AddrPort{vip4}, Signer: signer, Queue: 100, Send: func(d transport.Datagram) error {
		mu.Lock()
		defer mu.Unlock()
		s := string(d.Data)
		i := strings.Index(s, "Call-ID: ")
		order = append(order, strings.SplitN(s[i+9:], "\r\n", 2)[0])
		return errors.New("nobody there")
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 150 {
		big := strings.Repeat("x", i%2*4000) // beyond the buffers that are reused
		msg := []byte(request{callID: fmt.Sprint(i), method: "OPTIONS", extra: "X: " + big + "\r\n"}.text())
		w.Deliver(transport.Datagram{Local: vip4, Remote: alice, Data: msg})
		clear(msg)
	}
	if got := w.Stats().Dropped["queue_full"]; got != 50 {
		t.Fatalf("%d dropped, want 50", got)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	for w.Stats().Dropped["send_failed"] < 100 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-done
	for i, id := range order {
		if id != fmt.Sprint(i) {
			t.Fatalf("message %d is of call %s", i, id)
		}
	}
}

func TestConfigFaultsAreNamed(t *testing.T) {
	send := func(transport.Datagram) error { return nil }
	for want, cfg := range map[string]Config{
		"no way to send":            {Listen: []netip.AddrPort{vip4}, Signer: signer},
		"no service address":        {Signer: signer, Send: send},
		"no signer":                 {Listen: []netip.AddrPort{vip4}, Send: send},
		"want an IP address":        {Listen: []netip.AddrPort{{}}, Signer: signer, Send: send},
		"0.0.0.0:5060: want an IP ": {Listen: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:5060")}, Signer: signer, Send: send},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

func TestOptionsForTheWorkerItselfAreAnswered(t *testing.T) {
	const text = "OPTIONS %s SIP/2.0\r\nVia: SIP/2.0/UDP 198.51.100.1:5062;branch=z9hG4bK-o;rport\r\nMax-Forwards: 0\r\n" +
		"From: <sip:198.51.100.1>;tag=1\r\nTo: <sip:192.0.2.10>%s\r\nCall-ID: o@x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	for _, c := range []struct{ uri, tag, want string }{
		{"sip:192.0.2.10:5060", "", "200>alice"},
		{"sip:192.0.2.10", "", "200>alice"},
		{"sip:[2001:db8::10]:5060", "", "200>alice"},
		{"sip:bob@192.0.2.10", "", "403>alice"},
		{"sip:203.0.113.99", "", "403>alice"},
		{"sip:192.0.2.10:5060", ";tag=2", "481>alice"},
	} {
		n := newNetwork(t)
		n.in(alice, fmt.Sprintf(text, c.uri, c.tag))
		answer := n.take(c.want)[0]
		if allow := strings.Contains(answer.text, "\r\nAllow: INVITE, "); allow != (c.want == "200>alice") {
			t.Errorf("%s: Allow %v", c.uri, allow)
		}
		if n.core.Stats().Transactions != 0 {
			t.Errorf("%s costs state", c.uri)
		}
	}
}
