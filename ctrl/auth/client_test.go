// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

var (
	epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	home  = netip.MustParseAddr("192.0.2.7")
)

// directory is a Credentials with one user: alice, "open sesame", example.com.
type directory struct{}

func (directory) HA1(username, realm string, alg Algorithm) (string, bool) {
	if realm != "example.com" || username != "alice" && username != "alice@example.com" {
		return "", false
	}
	return HA1(alg, username, realm, "open sesame"), true
}

// client is a user agent's side of digest, written apart from the package's own
// so that the two check each other.
type client struct {
	username, password, realm, nonce string
	method, uri                      string
	alg, qop, nc, cnonce             string
}

func alice(alg Algorithm) client {
	return client{username: "alice", password: "open sesame", realm: "example.com",
		method: "REGISTER", uri: "sip:example.com", alg: alg.String(),
		qop: "auth", nc: "00000001", cnonce: "c0ffee"}
}

func (c client) hash(s string) string {
	switch strings.ToUpper(c.alg) {
	case "SHA-256":
		return fmt.Sprintf("%x", sha256.Sum256([]byte(s)))
	case "SHA-512-256":
		return fmt.Sprintf("%x", sha512.Sum512_256([]byte(s)))
	default:
		return fmt.Sprintf("%x", md5.Sum([]byte(s)))
	}
}

func (c client) response() string {
	parts := []string{c.hash(c.username + ":" + c.realm + ":" + c.password), c.nonce}
	if c.qop != "" {
		parts = append(parts, c.nc, c.cnonce, c.qop)
	}
	return c.hash(strings.Join(append(parts, c.hash(c.method+":"+c.uri)), ":"))
}

// header is the value of the Authorization header field.
func (c client) header() string {
	s := fmt.Sprintf(`Digest username="%s", realm="%s", nonce="%s", uri="%s", response="%s"`,
		c.username, c.realm, c.nonce, c.uri, c.response())
	if c.alg != "" {
		s += ", algorithm=" + c.alg
	}
	if c.qop != "" {
		s += fmt.Sprintf(`, qop=%s, nc=%s, cnonce="%s"`, c.qop, c.nc, c.cnonce)
	}
	return s
}

// request is a REGISTER for example.com with these Authorization values.
func request(t testing.TB, values ...string) *sip.Message {
	return requestTo(t, "REGISTER", "sip:example.com", values...)
}

func requestTo(t testing.TB, method, uri string, values ...string) *sip.Message {
	t.Helper()
	text := method + " " + uri + " SIP/2.0\r\n"
	for _, v := range values {
		text += "Authorization: " + v + "\r\n"
	}
	m := new(sip.Message)
	if err := sip.Parse([]byte(text+"\r\n"), m); err != nil {
		t.Fatalf("parsing the test's own request: %v", err)
	}
	return m
}

// nonceOf takes the nonce out of the first line of a challenge.
func nonceOf(t testing.TB, lines []string) string {
	t.Helper()
	_, rest, ok := strings.Cut(lines[0], `nonce="`)
	nonce, _, closed := strings.Cut(rest, `"`)
	if !ok || !closed || nonce == "" {
		t.Fatalf("challenge without a nonce: %q", lines[0])
	}
	return nonce
}

// outcome is a Result in a word.
func outcome(r Result) string {
	set := []string{}
	for _, w := range []struct {
		word string
		is   bool
	}{{"ok", r.OK}, {"stale", r.Stale}, {"wrong", r.Wrong}, {"malformed", r.Malformed != nil}} {
		if w.is {
			set = append(set, w.word)
		}
	}
	if len(set) == 0 {
		return "missing"
	}
	return strings.Join(set, "+")
}
