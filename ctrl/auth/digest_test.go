// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"encoding/hex"
	"testing"
)

// Values computed with "openssl dgst"; the Mufasa ones also stand in RFC 7616
// §3.9.1.
func TestDigestMatchesKnownAnswers(t *testing.T) {
	alice := answer{uri: []byte("sip:example.com"), nonce: []byte("N0nce"),
		nc: []byte("00000001"), cnonce: []byte("0a4f113b"), qop: []byte("auth")}
	old := alice
	old.qop = nil
	mufasa := answer{uri: []byte("/dir/index.html"), nonce: []byte("7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"),
		nc: []byte("00000001"), cnonce: []byte("f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"), qop: []byte("auth")}
	tests := []struct {
		name                  string
		alg                   Algorithm
		user, realm, password string
		method                string
		a                     answer
		want                  string
	}{
		{"RFC 7616 MD5", MD5, "Mufasa", "http-auth@example.org", "Circle of Life", "GET", mufasa,
			"8ca523f5e9506fed4657c9700eebdbec"},
		{"RFC 7616 SHA-256", SHA256, "Mufasa", "http-auth@example.org", "Circle of Life", "GET", mufasa,
			"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"},
		{"MD5", MD5, "alice", "example.com", "open sesame", "REGISTER", alice,
			"49ca96271df9541e01bf0c4a4e8385ed"},
		{"SHA-256", SHA256, "alice", "example.com", "open sesame", "REGISTER", alice,
			"6d8fc91b7809e9468deb2e8f171c35e6ee41893ff4abc56b4412bacbc21964cf"},
		{"SHA-512-256", SHA512256, "alice", "example.com", "open sesame", "REGISTER", alice,
			"c425ef81e3d97cfbd5f51f751879855ccd65377fff827e79801f8fc3f5016089"},
		{"MD5 without qop", MD5, "alice", "example.com", "open sesame", "REGISTER", old,
			"2aeef212b53f72b4f2b376e6ba39cd4d"},
		{"SHA-256 without qop", SHA256, "alice", "example.com", "open sesame", "REGISTER", old,
			"e9f9f6b8f2a442d143ca96be9d9ebbcbfdc466dfb919f4e1b24e31b98f4d0d1e"},
		{"SHA-512-256 without qop", SHA512256, "alice", "example.com", "open sesame", "REGISTER", old,
			"51edfb20d7eca81949fdd192aa0772cc7bdeb8c6db6085425f4ad553ca080d94"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ha1 := HA1(tt.alg, tt.user, tt.realm, tt.password)
			if got := hex.EncodeToString(tt.a.expect(tt.alg, ha1, []byte(tt.method))); got != tt.want {
				t.Errorf("digest %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAlgorithmNamesAreReadInAnyCase(t *testing.T) {
	for _, alg := range Algorithms() {
		if got, err := ParseAlgorithm(alg.String()); err != nil || got != alg {
			t.Errorf("ParseAlgorithm(%q) = %v, %v", alg, got, err)
		}
	}
	if got, err := ParseAlgorithm("sha-256"); err != nil || got != SHA256 {
		t.Errorf("sha-256 read as %v, %v", got, err)
	}
	for _, name := range []string{"", "MD5-sess", "SHA256", "none"} {
		if _, err := ParseAlgorithm(name); err == nil {
			t.Errorf("ParseAlgorithm(%q) succeeded", name)
		}
	}
}
