// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
)

// Key is what a pin is found by: a keyed hash of 128 bits over the bytes of the Call-ID.
type Key [16]byte

// String returns the key in hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Slot returns the slot of a Maglev table of that size that the key falls in.
func (k Key) Slot(slots uint32) uint32 {
	return uint32(binary.LittleEndian.Uint64(k[:8]) % uint64(slots))
}

// Secret keys the hash, so that nobody outside can aim a collision at a call. The cluster has one, and from it each
// service.
type Secret [16]byte

// Service returns the secret of the service with that name: SipHash-2-4 of the name under the cluster's secret. Under
// it a Call-ID has a key of its own in each service, so that a call which passes two services of one balancer is two
// dialogs. The addresses of one service share it, and so do all balancers of the cluster.
func (s Secret) Service(name string) Secret { return Secret(sipHash(s, []byte(name), 2, 4)) }

// Key returns the key of a Call-ID: of one below HashShort bytes its short hash, else SipHash-1-3.
func (s Secret) Key(callID []byte) Key {
	if len(callID) < HashShort {
		return s.shortHash(callID)
	}
	return sipHash(s, callID, 1, 3)
}

// Halves returns the secret as the two little-endian words that the kernel program takes.
func (s Secret) Halves() (k0, k1 uint64) {
	return binary.LittleEndian.Uint64(s[:8]), binary.LittleEndian.Uint64(s[8:])
}

// SecretOf makes a secret from its halves.
func SecretOf(k0, k1 uint64) (s Secret) {
	binary.LittleEndian.PutUint64(s[:8], k0)
	binary.LittleEndian.PutUint64(s[8:], k1)
	return s
}

type sipState struct{ v0, v1, v2, v3 uint64 }

func (h *sipState) rounds(n int) {
	for range n {
		h.v0 += h.v1
		h.v2 += h.v3
		h.v1 = bits.RotateLeft64(h.v1, 13) ^ h.v0
		h.v3 = bits.RotateLeft64(h.v3, 16) ^ h.v2
		h.v0 = bits.RotateLeft64(h.v0, 32)
		h.v2 += h.v1
		h.v0 += h.v3
		h.v1 = bits.RotateLeft64(h.v1, 17) ^ h.v2
		h.v3 = bits.RotateLeft64(h.v3, 21) ^ h.v0
		h.v2 = bits.RotateLeft64(h.v2, 32)
	}
}

func (h *sipState) word(w uint64, rounds int) {
	h.v3 ^= w
	h.rounds(rounds)
	h.v0 ^= w
}

func (h *sipState) fold() uint64 { return h.v0 ^ h.v1 ^ h.v2 ^ h.v3 }

// sipHash is SipHash-c-d with 128 bits of output (Aumasson and Bernstein). The rounds are parameters so that the
// published vectors, which are for 2 and 4, can be held against it.
func sipHash(secret Secret, data []byte, c, d int) Key {
	k0, k1 := secret.Halves()
	h := sipState{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d ^ 0xee, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
	last := uint64(len(data)) << 56
	for ; len(data) >= 8; data = data[8:] {
		h.word(binary.LittleEndian.Uint64(data), c)
	}
	for i, b := range data {
		last |= uint64(b) << (8 * i)
	}
	h.word(last, c)

	var key Key
	h.v2 ^= 0xee
	h.rounds(d)
	binary.LittleEndian.PutUint64(key[:8], h.fold())
	h.v1 ^= 0xdd
	h.rounds(d)
	binary.LittleEndian.PutUint64(key[8:], h.fold())
	return key
}
