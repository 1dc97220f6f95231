// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// mutator changes messages at random, most often so that they stay nearly right.
type mutator struct {
	*rand.Rand
	seeds []string
}

func (m mutator) pick(from ...string) string { return from[m.IntN(len(from))] }

// change changes a message once.
func (m mutator) change(s string) string {
	if m.IntN(3) == 0 {
		s = m.changeBytes(s)
	} else {
		s = m.changeLines(s)
	}
	return s[:min(len(s), maxPayload)]
}

// parsed is a message cut where a parser would: lines without their ends, and the body.
type parsed struct {
	lines []string
	body  string
}

func cut(s string) parsed {
	header, body, _ := strings.Cut(s, "\r\n\r\n")
	return parsed{strings.Split(header, "\r\n"), body}
}

func (p parsed) String() string { return strings.Join(p.lines, "\r\n") + "\r\n\r\n" + p.body }

func (p *parsed) insert(at int, line string) { p.lines = slices.Insert(p.lines, at, line) }

// changeLines changes one header line, or the order of lines.
func (m mutator) changeLines(s string) string {
	p := cut(s)
	at := m.line(p)
	switch m.IntN(16) {
	case 0:
		other := m.line(p)
		p.lines[at], p.lines[other] = p.lines[other], p.lines[at]
	case 1:
		p.insert(m.IntN(len(p.lines)+1), p.lines[at])
	case 2:
		p.lines = slices.Delete(p.lines, at, at+1)
	case 3:
		fold := m.IntN(len(p.lines[at]) + 1)
		p.lines[at] = p.lines[at][:fold] + m.pick("\r\n ", "\r\n\t", "\r\n  \t ", "\r\n \r\n ") + p.lines[at][fold:]
	case 4:
		p.lines[at] = m.flipCase(p.lines[at])
	case 5:
		p.lines[at] = m.respace(p.lines[at])
	case 6:
		p.lines[at] = m.otherName(p.lines[at])
	case 7:
		p.insert(m.IntN(len(p.lines)+1), m.lookAlike())
	case 8:
		p.body += m.pick("Call-ID: fake\r\n", "i: fake\r\n\r\n", "\r\n\r\nTo: <sip:x@y>;tag=1\r\n", "v=0\r\n")
	case 9:
		p.insert(m.IntN(len(p.lines)+1), "X-Filler: "+strings.Repeat("f", m.length()))
	case 10:
		p.moveTo(at, m.offset())
	case 11:
		for range m.IntN(steer.MaxLines + 8) {
			p.lines = append(p.lines, "X: y")
		}
	case 12, 13:
		m.replace(&p, "To", m.to())
	case 14:
		m.replace(&p, "CSeq", m.cseq())
	case 15:
		m.replace(&p, "Call-ID", m.callID())
	}
	return p.String()
}

// line chooses a line, mostly one of those that matter.
func (m mutator) line(p parsed) int {
	at := m.IntN(len(p.lines))
	for range m.IntN(8) {
		if l := p.lines[at]; l != "" && strings.Contains("cCiItT", l[:1]) {
			break
		}
		at = m.IntN(len(p.lines))
	}
	return at
}

// moveTo pads the line before so that line at begins near that offset of the message.
func (p *parsed) moveTo(at, offset int) {
	before := 0
	for _, l := range p.lines[:at] {
		before += len(l) + 2
	}
	if at > 0 && offset > before+len("X: \r\n") {
		p.insert(at, "X: "+strings.Repeat("p", offset-before-len("X: \r\n")))
	}
}

// offset is one near the borders of words, hops and the scan itself.
func (m mutator) offset() int {
	border := []int{64 * m.IntN(steer.TextMax/64+1), 8 * m.IntN(steer.TextMax/8), steer.TextMax - m.IntN(400), 1024, 1500}
	return max(0, border[m.IntN(len(border))]+m.IntN(21)-10)
}

func (m mutator) length() int {
	if m.IntN(4) == 0 {
		return m.IntN(5000)
	}
	return m.IntN(150)
}

func (m mutator) flipCase(s string) string {
	b := []byte(s)
	for range 1 + m.IntN(6) {
		if i := m.IntN(min(len(b), 12) + 1); i < len(b) {
			b[i] ^= 0x20
		}
	}
	return string(b)
}

// respace changes the blanks around the colon.
func (m mutator) respace(line string) string {
	name, value, _ := strings.Cut(line, ":")
	return strings.TrimRight(name, " \t") + m.blanks() + m.pick(":", ":", ":", "", "::") + m.blanks() + strings.TrimLeft(value, " \t") +
		m.pick("", "", m.blanks())
}

func (m mutator) blanks() string {
	b := make([]byte, m.IntN(steer.MaxBlanks+3))
	for i := range b {
		b[i] = m.pick(" ", "\t")[0]
	}
	return string(b)
}

func (m mutator) otherName(line string) string {
	_, value, _ := strings.Cut(line, ":")
	return m.pick("i", "I", "Call-ID", "call-id", "CALL-ID", "t", "T", "To", "to", "tO", "CSeq", "cseq", "Call-I", "Call-IDs", "Call ID",
		"Topic", "Timestamp", "In-Reply-To", "ii", "\x09", "Contact", "Reply-To", "CSeqs", "c", "") + ":" + value
}

func (m mutator) lookAlike() string {
	return m.pick("Subject: Call-ID: fake", "Subject: i: fake\rCall-ID: fake", `Contact: "Call-ID: fake" <sip:a@b;i=1>`,
		`X: "`+"\\\r\n"+`Call-ID: fake"`, "X-Call-ID: fake", "In-Reply-To: fake@example.com", "Call-Info: <http://x>", "Content-ID: <i>",
		"Call-ID", "i", "i ", "t\t", "To;tag=1", "Call-ID fake", "X\x00: y", "\x00", "X: \xff\xfe\x80\n", "Replaces: fake;to-tag=1")
}

func (m mutator) replace(p *parsed, name, value string) {
	for i, l := range p.lines {
		if have, _, _ := strings.Cut(l, ":"); strings.EqualFold(strings.TrimSpace(have), name) {
			p.lines[i] = name + ": " + value
			return
		}
	}
	p.insert(min(1, len(p.lines)), name+": "+value)
}

// changeBytes changes bytes wherever they stand.
func (m mutator) changeBytes(s string) string {
	if s == "" {
		return m.junk()
	}
	at := m.IntN(len(s))
	switch m.IntN(9) {
	case 0:
		return s[:at]
	case 1:
		return s[at:]
	case 2, 3:
		return s[:at] + m.junk() + s[at:]
	case 4:
		return s[:at] + m.junk() + s[min(len(s), at+1+m.IntN(4)):]
	case 5:
		b := []byte(s)
		b[at] ^= 1 << m.IntN(8)
		return string(b)
	case 6:
		return strings.Replace(s, "\r\n", "\n", 1+m.IntN(3)*20)
	case 7:
		other := m.seeds[m.IntN(len(m.seeds))]
		return s[:at] + other[m.IntN(len(other)+1):]
	}
	return m.pick("\r\n", "\r\n\r\n", "\n", " ", "\x00") + s
}

func (m mutator) junk() string {
	return m.pick("\r", "\n", "\r\n", "\r\n\r\n", "\r\n ", "\x00", "<", ">", `"`, `\`, `\"`, ";", ":", ",", " ", "\t", "\x0b", "\x0c",
		"\x7f", "\x80", "\xff", "\u00e9", "\u212a", "\u017f", "tag=", ";tag=x", "Call-ID:", "\r\ni:", "\r\nt:", "\r\nCSeq:", "SIP/2.0 ",
		string(rune('!'+m.IntN(94))))
}
