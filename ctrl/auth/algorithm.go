// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"
)

// Algorithm is a digest algorithm of RFC 7616 §6.1. The session variants
// ("-sess") are not offered.
type Algorithm uint8

// The algorithms that RFC 8760 §2.1 names for SIP.
const (
	MD5       Algorithm = iota + 1 // RFC 1321: for phones that know nothing else
	SHA256                         // FIPS 180-4
	SHA512256                      // FIPS 180-4, SHA-512 cut to 256 bits
	algorithmsEnd
)

var algorithmNames = [algorithmsEnd]string{MD5: "MD5", SHA256: "SHA-256", SHA512256: "SHA-512-256"}

// Algorithms are all known ones, the strongest first.
func Algorithms() []Algorithm { return []Algorithm{SHA512256, SHA256, MD5} }

// String is the name on the wire: "MD5", "SHA-256" or "SHA-512-256".
func (a Algorithm) String() string {
	if a == 0 || a >= algorithmsEnd {
		return fmt.Sprintf("algorithm %d", uint8(a))
	}
	return algorithmNames[a]
}

// ParseAlgorithm reads a name in any case.
func ParseAlgorithm(name string) (Algorithm, error) {
	for a := MD5; a < algorithmsEnd; a++ {
		if strings.EqualFold(name, algorithmNames[a]) {
			return a, nil
		}
	}
	return 0, fmt.Errorf("reading a digest algorithm: %q is none of SHA-512-256, SHA-256, MD5", name)
}

// Size is the length of a digest in bytes: 16 or 32.
func (a Algorithm) Size() int {
	if a == MD5 {
		return md5.Size
	}
	return sha256.Size
}

// sum appends the digest of data to dst.
func (a Algorithm) sum(dst, data []byte) []byte {
	switch a {
	case SHA256:
		d := sha256.Sum256(data)
		return append(dst, d[:]...)
	case SHA512256:
		d := sha512.Sum512_256(data)
		return append(dst, d[:]...)
	default:
		d := md5.Sum(data)
		return append(dst, d[:]...)
	}
}

// appendHex appends the digest of data to dst in lower-case hexadecimal digits.
func (a Algorithm) appendHex(dst, data []byte) []byte {
	var raw [sha256.Size]byte
	return hex.AppendEncode(dst, a.sum(raw[:0], data))
}

// HA1 is the digest of user:realm:password in lower-case hexadecimal digits, all
// that need be stored of a password (RFC 7616 §3.4.2).
func HA1(alg Algorithm, user, realm, password string) string {
	return string(alg.appendHex(nil, []byte(user+":"+realm+":"+password)))
}
