// SPDX-License-Identifier: Apache-2.0

// Package token signs the few values by which the parts of sipsteer recognise
// each other's work in SIP messages, so that none of them has to remember it:
// the dialog's cookie, the hand-over ticket, the allowed next hop, branches, and
// the control plane's own To tags. All are HMAC-SHA256 under the cluster's
// secret, cut to 96 bits and written in characters that fit a SIP token.
package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"hash"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

// CookieLife is how long a cookie proves its dialog: the longest call that can
// be taken up again after a loss of pins.
const CookieLife = 24 * time.Hour

// cookieSkew is how far ahead another node's clock may run.
const cookieSkew = 5 * time.Minute

const macSize = 12

// encoding is case-insensitive by design: SIP parameters may be folded on the way.
var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Signer makes and checks tokens. It is safe for concurrent use; make it with New.
type Signer struct{ states sync.Pool } // of *state

// state is a keyed MAC with its scratch: keying one anew costs more than a
// signature.
type state struct {
	mac hash.Hash
	len [4]byte
	sum []byte
}

// New derives a signer from the cluster's secret.
func New(secret []byte) *Signer {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("sipsteer tokens"))
	key := mac.Sum(nil)
	s := &Signer{}
	s.states.New = func() any {
		return &state{mac: hmac.New(sha256.New, key), sum: make([]byte, 0, sha256.Size)}
	}
	return s
}

// sign computes the MAC over a purpose and length-prefixed parts, so that no two
// lists of parts give the same input.
func (s *Signer) sign(purpose string, parts ...[]byte) []byte {
	st := s.states.Get().(*state)
	st.mac.Reset()
	st.sum = append(st.sum[:0], purpose...)
	st.mac.Write(st.sum)
	for _, p := range parts {
		binary.BigEndian.PutUint32(st.len[:], uint32(len(p)))
		st.mac.Write(st.len[:])
		st.mac.Write(p)
	}
	st.sum = st.mac.Sum(st.sum[:0])
	sum := append(make([]byte, 0, macSize), st.sum[:macSize]...)
	s.states.Put(st)
	return sum
}

// Cookie proves that the control plane let the dialog with this Call-ID in, and
// names the worker that has it. It travels in the worker's Record-Route.
func (s *Signer) Cookie(callID []byte, worker uint32, now time.Time) string {
	b := make([]byte, 8, 8+macSize)
	binary.BigEndian.PutUint32(b, worker)
	binary.BigEndian.PutUint32(b[4:], uint32(now.Unix()))
	return encoding.EncodeToString(append(b, s.sign("cookie", callID, b)...))
}

// VerifyCookie checks a cookie against a Call-ID and its age: whether the dialog
// may be taken up again after a loss of its pin.
func (s *Signer) VerifyCookie(cookie string, callID []byte, now time.Time) (worker uint32, ok bool) {
	worker, made, ok := s.readCookie(cookie, callID)
	age := now.Sub(made)
	return worker, ok && age <= CookieLife && age >= -cookieSkew
}

// OwnCookie tells whether the cookie was made for this Call-ID, however long ago:
// a dialog that stands may last.
func (s *Signer) OwnCookie(cookie string, callID []byte) bool {
	_, _, ok := s.readCookie(cookie, callID)
	return ok
}

func (s *Signer) readCookie(cookie string, callID []byte) (worker uint32, made time.Time, ok bool) {
	b, err := encoding.DecodeString(strings.ToLower(cookie))
	if err != nil || len(b) != 8+macSize || !hmac.Equal(b[8:], s.sign("cookie", callID, b[:8])) {
		return 0, made, false
	}
	return binary.BigEndian.Uint32(b), time.Unix(int64(binary.BigEndian.Uint32(b[4:])), 0), true
}

// Ticket proves that a request was handed over by the control plane, as it
// stands: with this cookie, branch, Request-URI and further targets (nil for
// none).
func (s *Signer) Ticket(cookie string, callID, branch, requestURI, more []byte) string {
	return encoding.EncodeToString(s.sign("ticket", []byte(cookie), callID, branch, requestURI, more))
}

// VerifyTicket checks what Ticket made.
func (s *Signer) VerifyTicket(ticket, cookie string, callID, branch, requestURI, more []byte) bool {
	return hmac.Equal([]byte(strings.ToLower(ticket)), []byte(s.Ticket(cookie, callID, branch, requestURI, more)))
}

// Target binds a side of a dialog to the one address to which its in-dialog
// requests may go, so that a party cannot use a worker as a relay to others.
func (s *Signer) Target(callID []byte, target netip.AddrPort) string {
	addr, _ := netip.AddrPortFrom(target.Addr().Unmap(), target.Port()).MarshalBinary()
	return encoding.EncodeToString(s.sign("target", callID, addr))
}

// VerifyTarget checks what Target made.
func (s *Signer) VerifyTarget(mac string, callID []byte, target netip.AddrPort) bool {
	return hmac.Equal([]byte(strings.ToLower(mac)), []byte(s.Target(callID, target)))
}

// Branch is a branch parameter that only this cluster can have made for the
// seed, and the same each time: a worker that starts afresh finds its own
// transactions by it (RFC 3261 §16.11).
func (s *Signer) Branch(worker uint32, seed ...[]byte) string {
	b := make([]byte, 4, 4+macSize)
	binary.BigEndian.PutUint32(b, worker)
	return sip.MagicCookie + encoding.EncodeToString(append(b, s.sign("branch", append(seed, b)...)...))
}

// VerifyBranch checks what Branch made and tells the worker.
func (s *Signer) VerifyBranch(branch string, seed ...[]byte) (worker uint32, ok bool) {
	if len(branch) < len(sip.MagicCookie) {
		return 0, false
	}
	b, err := encoding.DecodeString(strings.ToLower(branch[len(sip.MagicCookie):]))
	if err != nil || len(b) != 4+macSize || !hmac.Equal(b[4:], s.sign("branch", append(seed, b[:4])...)) {
		return 0, false
	}
	return binary.BigEndian.Uint32(b), true
}

// ToTag is the tag that the control plane puts into To in its own final answers,
// the same for each retransmission, so that it knows the ACK to them again.
func (s *Signer) ToTag(callID, fromTag []byte) string {
	return "ss" + encoding.EncodeToString(s.sign("totag", callID, fromTag))
}
