// SPDX-License-Identifier: Apache-2.0

package steer

import (
	"bytes"
	"encoding/binary"
)

// Tail returns the last eight bytes of a From or To value, where the tag stands, in the order of the text; fewer bytes
// are padded with zeros. It tells the parties of a call apart.
func Tail(value []byte) uint64 {
	var b [8]byte
	copy(b[:], value[max(0, len(value)-len(b)):])
	return binary.LittleEndian.Uint64(b[:])
}

// Leg is the bit that stands for the leg of a call that sent a response; 0 when its To has nothing to tell.
func (m *Message) Leg() uint32 {
	if m.To == 0 {
		return 0
	}
	return 1 << (m.To * 0x9e3779b97f4a7c15 >> 59)
}

// readParties notes what tells who sent the message, where that is asked for: Leg and hungUp.
func (m *Message) readParties(f *found, p []byte) {
	if f.seen.has(headerTo) && !(f.repeated | f.odd | f.folded).has(headerTo) {
		to := f.value[headerTo]
		m.setParties(p[:min(len(p), TextMax)], p[min(to.begin, to.end):to.end])
		return
	}
	m.setParties(p[:min(len(p), TextMax)], nil)
}

func (m *Message) setParties(text, to []byte) {
	bye := m.Request && m.Method == MethodBye
	if bye || !m.Request {
		m.To = Tail(to)
	}
	if bye || m.Makes() != MethodNone {
		m.From = fromTail(text)
	}
}

// fromTail returns the tail of the first From line; 0 when it is not plain.
func fromTail(text []byte) uint64 {
	for {
		_, rest, ok := bytes.Cut(text, []byte{'\n'})
		if !ok || len(rest) == 0 || rest[0] == '\r' || rest[0] == '\n' {
			return 0
		}
		if begin := fromValue(rest); begin > 0 {
			return valueTail(rest[begin:])
		}
		text = rest
	}
}

// fromValue returns where the value begins if the line is From; 0 when it is not, or has many blanks around its colon.
func fromValue(line []byte) int {
	if line[0]|0x20 != 'f' {
		return 0
	}
	n := 1
	if len(line) >= 4 && foldEqual(line[:4], "from") {
		n = 4
	}
	n += countBlanks(line[n:])
	if n >= len(line) || line[n] != ':' {
		return 0
	}
	return n + 1 + countBlanks(line[n+1:])
}

func valueTail(rest []byte) uint64 {
	lf := find(rest, 0, "\n")
	if lf < 0 || lf+1 >= len(rest) || isBlank(rest[lf+1]) { // too long, or folded
		return 0
	}
	return Tail(bytes.TrimSuffix(rest[:lf], []byte{'\r'}))
}
