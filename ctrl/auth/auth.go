// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"time"
)

// Credentials finds what is stored of a password.
type Credentials interface {
	// HA1 is the digest of username:realm:password in lower-case hexadecimal
	// digits (see HA1), for the user name exactly as the client gave it:
	// "alice" or "alice@example.com". It must not wait for a disk.
	HA1(username, realm string, alg Algorithm) (string, bool)
}

// Verifier challenges clients and checks their answers. It is safe for
// concurrent use.
type Verifier struct {
	secret []byte
	algs   []Algorithm
	life   time.Duration
	creds  Credentials
	decoy  [algorithmsEnd]string // HA1 of the user that is not there
	seen   *window
}

// New makes a Verifier. All nodes that share the secret accept each other's
// nonces. algs are offered in this order; none given means MD5, SHA-256.
// nonceLife is how long a challenge can be answered; 0 means five minutes.
func New(secret []byte, algs []Algorithm, nonceLife time.Duration, creds Credentials) *Verifier {
	if len(algs) == 0 {
		algs = []Algorithm{MD5, SHA256}
	}
	if nonceLife <= 0 {
		nonceLife = 5 * time.Minute
	}
	v := &Verifier{
		secret: slices.Clone(secret),
		algs:   slices.Clone(algs),
		life:   nonceLife,
		creds:  creds,
		seen:   newWindow(nonceLife, maxNonces/2),
	}
	for a := MD5; a < algorithmsEnd; a++ {
		mac := hmac.New(sha256.New, v.secret)
		mac.Write([]byte("sipsteer decoy 1\x00" + a.String()))
		v.decoy[a] = hex.EncodeToString(mac.Sum(nil)[:a.Size()])
	}
	return v
}

// Challenge writes the header lines of a 401 (WWW-Authenticate) or, with proxy,
// of a 407 (Proxy-Authenticate): one whole line with CRLF for each algorithm, in
// the order of the config (RFC 8760 §2.3), as far as the client is known to bear
// them by its User-Agent. stale tells the client that its password was right and
// only the nonce is to be renewed.
func (v *Verifier) Challenge(now time.Time, realm string, source netip.Addr, userAgent string, stale, proxy bool) []string {
	name := "WWW-Authenticate"
	if proxy {
		name = "Proxy-Authenticate"
	}
	tail := `, qop="auth"` + "\r\n"
	if stale {
		tail = `, stale=true` + tail
	}
	head := name + ": Digest realm=" + quote(realm) + `, nonce="` + v.newNonce(now, realm, source) + `", algorithm=`
	algs := v.bearable(userAgent)
	lines := make([]string, len(algs))
	for i, alg := range algs {
		lines[i] = head + alg.String() + tail
	}
	return lines
}
