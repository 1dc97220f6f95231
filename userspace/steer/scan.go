// SPDX-License-Identifier: Apache-2.0

package steer

import "bytes"

// Limits of the scan; the same in bpf/include. What exceeds them goes up and is judged by Judge, which has none.
const (
	TextMax      = 4096 // bytes of the payload that are looked at
	MaxLines     = 128
	MaxBlanks    = 8 // on each side of a colon, and before the CSeq method
	FindMax      = 256
	MinMessage   = 16
	MaxKeepalive = 4
	CSeqDigits   = 10
)

// header is one of the headers that steering reads.
type header uint8

const (
	headerOther header = iota
	headerCallID
	headerTo
	headerCSeq
	headers
)

// headerSet holds one bit a header.
type headerSet uint8

func (s headerSet) has(h header) bool { return s&(1<<h) != 0 }
func (s *headerSet) add(h header)     { *s |= 1 << h }

// found is what the walk through the header leaves.
type found struct {
	seen, repeated, folded, odd headerSet
	value                       [headers]span
}

// span is a part of the payload, by offsets.
type span struct{ begin, end int }

// Scan judges a UDP payload exactly as the kernel program does, with the same limits, and without allocating. What it
// leaves unjudged is named in Message.Unjudged; see Judge.
func Scan(payload []byte) Message {
	var m Message
	if m.Unjudged = readStartLine(&m, payload); m.Unjudged != Undecided {
		return m
	}
	var f found
	if m.Unjudged = scanHeader(&f, payload); m.Unjudged == Undecided {
		m.Unjudged = judgeHeader(&m, &f, payload)
		m.readParties(&f, payload)
	}
	return m
}

// readStartLine sets kind, method and status; Undecided when the rest is worth a scan.
func readStartLine(m *Message, p []byte) Outcome {
	switch {
	case isKeepalive(p):
		return DropKeepalive
	case len(p) < MinMessage:
		return DropNotSIP
	case p[0] == '\r' || p[0] == '\n':
		return PassLeadingCRLF
	case !isToken(p[0]):
		return DropNotSIP
	}
	if m.Status = statusOf(p); m.Status != 0 {
		return Undecided
	}
	m.Request, m.Method = true, MethodOther
	if p[3] == ' ' {
		m.Method = methodNamed(p[:3])
	} else if p[6] == ' ' {
		m.Method = methodNamed(p[:6])
	}
	m.Subscribes = bytes.HasPrefix(p, []byte("SUBSCRIBE ")) || bytes.HasPrefix(p, []byte("REFER "))
	return Undecided
}

func isKeepalive(p []byte) bool {
	if len(p) > MaxKeepalive {
		return false
	}
	for _, c := range p {
		if c != '\r' && c != '\n' && c != ' ' && c != 0 {
			return false
		}
	}
	return true
}

// statusOf returns the code of a status line (RFC 3261 section 7.2), 100 to 699, or 0. p has MinMessage bytes.
func statusOf(p []byte) uint16 {
	if !foldEqual(p[:8], "sip/2.0 ") || p[8] < '1' || p[8] > '6' || !isDigit(p[9]) || !isDigit(p[10]) {
		return 0
	}
	if p[11] != ' ' && p[11] != '\r' {
		return 0
	}
	return uint16(p[8]-'0')*100 + uint16(p[9]-'0')*10 + uint16(p[10]-'0')
}

func methodNamed(name []byte) Method {
	switch string(name) {
	case "INVITE":
		return MethodInvite
	case "ACK":
		return MethodAck
	case "CANCEL":
		return MethodCancel
	case "BYE":
		return MethodBye
	}
	return MethodOther
}

// scanHeader walks to the empty line; Undecided when it is there.
func scanHeader(f *found, payload []byte) Outcome {
	text := payload[:min(len(payload), TextMax)]
	noEnd := PassNoHeaderEnd
	if len(payload) > TextMax {
		noEnd = PassTooLong
	}
	line := headerOther
	for off, lines := 0, 1; ; lines++ {
		n := bytes.IndexByte(text[off:], '\n')
		if n < 0 {
			return noEnd
		}
		lf := off + n
		switch {
		case text[lf-1] != '\r':
			return PassBareLF
		case lf+2 >= len(text):
			return noEnd
		case text[lf+1] == '\r' && text[lf+2] == '\n':
			f.value[line].end = lf - 1
			return Undecided
		case lines >= MaxLines:
			return PassTooLong
		}
		f.value[line].end = lf - 1
		off = lf + 1
		if isBlank(text[off]) {
			f.folded.add(line)
		} else {
			line = f.beginLine(text, off)
		}
	}
}

// beginLine notes the header that the line at off holds and where its value begins.
func (f *found) beginLine(text []byte, off int) header {
	h, name := headerNamed(text[off:])
	if h == headerOther {
		return headerOther
	}
	at := off + name
	blanks := countBlanks(text[at:])
	at += blanks
	if blanks <= MaxBlanks && (at >= len(text) || text[at] != ':') {
		return headerOther
	}
	at = min(at+1, len(text))
	skip := countBlanks(text[at:])
	if blanks > MaxBlanks || skip > MaxBlanks {
		f.odd.add(h)
	}
	if f.seen.has(h) {
		f.repeated.add(h)
	}
	f.seen.add(h)
	f.value[h].begin = at + skip
	return h
}

// headerNamed returns the header whose name the line begins with, and the length of the name.
func headerNamed(line []byte) (header, int) {
	switch line[0] | 0x20 {
	case 'c':
		if len(line) >= 7 && foldEqual(line[:7], "call-id") {
			return headerCallID, 7
		}
		if len(line) >= 4 && foldEqual(line[:4], "cseq") {
			return headerCSeq, 4
		}
	case 'i':
		return headerCallID, 1
	case 't':
		if len(line) >= 2 && line[1]|0x20 == 'o' {
			return headerTo, 2
		}
		return headerTo, 1
	}
	return headerOther, 0
}

// countBlanks counts leading blanks, up to one more than are allowed.
func countBlanks(p []byte) int {
	for i := 0; i <= MaxBlanks; i++ {
		if i >= len(p) || !isBlank(p[i]) {
			return i
		}
	}
	return MaxBlanks + 1
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
func isDigit(c byte) bool { return c-'0' <= 9 }

// isToken reports whether a token may hold c (RFC 3261 section 25.1).
func isToken(c byte) bool {
	set := uint64(0x47ffffff87fffffe)
	if c < 64 {
		set = 0x03ff6ca200000000
	}
	return c < 128 && set>>(c&63)&1 != 0
}

// foldEqual compares p with low, which is in lower case, ignoring the case of ASCII letters alone.
func foldEqual(p []byte, low string) bool {
	if len(p) != len(low) {
		return false
	}
	for i := range p {
		c := p[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != low[i] {
			return false
		}
	}
	return true
}
