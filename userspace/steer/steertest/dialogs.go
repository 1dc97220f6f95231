// SPDX-License-Identifier: Apache-2.0

package steertest

import "github.com/sipsteer/sipsteer/userspace/steer"

// dialogCase is a message and what it does to its pin; nil for nothing but the counts.
type dialogCase struct {
	name          string
	text          string
	before, after func(*steer.Pin)
}

func ended(p *steer.Pin) { p.State, p.EndNS = steer.StateEnded, Now }

// dialogCases are about what a steered message does to its pin.
func dialogCases() []Case {
	response := func(line, cseq string) string { return Response(line).Set("CSeq", cseq).String() }
	rings := (&steer.Message{To: steer.Tail([]byte("xced76sl"))}).Leg() // the tag of the fixture's To
	return pinned(append(hangupCases(), []dialogCase{
		{"100 changes nothing", response("SIP/2.0 100 Trying", "2 INVITE"), nil, nil},
		{"180 rings", response("SIP/2.0 180 Ringing", "2 INVITE"), nil, func(p *steer.Pin) { p.RingNS, p.Ringing = Now, rings }},
		{"183 rings", response("SIP/2.0 183 Session Progress", "2 INVITE"), nil, func(p *steer.Pin) { p.RingNS, p.Ringing = Now, rings }},
		{"a second 180 keeps the first time", response("SIP/2.0 180 Ringing", "2 INVITE"), func(p *steer.Pin) { p.RingNS = 700 }, func(p *steer.Pin) { p.Ringing = rings }},
		{"170 is no ringing to the phone", response("SIP/2.0 170 Whatever", "2 INVITE"), nil, func(p *steer.Pin) { p.Ringing = rings }},
		{"a response with a folded To tells no leg", Response("SIP/2.0 180 Ringing").Set("CSeq", "2 INVITE").Set("To", "<sip:b@x>\r\n ;tag=1").String(), nil, func(p *steer.Pin) { p.RingNS = Now }},
		{"199 ends the leg", response("SIP/2.0 199 Early Dialog Terminated", "2 INVITE"), func(p *steer.Pin) { p.Ringing = ^uint32(0) }, func(p *steer.Pin) { p.Ringing = ^rings }},
		{"486 ends the leg", response("SIP/2.0 486 Busy Here", "2 INVITE"), func(p *steer.Pin) { p.Ringing = ^uint32(0) }, func(p *steer.Pin) {
			p.Ringing, p.FinalCode = ^rings, 486
		}},
		{"180 to another INVITE", response("SIP/2.0 180 Ringing", "3 INVITE"), nil, nil},
		{"200 confirms", response("SIP/2.0 200 OK", "2 INVITE"), nil, func(p *steer.Pin) {
			p.State, p.AnswerNS, p.FinalCode = steer.StateConfirmed, Now, 200
		}},
		{"a second 200 changes nothing", response("SIP/2.0 200 OK", "2 INVITE"), func(p *steer.Pin) { p.State, p.FinalCode = steer.StateConfirmed, 202 }, nil},
		{"200 to a CANCEL", response("SIP/2.0 200 OK", "2 CANCEL"), nil, nil},
		{"200 to a PRACK", response("SIP/2.0 200 OK", "3 PRACK"), nil, nil},
		{"486 leaves the dialog early", response("SIP/2.0 486 Busy Here", "2 INVITE"), nil, func(p *steer.Pin) { p.FinalCode = 486 }},
		{"302", response("SIP/2.0 302 Moved Temporarily", "2 INVITE"), nil, func(p *steer.Pin) { p.FinalCode = 302 }},
		{"603", response("SIP/2.0 603 Decline", "2 INVITE"), nil, func(p *steer.Pin) { p.FinalCode = 603 }},
		{"486 after the answer", response("SIP/2.0 486 Busy Here", "2 INVITE"), func(p *steer.Pin) { p.State, p.FinalCode = steer.StateConfirmed, 200 }, nil},
		{"ACK to a failure ends", Request("ACK").Set("CSeq", "2 ACK").String(), nil, ended},
		{"ACK to an answer", Request("ACK").Set("CSeq", "2 ACK").String(), func(p *steer.Pin) { p.State = steer.StateConfirmed }, nil},
		{"ACK with another number", Request("ACK").Set("CSeq", "3 ACK").String(), nil, nil},
		{"BYE ends", Request("BYE").String(), func(p *steer.Pin) { p.State = steer.StateConfirmed }, ended},
		{"BYE ends an early dialog", Request("BYE").String(), nil, ended},
		{"BYE after the end", Request("BYE").String(), func(p *steer.Pin) { p.State, p.EndNS = steer.StateEnded, 700 }, nil},
		{"200 after the end", response("SIP/2.0 200 OK", "2 INVITE"), func(p *steer.Pin) { p.State = steer.StateEnded }, nil},
		{"CANCEL", Request("CANCEL").String(), nil, func(p *steer.Pin) { p.Cancelled = true }},
		{"CANCEL after the answer", Request("CANCEL").String(), func(p *steer.Pin) { p.State = steer.StateConfirmed }, nil},
		{"INFO changes nothing", Request("INFO").String(), nil, nil},
		{"200 to SUBSCRIBE confirms", response("SIP/2.0 200 OK", "2 SUBSCRIBE"), func(p *steer.Pin) { p.Method = steer.MethodSubscribe }, func(p *steer.Pin) {
			p.State, p.AnswerNS, p.FinalCode = steer.StateConfirmed, Now, 200
		}},
		{"489 to SUBSCRIBE ends", response("SIP/2.0 489 Bad Event", "2 SUBSCRIBE"), func(p *steer.Pin) { p.Method = steer.MethodSubscribe }, func(p *steer.Pin) {
			ended(p)
			p.FinalCode = 489
		}},
		{"180 to SUBSCRIBE", response("SIP/2.0 180 Ringing", "2 SUBSCRIBE"), func(p *steer.Pin) { p.Method = steer.MethodSubscribe }, nil},
		{"BYE does not end a subscription", Request("BYE").String(), func(p *steer.Pin) { p.Method = steer.MethodSubscribe }, nil},
		{"200 to MESSAGE ends", response("SIP/2.0 200 OK", "2 MESSAGE"), func(p *steer.Pin) { p.Method = steer.MethodOther }, func(p *steer.Pin) {
			ended(p)
			p.FinalCode = 200
		}},
		{"100 to MESSAGE", response("SIP/2.0 100 Trying", "2 MESSAGE"), func(p *steer.Pin) { p.Method = steer.MethodOther }, nil},
		{"404 to another MESSAGE", response("SIP/2.0 404 Not Found", "3 MESSAGE"), func(p *steer.Pin) { p.Method = steer.MethodOther }, nil},
	}...))
}

// pinned makes each a case with a pin to the worker that is reached by the interface it came in by.
func pinned(list []dialogCase) []Case {
	var cases []Case
	for _, s := range list {
		pin := Pin(WorkerTX)
		if s.before != nil {
			s.before(&pin)
		}
		p := toVIP(s.text)
		c := newCase("dialog: "+s.name, p, &pin).steered(p)
		if s.text[:4] == "SIP/" {
			c.WantPin.Responses = 1
		} else {
			c.WantPin.Requests = 1
		}
		if s.after != nil {
			s.after(&c.WantPin)
		}
		cases = append(cases, c)
	}
	return cases
}
