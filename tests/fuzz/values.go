// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// dialogMessage makes up a message of a call, sound in every part.
func (m mutator) dialogMessage() string {
	method := m.pick("INVITE", "INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "INFO", "SUBSCRIBE", "PRACK", "UPDATE")
	start := fmt.Sprintf("%s sip:%s@%s SIP/2.0", method, m.word(1+m.IntN(12)), m.host())
	if m.IntN(2) == 0 {
		start = fmt.Sprintf("SIP/2.0 %d %s", 100+m.IntN(600), m.pick("OK", "Ringing", "Not Found", ""))
	}
	p := parsed{lines: []string{start}}
	headers := []string{
		fmt.Sprintf("%s: %s", m.pick("To", "t", "TO"), m.to()),
		fmt.Sprintf("%s: %s", m.pick("Call-ID", "i", "Call-Id", "CALL-ID"), m.callID()),
		fmt.Sprintf("CSeq: %d %s", m.Uint32()>>m.IntN(32), method),
		fmt.Sprintf("%s: %s <sip:%s@%s>;tag=%s", m.pick("From", "f"), m.word(4), m.word(6), m.host(), m.word(10)),
	}
	for range 1 + m.IntN(4) {
		headers = append(headers, fmt.Sprintf("%s: SIP/2.0/UDP %s:5060;branch=z9hG4bK%s", m.pick("Via", "v"), m.host(), m.word(m.IntN(60))))
	}
	for range m.IntN(6) {
		headers = append(headers, m.pick("Contact", "Allow", "Supported", "User-Agent", "Record-Route", "Content-Type")+": "+m.word(m.IntN(90)))
	}
	m.Shuffle(len(headers), func(i, j int) { headers[i], headers[j] = headers[j], headers[i] })
	p.lines = append(p.lines, headers...)
	if m.IntN(3) == 0 {
		p.body = "v=0\r\no=" + m.word(m.IntN(1200)) + "\r\n"
	}
	return p.String()
}

const wordChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~()<>:\\/[]?{}@"

// word makes up characters that a Call-ID may have (RFC 3261 section 25.1).
func (m mutator) word(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = wordChars[m.IntN(62+m.IntN(len(wordChars)-61))]
	}
	return string(b)
}

func (m mutator) host() string { return m.word(1+m.IntN(6)) + ".example.com" }

func (m mutator) callID() string {
	switch m.IntN(8) {
	case 0:
		return m.word(m.IntN(1100))
	case 1:
		return m.word(m.IntN(20)) + m.junk() + m.word(m.IntN(20))
	}
	return m.word(1+m.IntN(40)) + "@" + m.host()
}

func (m mutator) to() string {
	uri := "sip:" + m.word(1+m.IntN(10)) + "@" + m.host()
	if m.IntN(2) == 0 {
		return "<sip:b@h>" + m.pick("", ";tag=1", ";tag=a;x=y")
	}
	switch m.IntN(16) {
	case 0:
		uri = "sip:" + strings.Repeat("u", steer.FindMax-40+m.IntN(60))
	case 1:
		return uri + m.params()
	case 2:
		uri += ";tag=hidden"
	}
	name := m.pick("", "", "Bob ", `"Bob" `, `"Bob;tag=1 <x>" `, `"esc\"aped" `, `"open `, `Bob "b `, "\u4e16 ", ">", "<", `""`,
		`"`+strings.Repeat("n", steer.FindMax-20+m.IntN(40))+`" `, strings.Repeat("n", steer.FindMax-20+m.IntN(40)))
	return name + m.pick("<", "<", "<", "<", "") + uri + m.pick(">", ">", ">", ">", "", "<") + m.params()
}

func (m mutator) params() string {
	return m.pick("", ";tag="+m.word(8), ";tag="+m.word(8), ";TAG=1", ";tag=", ";tag", " ;tag=1", "; tag=1", ";tag =1", ";x=y;tag=1",
		";tag=1;x=y", `;x=";tag=1"`, ";", " ", ";tag=;", `;tag="1"`, "tag=1")
}

func (m mutator) cseq() string {
	return m.pick("1", "0", "4294967295", "4294967296", "0000000001", "00000000001", "99999999999", "", "-1", "x") +
		m.pick(" ", " ", " ", "\t", "", m.blanks()) + m.pick("INVITE", "INVITE", "BYE", "ACK", "CANCEL", "invite", "X", "", "INVITE ", "INVITE x")
}
