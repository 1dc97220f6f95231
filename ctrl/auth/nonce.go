// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"time"
)

// nonceID tells one nonce from all others: time of issue in milliseconds and
// eight random bytes.
type nonceID [16]byte

const (
	nonceMAC   = 16 // bytes of HMAC-SHA256 that a nonce carries
	nonceBytes = len(nonceID{}) + nonceMAC
)

var nonceText = base64.RawURLEncoding.Strict()

// issued is when the nonce was made.
func (id nonceID) issued() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8])))
}

// newNonce makes a nonce that proves by itself when, for which realm and for
// which client address it was made, so that nothing need be kept.
func (v *Verifier) newNonce(now time.Time, realm string, source netip.Addr) string {
	var raw [nonceBytes]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(now.UnixMilli()))
	rand.Read(raw[8:16]) // never fails (crypto/rand)
	id := nonceID(raw[:])
	v.nonceMAC(raw[:len(id)], id, realm, source)
	return nonceText.EncodeToString(raw[:])
}

// readNonce tells whether the nonce is one that this cluster made for this realm
// and client, and which. The age is not judged here.
func (v *Verifier) readNonce(nonce []byte, realm string, source netip.Addr) (id nonceID, ours bool) {
	var raw, want [nonceBytes]byte
	if len(nonce) != nonceText.EncodedLen(nonceBytes) {
		return id, false
	}
	if _, err := nonceText.Decode(raw[:], nonce); err != nil {
		return id, false
	}
	id = nonceID(raw[:])
	v.nonceMAC(want[:len(id)], id, realm, source)
	return id, hmac.Equal(want[len(id):], raw[len(id):])
}

// nonceMAC appends the seal to dst, which has room for it.
func (v *Verifier) nonceMAC(dst []byte, id nonceID, realm string, source netip.Addr) {
	mac := hmac.New(sha256.New, v.secret)
	mac.Write([]byte("sipsteer nonce 1\x00"))
	mac.Write(id[:])
	addr := source.Unmap().As16()
	mac.Write(addr[:])
	mac.Write([]byte(realm))
	var sum [sha256.Size]byte
	_ = append(dst, mac.Sum(sum[:0])[:nonceMAC]...)
}
