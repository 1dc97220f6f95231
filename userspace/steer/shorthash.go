// SPDX-License-Identifier: Apache-2.0

package steer

import "encoding/binary"

// The hash of Call-IDs below HashShort bytes, as bpf/include/hash.h has it and says why.
const (
	HashShort = 128 // bytes
	hashLanes = 4
	hashPairs = HashShort/8 + hashLanes - 1 + hashLanes/2
	HashKeys  = 2 * hashPairs // how many words key it
)

// hashPair returns two of the words that key the hash: SipHash-2-4 of their place under a secret of their own.
func (s Secret) hashPair(i int) (low, high uint64) {
	return Secret(sipHash(s, []byte{byte(i)}, 2, 4)).Halves()
}

func (s Secret) hashSecret() Secret { return s.Service("short Call-IDs") }

// HashKeys returns all words that key the hash of short Call-IDs, for the kernel program.
func (s Secret) HashKeys() (k [HashKeys]uint64) {
	s = s.hashSecret()
	for i := range hashPairs {
		k[2*i], k[2*i+1] = s.hashPair(i)
	}
	return k
}

func (s Secret) shortHash(data []byte) (key Key) {
	s = s.hashSecret()
	words := len(data)/8 + 1
	var padded [HashShort]byte
	copy(padded[:], data)
	padded[8*words-1] = byte(len(data))

	// The pair of place i meets word i in the first lane, word i-1 in the second, and so on.
	var sum [hashLanes]uint64
	for i := range words + hashLanes - 1 {
		low, high := s.hashPair(i)
		for lane := max(0, i-words+1); lane <= min(i, hashLanes-1); lane++ {
			w := binary.LittleEndian.Uint64(padded[8*(i-lane):])
			sum[lane] += (low + w&0xffffffff) * (high + w>>32)
		}
	}
	for lane := 0; lane < hashLanes; lane += 2 {
		low, high := s.hashPair(words + hashLanes - 1 + lane/2)
		binary.LittleEndian.PutUint32(key[4*lane:], uint32((sum[lane]+low)>>32))
		binary.LittleEndian.PutUint32(key[4*lane+4:], uint32((sum[lane+1]+high)>>32))
	}
	return key
}
