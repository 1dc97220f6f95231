// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"hash"
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/sipp"
)

func TestRegistration(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{})
	b.addUsers("alice", "bob")
	for _, c := range []struct{ name, user, password, scenario string }{
		{"right password", "bob", password, "register"},
		{"wrong password", "bob", "wrong", "register_refused"},
		{"unknown user", "nobody", password, "register_refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.in(t)
			s.passed(s.sipp(s.ub, vip4, sipp.Run{Scenario: c.scenario, User: c.user, Password: c.password}), 1)
			if got := b.status().Registrations; got != 1 {
				t.Errorf("%d registrations, want 1", got)
			}
		})
	}
	t.Run("expires 0 removes it", func(t *testing.T) {
		s := s.in(t)
		s.passed(s.sipp(s.ub, vip4, sipp.Run{Scenario: "register", User: "bob", Keys: map[string]string{"expires": "0"}}), 1)
		if got := b.status().Registrations; got != 0 {
			t.Errorf("%d registrations, want none", got)
		}
	})
}

const registerText = `REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/UDP $LOCAL;branch=z9hG4bK$ID%d;rport
Max-Forwards: 70
From: <sip:%s@example.com>;tag=1
To: <sip:%s@example.com>
Call-ID: $ID
CSeq: %d REGISTER
Contact: <sip:%s@$LOCAL>
%sContent-Length: 0

`

// registerOnce sends one REGISTER with the given extra header lines and returns the answer.
func (w *wire) registerOnce(id, user string, cseq int, extra string) message {
	w.Helper()
	w.send(fmt.Sprintf(registerText, cseq, user, user, cseq, user, extra), id)
	return w.final()
}

// digest answers a challenge for a request. The result is a header line.
func digest(challenge, user, pass, method, uri string) string {
	hashes := map[string]func() hash.Hash{"MD5": md5.New, "SHA-256": sha256.New}
	algorithm := param(challenge, "algorithm")
	h := func(parts ...string) string {
		sum := hashes[algorithm]()
		sum.Write([]byte(strings.Join(parts, ":")))
		return fmt.Sprintf("%x", sum.Sum(nil))
	}
	realm, nonce := param(challenge, "realm"), param(challenge, "nonce")
	response := h(h(user, realm, pass), nonce, "00000001", "abc", "auth", h(method, uri))
	header := "Authorization"
	if method != "REGISTER" {
		header = "Proxy-Authorization"
	}
	return fmt.Sprintf(header+": Digest username=%q, realm=%q, nonce=%q, uri=%q, response=%q, algorithm=%s, "+
		"qop=auth, nc=00000001, cnonce=\"abc\", opaque=%q\n", user, realm, nonce, uri, response, algorithm, param(challenge, "opaque"))
}

func TestBothAlgorithmsAreOfferedAndAccepted(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{Algorithms: "SHA-256, MD5"})
	b.addUsers("alice")
	w := s.wire(s.ua, 5060, vip4)
	for i, algorithm := range []string{"SHA-256", "MD5"} {
		id := newID()
		refused := w.registerOnce(id, "alice", 1, "")
		offers := refused.headers("WWW-Authenticate")
		if refused.status() != 401 || len(offers) != 2 || param(offers[i], "algorithm") != algorithm {
			t.Fatalf("want 401 with SHA-256, then MD5:\n%s", refused)
		}
		answer := digest(offers[i], "alice", password, "REGISTER", "sip:"+domain)
		if got := w.registerOnce(id, "alice", 2, answer); got.status() != 200 || len(got.headers("Contact")) != 1 {
			t.Errorf("%s: want 200 with one contact:\n%s", algorithm, got)
		}
		if got := w.registerOnce(id, "alice", 3, answer); got.status() != 401 {
			t.Errorf("%s: the same answer a second time: want 401:\n%s", algorithm, got)
		}
	}
}

func TestARefusalDoesNotTellWhoExists(t *testing.T) {
	s := newSite(t)
	b := s.balance(daemon.Settings{})
	b.addUsers("alice")
	w := s.wire(s.ua, 5060, vip4)
	shape := func(user string) string {
		id := newID()
		challenge := w.registerOnce(id, user, 1, "").header("WWW-Authenticate")
		m := w.registerOnce(id, user, 2, digest(challenge, user, "wrong", "REGISTER", "sip:"+domain))
		if m.status() != 401 {
			t.Errorf("%s with a wrong password: want 401:\n%s", user, m)
		}
		// What differs from answer to answer in any case is taken out.
		var lines []string
		for _, line := range strings.Split(string(m), "\r\n") {
			name, value, _ := strings.Cut(line, ":")
			switch {
			case name == "WWW-Authenticate":
				value = strings.Replace(value, param(value, "nonce"), "N", 1)
			case name == "To" || name == "From" || name == "Via" || name == "Call-ID" || name == "Date":
				value = ""
			}
			lines = append(lines, name+":"+value)
		}
		return strings.Join(lines, "\n")
	}
	if known, unknown := shape("alice"), shape("nobody"); known != unknown {
		t.Errorf("answers differ.\nknown user:\n%s\nunknown user:\n%s", known, unknown)
	}
}
