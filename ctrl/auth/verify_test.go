// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

func newVerifier(algs ...Algorithm) *Verifier {
	return New([]byte("a secret"), algs, 5*time.Minute, directory{})
}

// verify checks one Authorization value on a REGISTER from home at epoch.
func verify(t testing.TB, v *Verifier, values ...string) Result {
	t.Helper()
	return v.Verify(epoch, request(t, values...), sip.HAuthorization, "example.com", home)
}

func TestChallengeOffersEachAlgorithmInOrder(t *testing.T) {
	v := newVerifier(SHA512256, SHA256, MD5)
	lines := v.Challenge(epoch, "example.com", home, "", false, false)
	if len(lines) != 3 {
		t.Fatalf("%d lines, want 3", len(lines))
	}
	for i, alg := range []string{"SHA-512-256", "SHA-256", "MD5"} {
		if !strings.HasPrefix(lines[i], `WWW-Authenticate: Digest realm="example.com", nonce="`) ||
			!strings.HasSuffix(lines[i], `", algorithm=`+alg+`, qop="auth"`+"\r\n") {
			t.Errorf("line %d: %q", i, lines[i])
		}
	}
	stale := v.Challenge(epoch, `a "realm"`, home, "", true, true)[0]
	if !strings.HasPrefix(stale, `Proxy-Authenticate: Digest realm="a \"realm\"", `) ||
		!strings.Contains(stale, ", stale=true") {
		t.Errorf("stale proxy challenge: %q", stale)
	}
}

func TestAnswersToAChallenge(t *testing.T) {
	tests := []struct {
		name string
		edit func(*client)
		want string
	}{
		{"right", func(*client) {}, "ok"},
		{"user with domain", func(c *client) { c.username = "alice@example.com" }, "ok"},
		{"no qop", func(c *client) { c.qop = "" }, "ok"},
		{"no algorithm means MD5", func(c *client) { c.alg = "" }, "ok"},
		{"algorithm in lower case", func(c *client) { c.alg = "sha-256" }, "ok"},
		{"short nonce count", func(c *client) { c.nc = "1" }, "ok"},
		{"wrong password", func(c *client) { c.password = "open barley" }, "wrong"},
		{"unknown user", func(c *client) { c.username = "mallory" }, "wrong"},
		{"user of another domain", func(c *client) { c.username = "alice@example.org" }, "wrong"},
		{"other method", func(c *client) { c.method = "INVITE" }, "wrong"},
		{"other realm", func(c *client) { c.realm = "example.org" }, "missing"},
		{"algorithm not offered", func(c *client) { c.alg = "SHA-512-256" }, "missing"},
		{"session variant", func(c *client) { c.alg = "MD5-sess" }, "missing"},
		{"auth-int", func(c *client) { c.qop = "auth-int" }, "malformed"},
		{"nonce count 0", func(c *client) { c.nc = "00000000" }, "malformed"},
		{"nonce count too long", func(c *client) { c.nc = "000000001" }, "malformed"},
		{"nonce count not hexadecimal", func(c *client) { c.nc = "+1" }, "malformed"},
		{"uri of another domain", func(c *client) { c.uri = "sip:example.org" }, "ok"},
		{"nonce made up", func(c *client) { c.nonce = "bm9uY2U" }, "stale"},
		{"nonce made up, wrong password", func(c *client) { c.nonce, c.password = "x", "y" }, "wrong"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVerifier()
			c := alice(SHA256)
			c.nonce = nonceOf(t, v.Challenge(epoch, "example.com", home, "", false, false))
			tt.edit(&c)
			r := verify(t, v, c.header())
			if outcome(r) != tt.want {
				t.Fatalf("%s (%v), want %s", outcome(r), r.Malformed, tt.want)
			}
			if r.OK && r.User != "alice@example.com" {
				t.Errorf("user %q", r.User)
			}
		})
	}
}

func TestEveryOfferedAlgorithmIsAccepted(t *testing.T) {
	v := newVerifier(Algorithms()...)
	for _, alg := range Algorithms() {
		c := alice(alg)
		c.nonce = nonceOf(t, v.Challenge(epoch, "example.com", home, "", false, false))
		if r := verify(t, v, c.header()); !r.OK {
			t.Errorf("%v: %s", alg, outcome(r))
		}
	}
}

func TestRightPasswordWithUnusableNonceIsStale(t *testing.T) {
	minted := func(v *Verifier, realm string, source netip.Addr) string {
		return nonceOf(t, v.Challenge(epoch, realm, source, "", false, false))
	}
	v := newVerifier()
	other := New([]byte("another secret"), nil, 0, directory{})
	good := minted(v, "example.com", home)
	flipped := "A" + good[1:]
	if flipped == good {
		flipped = "B" + good[1:]
	}
	tests := []struct {
		name  string
		nonce string
		after time.Duration
		want  string
	}{
		{"in time", good, 5 * time.Minute, "ok"},
		{"too old", minted(v, "example.com", home), 5*time.Minute + time.Second, "stale"},
		{"for another client", minted(v, "example.com", netip.MustParseAddr("192.0.2.8")), 0, "stale"},
		{"for another realm", minted(v, "example.org", home), 0, "stale"},
		{"by another secret", minted(other, "example.com", home), 0, "stale"},
		{"changed", flipped, 0, "stale"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := alice(MD5)
			c.nonce = tt.nonce
			r := v.Verify(epoch.Add(tt.after), request(t, c.header()), sip.HAuthorization, "example.com", home)
			if outcome(r) != tt.want {
				t.Errorf("%s, want %s", outcome(r), tt.want)
			}
		})
	}
}

func TestMappedSourceIsTheSameClient(t *testing.T) {
	v := newVerifier()
	c := alice(MD5)
	c.nonce = nonceOf(t, v.Challenge(epoch, "example.com", netip.MustParseAddr("::ffff:192.0.2.7"), "", false, false))
	if r := verify(t, v, c.header()); !r.OK {
		t.Errorf("%s, want ok", outcome(r))
	}
}

func TestReplayIsStale(t *testing.T) {
	tests := []struct {
		name   string
		counts []string // "" is an answer without qop
		want   []string
	}{
		{"same count", []string{"1", "1"}, []string{"ok", "stale"}},
		{"rising counts", []string{"1", "2", "a"}, []string{"ok", "ok", "ok"}},
		{"out of order once", []string{"3", "1", "2", "1"}, []string{"ok", "ok", "ok", "stale"}},
		{"63 behind", []string{"40", "1"}, []string{"ok", "ok"}},
		{"64 behind", []string{"41", "1"}, []string{"ok", "stale"}},
		{"a great leap", []string{"1", "ffffffff", "ffffffff", "2"}, []string{"ok", "ok", "stale", "stale"}},
		{"without qop twice", []string{"", ""}, []string{"ok", "stale"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVerifier()
			c := alice(SHA256)
			c.nonce = nonceOf(t, v.Challenge(epoch, "example.com", home, "", false, false))
			for i, nc := range tt.counts {
				c.nc, c.qop = nc, "auth"
				if nc == "" {
					c.qop = ""
				}
				if r := verify(t, v, c.header()); outcome(r) != tt.want[i] {
					t.Fatalf("answer %d (nc %q): %s, want %s", i, nc, outcome(r), tt.want[i])
				}
			}
		})
	}
}

func TestWrongPasswordUsesUpNothing(t *testing.T) {
	v := newVerifier()
	c := alice(SHA256)
	c.nonce = nonceOf(t, v.Challenge(epoch, "example.com", home, "", false, false))
	c.password = "guess"
	verify(t, v, c.header())
	c.password = "open sesame"
	if r := verify(t, v, c.header()); !r.OK {
		t.Errorf("%s after somebody's guess, want ok", outcome(r))
	}
}

func TestDigestURIGoesInAsWritten(t *testing.T) {
	for _, uri := range []string{
		"sip:bob@example.com", "sip:192.0.2.10:5060", "sip:example.com", "sips:bob@example.com;user=phone",
		"tel:+551155501234", "bob",
	} {
		t.Run(uri, func(t *testing.T) {
			v := newVerifier()
			c := alice(MD5)
			c.method, c.uri = "INVITE", uri
			c.nonce = nonceOf(t, v.Challenge(epoch, "example.com", home, "", false, true))
			m := requestTo(t, "INVITE", "sip:bob@example.com", c.header())
			if r := v.Verify(epoch, m, sip.HAuthorization, "example.com", home); !r.OK {
				t.Fatalf("%s, want ok", outcome(r))
			}
			// Exactly these bytes were signed: any other uri in the header is wrong.
			forged := strings.Replace(c.header(), `uri="`+uri, `uri="x`+uri, 1)
			m = requestTo(t, "INVITE", "sip:bob@example.com", forged)
			if r := v.Verify(epoch, m, sip.HAuthorization, "example.com", home); !r.Wrong {
				t.Errorf("with another uri: %s, want wrong", outcome(r))
			}
		})
	}
}

func TestOldClientsAreOfferedMD5Alone(t *testing.T) {
	v := newVerifier(MD5, SHA256)
	for agent, want := range map[string]int{
		"baresip v1.0.0 (x86_64/linux)": 1, "baresip v0.6.0 (x)": 1, "BareSIP v1.1.0": 1,
		"baresip v2.0.0 (x)": 2, "baresip v10.0": 2, "baresip": 2, "Linphone/4.2": 2, "": 2,
	} {
		lines := v.Challenge(epoch, "example.com", home, agent, false, false)
		if len(lines) != want || !strings.Contains(lines[0], "algorithm=MD5") {
			t.Errorf("%q is offered %q, want %d challenges, MD5 first", agent, lines, want)
		}
	}
	strict := newVerifier(SHA256)
	if lines := strict.Challenge(epoch, "example.com", home, "baresip v1.0.0", false, false); len(lines) != 1 || !strings.Contains(lines[0], "SHA-256") {
		t.Errorf("without MD5 in the config it is offered: %q", lines)
	}
}

func TestCredentialsAreChosenByRealm(t *testing.T) {
	v := newVerifier()
	c := alice(SHA256)
	c.nonce = nonceOf(t, v.Challenge(epoch, "example.com", home, "", false, false))
	foreign := c
	foreign.realm, foreign.password = "example.org", "other"
	weak := c
	weak.alg = "MD5-sess"
	if r := verify(t, v, "Basic YWxpY2U6eA==", foreign.header(), weak.header(), c.header()); !r.OK {
		t.Errorf("%s, want ok", outcome(r))
	}
	if r := v.Verify(epoch, request(t, c.header()), sip.HProxyAuthorization, "example.com", home); outcome(r) != "missing" {
		t.Errorf("Authorization taken for Proxy-Authorization: %s", outcome(r))
	}
}

// Whoever knew the digest that stands in for an unknown user's must not get in
// with it.
func TestTheDecoyIsNobody(t *testing.T) {
	v := newVerifier()
	c := alice(SHA256)
	c.username = "mallory"
	c.nonce = nonceOf(t, v.Challenge(epoch, "example.com", home, "", false, false))
	a, err := parseAnswer([]byte(c.header()))
	if err != nil {
		t.Fatal(err)
	}
	forged := hex.EncodeToString(a.expect(SHA256, v.decoy[SHA256], []byte(c.method)))
	value := strings.Replace(c.header(), c.response(), forged, 1)
	if r := verify(t, v, value); outcome(r) != "wrong" {
		t.Errorf("%s, want wrong", outcome(r))
	}
}
