// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"encoding/binary"
	"encoding/hex"
	"math/bits"
	"testing"
)

// The first of the published vectors of SipHash-2-4 with 128 bits of output: key 00..0f, input 00, 00 01, ...
func TestSipHashMeetsThePublishedVectors(t *testing.T) {
	var secret Secret
	for i := range secret {
		secret[i] = byte(i)
	}
	var data []byte
	for n, want := range []string{
		"a3817f04ba25a8e66df67214c7550293",
		"da87c1d86b99af44347659119b22fc45",
		"8177228da4a45dc7fca38bdef60affe4",
	} {
		if got := sipHash(secret, data, 2, 4); hex.EncodeToString(got[:]) != want {
			t.Errorf("hash of %d bytes is %v, want %s", n, got, want)
		}
		data = append(data, byte(n))
	}
}

// plainSipHash is the specification step by step: pad, split, compress, finish.
func plainSipHash(key, data []byte, c, d int) (out Key) {
	word := func(b []byte) (w uint64) {
		for i := range 8 {
			w |= uint64(b[i]) << (8 * i)
		}
		return w
	}
	v := [4]uint64{0x736f6d6570736575, 0x646f72616e646f6d, 0x6c7967656e657261, 0x7465646279746573}
	for i := range v {
		v[i] ^= word(key[i%2*8:])
	}
	v[1] ^= 0xee
	round := func() {
		v[0] += v[1]
		v[1] = bits.RotateLeft64(v[1], 13)
		v[1] ^= v[0]
		v[0] = bits.RotateLeft64(v[0], 32)
		v[2] += v[3]
		v[3] = bits.RotateLeft64(v[3], 16)
		v[3] ^= v[2]
		v[0] += v[3]
		v[3] = bits.RotateLeft64(v[3], 21)
		v[3] ^= v[0]
		v[2] += v[1]
		v[1] = bits.RotateLeft64(v[1], 17)
		v[1] ^= v[2]
		v[2] = bits.RotateLeft64(v[2], 32)
	}
	padded := append([]byte{}, data...)
	for len(padded)%8 != 7 {
		padded = append(padded, 0)
	}
	padded = append(padded, byte(len(data)))
	for ; len(padded) > 0; padded = padded[8:] {
		m := word(padded)
		v[3] ^= m
		for range c {
			round()
		}
		v[0] ^= m
	}
	for half, flip := range []struct {
		word *uint64
		with uint64
	}{{&v[2], 0xee}, {&v[1], 0xdd}} {
		*flip.word ^= flip.with
		for range d {
			round()
		}
		w := v[0] ^ v[1] ^ v[2] ^ v[3]
		for i := range 8 {
			out[half*8+i] = byte(w >> (8 * i))
		}
	}
	return out
}

func TestKeyOfLongCallIDsIsSipHash13(t *testing.T) {
	secret := Secret{7, 1, 2, 3, 4, 5, 6, 0xff, 8, 9, 10, 0x80, 12, 13, 14, 15}
	var data []byte
	for n := range 1200 {
		if got, want := secret.Key(data), plainSipHash(secret[:], data, 1, 3); n >= HashShort && got != want {
			t.Fatalf("key of %d bytes is %v, want %v", n, got, want)
		}
		data = append(data, byte(n*37+11))
	}
}

// plainShortHash is the definition: each lane a sum over the words, its keys two further on than those of the lane
// before, the result its upper half.
func plainShortHash(keys [HashKeys]uint64, data []byte) (key Key) {
	padded := append([]byte{}, data...)
	for len(padded)%8 != 7 {
		padded = append(padded, 0)
	}
	padded = append(padded, byte(len(data)))
	words := len(padded) / 8
	for lane := range 4 {
		sum := keys[2*words+6+lane]
		for i := range words {
			low := uint64(binary.LittleEndian.Uint32(padded[8*i:]))
			high := uint64(binary.LittleEndian.Uint32(padded[8*i+4:]))
			sum += (keys[2*(i+lane)] + low) * (keys[2*(i+lane)+1] + high)
		}
		binary.LittleEndian.PutUint32(key[4*lane:], uint32(sum>>32))
	}
	return key
}

func TestKeyOfShortCallIDsIsTheLaneHash(t *testing.T) {
	secret := Secret{7, 1, 2, 3, 4, 5, 6, 0xff, 8, 9, 10, 0x80, 12, 13, 14, 15}
	seen := map[Key]int{}
	var data []byte
	for n := range HashShort {
		got := secret.Key(data)
		if want := plainShortHash(secret.HashKeys(), data); got != want {
			t.Fatalf("key of %d bytes is %v, want %v", n, got, want)
		}
		if other, ok := seen[got]; ok {
			t.Fatalf("%d and %d bytes have one key", n, other)
		}
		seen[got] = n
		data = append(data, 0)
	}
}

func TestEachServiceHasASecretOfItsOwn(t *testing.T) {
	cluster := Secret{7, 1, 2, 3}
	once, again := cluster.Service("edge"), cluster.Service("edge")
	if once != again {
		t.Fatal("the secret of a service is not always the same")
	}
	if cluster.Service("edge") == cluster.Service("core") || cluster.Service("edge") == (Secret{8}).Service("edge") {
		t.Fatal("two services, or one of two clusters, share a secret")
	}
}
