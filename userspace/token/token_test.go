// SPDX-License-Identifier: Apache-2.0

package token

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

var (
	now    = time.Unix(1_800_000_000, 0)
	callID = []byte("a84b4c76e66710@pc33.example.com")
)

func TestCookie(t *testing.T) {
	s := New([]byte("secret"))
	cookie := s.Cookie(callID, 7, now)
	if w, ok := s.VerifyCookie(strings.ToUpper(cookie), callID, now.Add(CookieLife)); !ok || w != 7 {
		t.Fatalf("own cookie: worker %d, %v", w, ok)
	}
	flipped := "b" + cookie[1:]
	if flipped == cookie {
		flipped = "c" + cookie[1:]
	}
	for name, bad := range map[string]func() bool{
		"other call":    func() bool { _, ok := s.VerifyCookie(cookie, []byte("other"), now); return ok },
		"too old":       func() bool { _, ok := s.VerifyCookie(cookie, callID, now.Add(CookieLife+time.Second)); return ok },
		"from tomorrow": func() bool { _, ok := s.VerifyCookie(cookie, callID, now.Add(-time.Hour)); return ok },
		"other secret":  func() bool { _, ok := New([]byte("other")).VerifyCookie(cookie, callID, now); return ok },
		"other worker":  func() bool { _, ok := s.VerifyCookie(flipped, callID, now); return ok },
		"cut":           func() bool { _, ok := s.VerifyCookie(cookie[:10], callID, now); return ok },
		"empty":         func() bool { _, ok := s.VerifyCookie("", callID, now); return ok },
	} {
		if bad() {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestTicketCoversTheRequest(t *testing.T) {
	s := New([]byte("secret"))
	cookie := s.Cookie(callID, 7, now)
	ticket := s.Ticket(cookie, callID, []byte("z9hG4bKa"), []byte("sip:bob@192.0.2.4"), nil)
	if !s.VerifyTicket(ticket, cookie, callID, []byte("z9hG4bKa"), []byte("sip:bob@192.0.2.4"), nil) {
		t.Fatal("own ticket refused")
	}
	if s.VerifyTicket(ticket, cookie, callID, []byte("z9hG4bKb"), []byte("sip:bob@192.0.2.4"), nil) ||
		s.VerifyTicket(ticket, cookie, callID, []byte("z9hG4bKa"), []byte("sip:eve@192.0.2.4"), nil) ||
		s.VerifyTicket(ticket, cookie, []byte("x"), []byte("z9hG4bKa"), []byte("sip:bob@192.0.2.4"), nil) ||
		s.VerifyTicket(ticket, cookie, callID, []byte("z9hG4bKa"), []byte("sip:bob@192.0.2.4"), []byte("<sip:eve@192.0.2.5>\n")) ||
		s.VerifyTicket("", cookie, callID, []byte("z9hG4bKa"), []byte("sip:bob@192.0.2.4"), nil) {
		t.Fatal("ticket accepted for another request")
	}
	// Parts must not be able to flow into one another.
	if s.Ticket("ab", []byte("c"), nil, nil, nil) == s.Ticket("a", []byte("bc"), nil, nil, nil) {
		t.Fatal("parts are not told apart")
	}
}

func TestBranchNamesWorkerAndSeed(t *testing.T) {
	s := New([]byte("secret"))
	branch := s.Branch(9, []byte("one"), []byte("two"))
	if branch != s.Branch(9, []byte("one"), []byte("two")) {
		t.Fatal("branch of the same seed differs")
	}
	if w, ok := s.VerifyBranch(branch, []byte("one"), []byte("two")); !ok || w != 9 {
		t.Fatalf("own branch: worker %d, %v", w, ok)
	}
	for _, bad := range []string{"", "z9hG4bK", "z9hG4bKabc", strings.Replace(branch, branch[7:9], "zz", 1)} {
		if _, ok := s.VerifyBranch(bad, []byte("one"), []byte("two")); ok {
			t.Errorf("branch %q accepted", bad)
		}
	}
}

func TestTargetIsOneAddress(t *testing.T) {
	s := New([]byte("secret"))
	a := netip.MustParseAddrPort("192.0.2.4:5060")
	mac := s.Target(callID, a)
	if !s.VerifyTarget(mac, callID, netip.MustParseAddrPort("[::ffff:192.0.2.4]:5060")) {
		t.Fatal("the same address in mapped form refused")
	}
	if s.VerifyTarget(mac, callID, netip.MustParseAddrPort("192.0.2.4:5061")) || s.VerifyTarget(mac, []byte("x"), a) {
		t.Fatal("another target accepted")
	}
}

func TestToTagIsStableAndSigned(t *testing.T) {
	s := New([]byte("secret"))
	tag := s.ToTag(callID, []byte("1"))
	if again := New([]byte("secret")).ToTag(callID, []byte("1")); again != tag {
		t.Fatal("another node gives another tag")
	}
	if s.ToTag(callID, []byte("2")) == tag || s.ToTag([]byte("x"), []byte("1")) == tag {
		t.Fatal("To tag does not follow Call-ID and From tag")
	}
}
