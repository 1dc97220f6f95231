// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"strings"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Text is a SIP message under construction: its lines, without line ends, then a body.
type Text struct {
	lines []string
	body  string
}

// Request returns an in-dialog request shaped like those of RFC 3665: two proxies on the way, Call-ID near byte 315.
func Request(method string) Text {
	return Text{lines: []string{
		method + " sip:alice@client.atlanta.example.com SIP/2.0",
		"Via: SIP/2.0/UDP ss1.example.com:5060;branch=z9hG4bK2d4790.1",
		"Via: SIP/2.0/UDP client.biloxi.example.com:5060;branch=z9hG4bKnashds7 ;received=192.0.2.201",
		"Max-Forwards: 69",
		"From: Bob <sip:bob@biloxi.example.com>;tag=314159",
		"To: Alice <sip:alice@atlanta.example.com>;tag=9fxced76sl",
		"Call-ID: " + CallID,
		"CSeq: 1 " + method,
		"Content-Length: 0",
	}}
}

// Response returns a response with that status line to an INVITE.
func Response(line string) Text {
	t := Request("INVITE")
	t.lines[0] = line
	return t
}

// Set replaces the value of a header, or adds it.
func (t Text) Set(name, value string) Text { return t.Line(name, name+": "+value) }

// Line replaces the line of a header, or adds it.
func (t Text) Line(name, line string) Text {
	lines := append([]string{}, t.lines...)
	for i, l := range lines {
		if strings.HasPrefix(l, name+":") {
			lines[i] = line
			return Text{lines, t.body}
		}
	}
	return Text{append(lines, line), t.body}
}

// Without leaves a header out.
func (t Text) Without(name string) Text {
	var lines []string
	for _, l := range t.lines {
		if !strings.HasPrefix(l, name+":") {
			lines = append(lines, l)
		}
	}
	return Text{lines, t.body}
}

// Body sets what follows the empty line.
func (t Text) Body(body string) Text { return Text{t.lines, body} }

// String returns the message as sent.
func (t Text) String() string { return strings.Join(t.lines, "\r\n") + "\r\n\r\n" + t.body }

// Message is a payload and what is wanted of it when its Call-ID is pinned to the local worker in a confirmed dialog.
type Message struct {
	Name     string
	Text     string
	Outcome  steer.Outcome
	CallID   string // "" = CallID
	Response bool
	Bye      bool
}

// Messages returns the table of messages.
func Messages() []Message {
	all := append(kindMessages(), callIDMessages()...)
	all = append(all, placeMessages()...)
	all = append(all, toMessages()...)
	all = append(all, cseqMessages()...)
	return append(all, shapeMessages()...)
}
