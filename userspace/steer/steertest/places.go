// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"fmt"
	"strings"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// placeMessages have Call-ID wherever it may stand, and text that looks like it wherever it may not be taken for one.
func placeMessages() []Message {
	var all []Message
	for _, name := range []string{"Call-ID", "i", "CALL-ID \t"} {
		for at := 200; at < steer.TextMax; at += 61 {
			all = append(all, callIDAt(name, at))
		}
		// Around the end of what the scan reads, where the header ends last in it and first behind it.
		end := steer.TextMax - len(name+": "+CallID+"\r\n\r\n")
		for at := end - 9; at <= end+9; at++ {
			all = append(all, callIDAt(name, at))
		}
	}
	return append(append(all, longCallIDs()...), lookAlikes()...)
}

// callIDAt has the line of the Call-ID begin at that byte, as the last line of the header.
func callIDAt(name string, at int) Message {
	text := Request("ACK").Without("Call-ID").Without("Via")
	pad := at - len(text.String()) + len("\r\n") - len("X: \r\n")
	if pad < 0 {
		text = Text{lines: []string{"ACK sip:a SIP/2.0", "CSeq: 1 ACK"}}
		pad = at - len(text.String()) + len("\r\n") - len("X: \r\n")
	}
	text = text.Set("X", strings.Repeat("x", pad)).Line(name, name+": "+CallID)
	m := Message{Name: fmt.Sprintf("%q at byte %d", name, at), Text: text.String(), Outcome: steer.SteerLocal}
	if len(m.Text) > steer.TextMax {
		m.Outcome = steer.PassTooLong
	}
	return m
}

// longCallIDs are of 1024 bytes, and of lengths about it.
func longCallIDs() []Message {
	var all []Message
	for n := 1016; n <= 1032; n++ {
		id := strings.Repeat("x1-.!%*_+`'~()<>:\\\"/[]?{}@", 64)[:n]
		for _, name := range []string{"Call-ID", "i"} {
			all = append(all, Message{
				Name: fmt.Sprintf("%s of %d bytes", name, n), CallID: id, Outcome: steer.SteerLocal,
				Text: Request("INFO").Line("Call-ID", name+": "+id).String(),
			})
		}
	}
	id := strings.Repeat("e", 1024)
	pad := steer.TextMax - len(Request("INFO").Without("Call-ID").Set("X", "").Set("Call-ID", id).String())
	last := Request("INFO").Without("Call-ID").Set("X", strings.Repeat("x", pad)).Set("Call-ID", id)
	return append(all,
		Message{Name: "1024 bytes up to the end of the scan", CallID: id, Text: last.String(), Outcome: steer.SteerLocal},
		Message{Name: "1024 bytes across the end of the scan", CallID: id, Text: last.Set("X", strings.Repeat("x", pad+1)).String(), Outcome: steer.PassTooLong})
}

// lookAlikes have the pinned Call-ID, and beside it text that a careless reader would take for another.
func lookAlikes() []Message {
	info := Request("INFO")
	var all []Message
	for _, line := range []string{
		`From: "\"Call-ID: fake\"" <sip:b@h>;tag=1`,
		`From: "i: fake` + "\r" + `i: fake" <sip:b@h>;tag=1`,
		"Subject: x\r\n Call-ID: fake",
		"Subject: \"x\r\n\ti: fake\"",
		"Subject: x\rCall-ID: fake\ri: fake",
		"Subject: Call-ID\r\n : fake",
		"Contact: <sip:a@b?Call-ID=fake&i=fake>;i=fake",
		"Contact: <sip:a@b>\r\n ;i=fake",
		"Replaces: fake;to-tag=1;from-tag=2",
		"In-Reply-To: fake@example.com, Call-ID",
		"Target-Dialog: fake;local-tag=1;remote-tag=2",
		"Call-Info: <http://example.com/i:fake>",
		"Content-ID: <fake@example.com>",
		"P-Call-ID: fake",
		"Call-ID-: fake",
		"Call_ID: fake",
		"Callid: fake",
		"Call ID: fake",
		"ii: fake",
		"i-: fake",
		"-i: fake",
		"\u0130: fake",
		"\x09: fake",
		": fake",
		"i fake: x",
		"i",
		"Call-ID",
	} {
		// A line that begins with a blank would continue the one before, which is of no matter then.
		all = append(all, Message{Name: fmt.Sprintf("no Call-ID: %q", line), Text: info.Line("X-Place", line).String(), Outcome: steer.SteerLocal})
	}
	embedded := Request("INVITE").Set("Call-ID", "fake").Line("i", "i: fake").String()
	sdp := "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\ni=Call-ID: fake\r\ni: fake\r\n"
	return append(all,
		Message{Name: "a whole message in the body", Text: info.Body(embedded).String(), Outcome: steer.SteerLocal},
		Message{Name: "a whole message in the body, and no Call-ID", Text: info.Without("Call-ID").Body(embedded).String(), Outcome: steer.PassNoCallID},
		Message{Name: "session information in the body", Text: info.Body(sdp).String(), Outcome: steer.SteerLocal},
		Message{Name: "in a multipart body behind more empty lines", Text: info.Body("--b\r\n\r\n" + embedded + "\r\n--b--\r\n").String(), Outcome: steer.SteerLocal},
		Message{Name: "in the Request-URI", Text: "INFO sip:a@b?Call-ID:fake SIP/2.0\r\n" + afterFirst(info), Outcome: steer.SteerLocal},
		Message{Name: "the start line is no header", Text: "i:fake sip:a@b SIP/2.0\r\n" + afterFirst(info), Outcome: steer.SteerLocal},
		Message{Name: "the reason phrase is no header", Text: Response("SIP/2.0 200 Call-ID: fake").String(), Outcome: steer.SteerLocal, Response: true},
	)
}

func afterFirst(t Text) string {
	_, rest, _ := strings.Cut(t.String(), "\r\n")
	return rest
}
