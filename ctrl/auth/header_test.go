// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/userspace/sip"
	"pgregory.net/rapid"
)

func TestParametersAreReadInAnyForm(t *testing.T) {
	tests := []struct{ name, value string }{
		{"quoted", `Digest username="alice", realm="r", uri="sip:a,b@c", nonce="n"`},
		{"bare", `Digest username=alice,realm=r,uri="sip:a,b@c",nonce=n`},
		{"upper case and blanks", "DIGEST\tUSERNAME = \"alice\" ,, Realm\t=\"r\",URI= \"sip:a,b@c\" , Nonce=n,"},
		{"folded", "Digest username=\"alice\",\r\n realm=\"r\",\r\n\turi=\"sip:a,b@c\", nonce=\"n\""},
		{"unknown parameters", `Digest opaque="a,b=\"c", username="alice", auth=x, realm="r", uri="sip:a,b@c", nonce="n"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := parseAnswer([]byte(tt.value))
			if err != nil {
				t.Fatal(err)
			}
			got := []string{string(a.username), string(a.realm), string(a.uri), string(a.nonce)}
			if want := "alice r sip:a,b@c n"; strings.Join(got, " ") != want {
				t.Errorf("read %q, want %q", got, want)
			}
		})
	}
}

func TestMalformedCredentials(t *testing.T) {
	v := newVerifier()
	whole := alice(SHA256)
	whole.nonce = nonceOf(t, v.Challenge(epoch, "example.com", home, "", false, false))
	good := whole.header()
	drop := func(param string) string {
		from := strings.Index(good, param+"=")
		end := strings.Index(good[from:]+",", ",")
		return good[:from] + "x=y" + good[from+end:]
	}
	tests := []struct{ name, value, want string }{
		{"whole", good, "ok"},
		{"empty", "", "missing"},
		{"scheme alone", "Digest", "missing"},
		{"other scheme", "Bearer abc", "missing"},
		{"scheme run on", `Digestrealm="example.com"`, "missing"},
		{"no realm", drop("realm"), "missing"},
		{"no username", drop("username"), "malformed"},
		{"no nonce", drop("nonce"), "malformed"},
		{"no uri", drop("uri"), "malformed"},
		{"no response", drop("response"), "malformed"},
		{"no nc", drop("nc"), "malformed"},
		{"no cnonce", drop("cnonce"), "malformed"},
		{"twice", good + `, realm="example.com"`, "malformed"},
		{"open quote", good + `, opaque="x`, "malformed"},
		{"escape at the end", good + `, opaque="x\`, "malformed"},
		{"name alone", good + `, opaque`, "malformed"},
		{"no value", good + `, opaque=`, "malformed"},
		{"no name", good + `, ="x"`, "malformed"},
		{"two values", good + `, opaque="x" "y"`, "malformed"},
		{"short response", strings.Replace(good, whole.response(), "abc", 1), "malformed"},
		{"response not hexadecimal", strings.Replace(good, whole.response(), strings.Repeat("g", 64), 1), "malformed"},
		{"userhash", good + `, userhash=true`, "malformed"},
		{"empty username", strings.Replace(good, `"alice"`, `""`, 1), "malformed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if r := verify(t, v, tt.value); outcome(r) != tt.want {
				t.Errorf("%s (%v), want %s", outcome(r), r.Malformed, tt.want)
			}
		})
	}
}

func TestResponseMayBeUpperCase(t *testing.T) {
	v := newVerifier()
	c := alice(SHA256)
	c.nonce = nonceOf(t, v.Challenge(epoch, "example.com", home, "", false, false))
	if r := verify(t, v, strings.Replace(c.header(), c.response(), strings.ToUpper(c.response()), 1)); !r.OK {
		t.Errorf("%s, want ok", outcome(r))
	}
}

// Whatever one byte of the signed values becomes, the answer is no longer right.
func TestAnyChangeBreaksTheAnswer(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := newVerifier(Algorithms()...)
		c := alice(rapid.SampledFrom(Algorithms()).Draw(rt, "algorithm"))
		if rapid.Bool().Draw(rt, "without qop") {
			c.qop = ""
		}
		c.cnonce = rapid.StringMatching(`[0-9a-z]{1,20}`).Draw(rt, "cnonce")
		c.nonce = nonceOf(t, v.Challenge(epoch, "example.com", home, "", false, false))
		value := c.header()

		param := rapid.SampledFrom([]string{c.username, c.nonce, c.response(), c.cnonce}).Draw(rt, "param")
		if c.qop == "" && param == c.cnonce {
			param = c.nonce
		}
		at := strings.Index(value, `"`+param+`"`) + 1 + rapid.IntRange(0, len(param)-1).Draw(rt, "at")
		to := rapid.ByteRange('0', 'z').Draw(rt, "to")
		changed := []byte(value)
		changed[at] = to
		if strings.EqualFold(string(changed), value) && param == c.response() {
			to = value[at] // the case of a hexadecimal digit says nothing
			changed[at] = to
		}
		r := verify(t, v, string(changed))
		if same := to == value[at]; r.OK != same {
			rt.Fatalf("byte %d became %q: %s", at, to, outcome(r))
		}
	})
}

func TestWindowNeverAcceptsACountTwice(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWindow(time.Minute, 4)
		now := epoch
		used := map[nonceID]map[uint32]bool{}
		var ids []nonceID
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 30_000).Draw(rt, "ms")) * time.Millisecond)
			if len(ids) == 0 || rapid.Bool().Draw(rt, "fresh") {
				id := nonceID{15: byte(len(ids))}
				ms := now.UnixMilli()
				for i := range 8 {
					id[i] = byte(ms >> (56 - 8*i))
				}
				ids = append(ids, id)
				used[id] = map[uint32]bool{}
			}
			id := rapid.SampledFrom(ids).Draw(rt, "nonce")
			if now.Sub(id.issued()) > w.life {
				continue // Verify refuses it before
			}
			nc := rapid.Uint32Range(1, 80).Draw(rt, "nc")
			if w.use(now, id, nc) {
				if used[id][nc] {
					rt.Fatalf("count %d accepted twice", nc)
				}
				used[id][nc] = true
			}
			if n := len(w.new.counts) + len(w.old.counts); n > 8 {
				rt.Fatalf("%d nonces kept, at most 8 wanted", n)
			}
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	f.Add([]byte(`Digest username="alice", realm="r", uri="sip:a,b@c", nonce=n, response="0"`))
	f.Add([]byte("digest a=\"\\\"\",\r\n b = c ,"))
	f.Fuzz(func(t *testing.T, value []byte) {
		a, err := parseAnswer(value)
		if err != nil {
			return
		}
		for _, v := range [][]byte{a.username, a.realm, a.nonce, a.uri, a.response, a.qop} {
			if len(v) > 0 && !bytes.Contains(value, v) {
				t.Fatalf("%q is not part of %q", v, value)
			}
		}
		m := &sip.Message{Method: []byte("REGISTER"), RequestURI: []byte("sip:example.com"),
			Headers: []sip.Header{{ID: sip.HAuthorization, Value: value}}}
		if r := newVerifier().Verify(epoch, m, sip.HAuthorization, "example.com", home); r.OK || r.Stale {
			t.Fatalf("%q was accepted: %s", value, outcome(r))
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range []Algorithm{SHA256, MD5} {
		b.Run(alg.String(), func(b *testing.B) {
			v := newVerifier()
			c := alice(alg)
			c.nonce = nonceOf(b, v.Challenge(epoch, "example.com", home, "", false, false))
			m := request(b, c.header())
			b.ReportAllocs()
			for b.Loop() {
				v.seen.new.counts = map[nonceID]*counts{}
				if r := v.Verify(epoch, m, sip.HAuthorization, "example.com", home); !r.OK {
					b.Fatal(outcome(r))
				}
			}
		})
	}
}

func BenchmarkChallenge(b *testing.B) {
	v := newVerifier()
	b.ReportAllocs()
	for b.Loop() {
		v.Challenge(epoch, "example.com", home, "", false, false)
	}
}
