// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

// Result is what Verify found. At most one of OK, Stale, Wrong and Malformed is
// set; none of them means that there are no credentials for the realm. Unless OK,
// the request is to be answered with Challenge(…, Stale, …), or 400 when
// Malformed.
type Result struct {
	OK        bool
	User      string // the address of record user@realm; only when OK
	Stale     bool   // the password is right, but the nonce is old, foreign or used up
	Wrong     bool   // no such user or wrong password: not told apart
	Malformed error  // fit for a reason phrase; nothing was checked

	// Proven says, when Wrong or Malformed, that the nonce is one of ours, young
	// enough, and was sent to this very source: the sender receives what is sent
	// there, and has not merely written another's address on the packet.
	Proven bool
}

// Faults of credentials that are answered 400 (RFC 7616 §3.4).
var (
	errIncomplete = errors.New("credentials without username, nonce, uri or response")
	errQop        = errors.New("qop was not offered")
	errCount      = errors.New("qop without a valid cnonce and nc")
	errResponse   = errors.New("response is not a digest of this algorithm")
	errUserhash   = errors.New("userhash was not offered")
)

// Verify checks the credentials for realm in the header fields Authorization or
// Proxy-Authorization of a request from source. Credentials for other realms or
// schemes, or by an algorithm that was not offered, are passed over. When Stale
// or OK is set, the password was right.
func (v *Verifier) Verify(now time.Time, m *sip.Message, header sip.HeaderID, realm string, source netip.Addr) Result {
	a, alg, err := v.find(m, header, realm)
	switch {
	case err != nil:
		return Result{Malformed: err}
	case alg == 0:
		return Result{}
	}
	id, ours := v.readNonce(a.nonce, realm, source)
	young := ours && now.Sub(id.issued()) <= v.life
	nc, err := a.check()
	if err != nil {
		return Result{Malformed: err, Proven: young}
	}
	got, ok := decodeResponse(a.response, alg)
	if !ok {
		return Result{Malformed: errResponse, Proven: young}
	}

	username := string(unquote(a.username))
	ha1, known := v.creds.HA1(username, realm, alg)
	if !known {
		ha1 = v.decoy[alg]
	}
	// All of this is done for an unknown user too, so that time tells nothing.
	want := a.expect(alg, ha1, m.Method)
	right := subtle.ConstantTimeCompare(want, got) == 1
	switch {
	case !right || !known:
		return Result{Wrong: true, Proven: young}
	case !young || !v.seen.use(now, id, nc):
		return Result{Stale: true}
	}
	user, _, _ := strings.Cut(username, "@")
	return Result{OK: true, User: user + "@" + realm}
}

// find picks the credentials for realm with an offered algorithm; alg is 0 when
// there are none. One field carries one set of credentials (RFC 3261 §7.3.1).
func (v *Verifier) find(m *sip.Message, header sip.HeaderID, realm string) (a answer, alg Algorithm, err error) {
	for i := range m.Headers {
		if m.Headers[i].ID != header {
			continue
		}
		a, err = parseAnswer(m.Headers[i].Value)
		if err == errNotDigest {
			continue
		}
		if err != nil {
			return a, 0, err
		}
		if a.realm == nil || string(unquote(a.realm)) != realm {
			continue
		}
		if alg := v.offered(a.algorithm); alg != 0 {
			return a, alg, nil
		}
	}
	return answer{}, 0, nil
}

// offered is the algorithm named, or 0. None named means MD5 (RFC 7616 §3.4).
func (v *Verifier) offered(name []byte) Algorithm {
	for _, alg := range v.algs {
		if name == nil && alg == MD5 || name != nil && sip.EqualFold(name, alg.String()) {
			return alg
		}
	}
	return 0
}

// check judges everything but the digest itself and returns the nonce count,
// which is 0 without qop.
func (a *answer) check() (nc uint32, err error) {
	if len(a.username) == 0 || a.nonce == nil || a.uri == nil || a.response == nil {
		return 0, errIncomplete
	}
	if a.userhash != nil && !sip.EqualFold(a.userhash, "false") {
		return 0, errUserhash
	}
	if a.qop != nil {
		if !sip.EqualFold(a.qop, "auth") {
			return 0, errQop
		}
		n, err := strconv.ParseUint(string(a.nc), 16, 32)
		if err != nil || n == 0 || len(a.nc) > 8 || a.cnonce == nil {
			return 0, errCount
		}
		nc = uint32(n)
	}
	return nc, nil
}

// decodeResponse reads the client's digest, in either case of digits.
func decodeResponse(b []byte, alg Algorithm) (raw []byte, ok bool) {
	raw = make([]byte, alg.Size())
	if len(b) != hex.EncodedLen(len(raw)) {
		return nil, false
	}
	_, err := hex.Decode(raw, b)
	return raw, err == nil
}

// expect is the digest that the holder of the password would have sent
// (RFC 7616 §3.4.1; without qop RFC 2617 §3.2.2.1). The values go in as they were
// written.
func (a *answer) expect(alg Algorithm, ha1 string, method []byte) []byte {
	text := make([]byte, 0, 256)
	text = append(append(append(text, method...), ':'), a.uri...)
	var ha2 [64]byte
	second := alg.appendHex(ha2[:0], text)

	text = append(append(text[:0], ha1...), ':')
	text = append(append(text, a.nonce...), ':')
	if a.qop != nil {
		text = append(append(text, a.nc...), ':')
		text = append(append(text, a.cnonce...), ':')
		text = append(append(text, a.qop...), ':')
	}
	return alg.sum(nil, append(text, second...))
}
