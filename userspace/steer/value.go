// SPDX-License-Identifier: Apache-2.0

package steer

import "bytes"

// judgeHeader checks the headers that this kind of message needs, in a fixed order so that each flaw has one name.
func judgeHeader(m *Message, f *found, p []byte) Outcome {
	var needed headerSet
	needed.add(headerCallID)
	if m.needsTo() {
		needed.add(headerTo)
	}
	if m.needsCSeq() {
		needed.add(headerCSeq)
	}
	switch {
	case !f.seen.has(headerCallID):
		return PassNoCallID
	case f.repeated.has(headerCallID):
		return PassRepeatedCallID
	case f.folded&needed != 0:
		return PassFolded
	case f.odd.has(headerCallID):
		return PassOddCallID
	}
	id := f.value[headerCallID]
	if !isWord(p[id.begin:id.end]) {
		return PassOddCallID
	}
	m.CallID = p[id.begin:id.end:id.end]
	if m.needsTo() {
		o := judgeTo(m, f, p)
		if o == Undecided && m.Makes() != MethodNone && !f.folded.has(headerCSeq) {
			judgeCSeq(m, f, p) // only a pin holds it: one that cannot be read is no matter
			m.CSeqMethod = MethodNone
		}
		return o
	}
	if m.needsCSeq() {
		return judgeCSeq(m, f, p)
	}
	return Undecided
}

// isWord reports whether a Call-ID is neither empty nor holds blanks or control bytes.
func isWord(v []byte) bool {
	for _, c := range v {
		if c <= ' ' {
			return false
		}
	}
	return len(v) > 0
}

func judgeTo(m *Message, f *found, p []byte) Outcome {
	if !f.seen.has(headerTo) || f.repeated.has(headerTo) || f.odd.has(headerTo) {
		return PassOddTo
	}
	to := f.value[headerTo]
	tag := toTag(p[to.begin:to.end])
	m.HasToTag = tag == tagPresent
	if tag == tagOdd {
		return PassOddTo
	}
	return Undecided
}

func judgeCSeq(m *Message, f *found, p []byte) Outcome {
	if !f.seen.has(headerCSeq) || f.repeated.has(headerCSeq) || f.odd.has(headerCSeq) {
		return PassOddCSeq
	}
	c := f.value[headerCSeq]
	if !readCSeq(m, p[c.begin:c.end]) {
		return PassOddCSeq
	}
	return Undecided
}

// readCSeq reads number and method (RFC 3261 section 20.16); false when the value is not exactly these.
func readCSeq(m *Message, v []byte) bool {
	var number uint64
	n := 0
	for ; n < CSeqDigits && n < len(v) && isDigit(v[n]); n++ {
		number = number*10 + uint64(v[n]-'0')
	}
	blanks := countBlanks(v[n:])
	if n == 0 || number > 0xffffffff || blanks == 0 || blanks > MaxBlanks || n+blanks >= len(v) {
		return false
	}
	if v[len(v)-1] <= ' ' {
		return false
	}
	m.CSeq, m.CSeqMethod = uint32(number), methodNamed(v[n+blanks:])
	return true
}

type tag uint8

const (
	tagNone tag = iota
	tagPresent
	tagOdd // takes a full parse
)

// toTag looks for the tag parameter in a To value in its everyday forms (RFC 3261 section 20.39).
func toTag(v []byte) tag {
	if len(v) == 0 {
		return tagOdd
	}
	from := 0
	if v[0] == '"' {
		if from = skipQuoted(v); from < 0 {
			return tagOdd
		}
	}
	open := find(v, from, "<>")
	if open < 0 || bytes.IndexByte(v[from:open], '"') >= 0 {
		return tagOdd
	}
	if open == len(v) { // no angle brackets: what follows a semicolon belongs to the header
		semicolon := find(v, 0, ";")
		if from != 0 || semicolon < 0 {
			return tagOdd
		}
		return tagBehind(v[semicolon:])
	}
	end := find(v, open+1, "<>")
	if end < 0 || end == len(v) || v[open] != '<' || v[end] != '>' {
		return tagOdd
	}
	return tagBehind(v[end+1:])
}

// skipQuoted returns the offset behind the quoted string that v begins with; -1 when it has escapes or no near end.
func skipQuoted(v []byte) int {
	end := find(v, 1, `"`)
	if end < 0 || end == len(v) || bytes.IndexByte(v[1:end], '\\') >= 0 {
		return -1
	}
	return end + 1
}

// find returns the offset of the first byte at or behind from that is one of set; len(v) when there is none, -1 when
// there is none within FindMax bytes and v goes on.
func find(v []byte, from int, set string) int {
	end := min(len(v), from+FindMax)
	for i := from; i < end; i++ {
		if v[i] == set[0] || v[i] == set[len(set)-1] {
			return i
		}
	}
	if end < len(v) {
		return -1
	}
	return len(v)
}

// tagBehind says whether a tag follows the address at once.
func tagBehind(rest []byte) tag {
	switch {
	case len(rest) == 0:
		return tagNone
	case len(rest) < 6 || !foldEqual(rest[:5], ";tag=") || !isToken(rest[5]):
		return tagOdd
	}
	return tagPresent
}
