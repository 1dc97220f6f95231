// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/baresip"
	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/netns"
)

// phone starts a registered baresip.
func (s *site) phone(h *netns.Host, user string) *baresip.Phone {
	s.Helper()
	p, err := baresip.Start(h, s.dir, netip.AddrPortFrom(h.Addr4(), 5060), vip4, user, domain, password)
	s.must(err)
	s.Cleanup(p.Stop)
	s.must(p.WaitRegistered(5 * time.Second))
	return p
}

func (s *site) event(p *baresip.Phone, name string) {
	s.Helper()
	_, err := p.WaitEvent(name, 5*time.Second)
	s.must(err)
}

func TestBaresipRegistersTwiceAndCalls(t *testing.T) {
	s := newSite(t)
	s.needs("baresip")
	b := s.balance(daemon.Settings{})
	b.addUsers("alice", "bob")
	bob, alice := s.phone(s.ub, "bob"), s.phone(s.ua, "alice")
	if got := b.status().Registrations; got != 2 {
		t.Fatalf("%d registrations, want 2", got)
	}
	s.must(alice.Do("dial", "sip:bob@"+domain))
	s.event(bob, "CALL_INCOMING")
	s.must(bob.Do("accept", ""))
	s.event(bob, "CALL_ESTABLISHED")
	s.event(alice, "CALL_ESTABLISHED")
	if got := b.settled().Dialogs.Confirmed; got != 1 {
		t.Errorf("%d confirmed dialogs, want 1", got)
	}
	s.must(alice.Do("hangup", ""))
	s.event(bob, "CALL_CLOSED")
	st := b.settled()
	if st.Dialogs.Ended != 1 || st.Dialogs.Confirmed != 0 {
		t.Errorf("dialogs after the call: %+v, want one that ended", st.Dialogs)
	}
	if st.Control.Received["BYE"]+st.Control.Received["response"] != 0 || st.Datapath.Steered < steeredPerCall {
		t.Errorf("kernel steered %d, control plane received %v", st.Datapath.Steered, st.Control.Received)
	}
}
