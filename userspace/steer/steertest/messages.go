// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"fmt"
	"strings"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

func kindMessages() []Message {
	all := []Message{
		{Name: "BYE", Text: Request("BYE").String(), Outcome: steer.SteerLocal, Bye: true},
		{Name: "ACK", Text: Request("ACK").String(), Outcome: steer.SteerLocal},
		{Name: "ACK without a To tag", Text: Request("ACK").Set("To", "<sip:a@example.com>").String(), Outcome: steer.SteerLocal},
		{Name: "CANCEL without a To tag", Text: Request("CANCEL").Set("To", "<sip:a@example.com>").String(), Outcome: steer.SteerLocal},
		{Name: "CANCEL needs no CSeq", Text: Request("CANCEL").Without("CSeq").String(), Outcome: steer.SteerLocal},
		{Name: "re-INVITE", Text: Request("INVITE").String(), Outcome: steer.SteerLocal},
		{Name: "start line like a header", Text: strings.Replace(Request("X").String(), "X sip", "Call-ID: sip", 1), Outcome: steer.SteerLocal},
		{Name: "start line like a compact header", Text: strings.Replace(Request("X").String(), "X sip", "I:X sip", 1), Outcome: steer.SteerLocal},
		{Name: "method unknown to us", Text: Request("FROBNICATE").String(), Outcome: steer.SteerLocal},
		{Name: "method in lower case is another method", Text: Request("ack").Set("To", "<sip:a@b>").String(), Outcome: steer.PassInitial},
		{Name: "initial INVITE, pinned", Text: Request("INVITE").Set("To", "Bob <sip:bob@example.com>").String(), Outcome: steer.PassInitial},
		{Name: "initial REGISTER", Text: Request("REGISTER").Set("To", "<sip:bob@example.com>").String(), Outcome: steer.PassInitial},
		{Name: "BYE without a To tag", Text: Request("BYE").Set("To", "<sip:bob@example.com>").String(), Outcome: steer.PassInitial},
		{Name: "version in lower case", Text: Response("sip/2.0 200 OK").String(), Outcome: steer.SteerLocal, Response: true},
		{Name: "status line without a reason", Text: Response("SIP/2.0 200").String(), Outcome: steer.SteerLocal, Response: true},
		{Name: "status 099", Text: Response("SIP/2.0 099 X").Set("To", "<sip:a@b>").String(), Outcome: steer.PassInitial},
		{Name: "status 700", Text: Response("SIP/2.0 700 X").Set("To", "<sip:a@b>").String(), Outcome: steer.PassInitial},
		{Name: "status of four digits", Text: Response("SIP/2.0 2000 X").Set("To", "<sip:a@b>").String(), Outcome: steer.PassInitial},
		{Name: "SIP/3.0 is no status line", Text: Response("SIP/3.0 200 OK").Set("To", "<sip:a@b>").String(), Outcome: steer.PassInitial},
	}
	for _, code := range []int{100, 180, 199, 200, 202, 302, 401, 486, 503, 603, 699} {
		all = append(all, Message{
			Name: fmt.Sprintf("response %d", code), Text: Response(fmt.Sprintf("SIP/2.0 %d Reason", code)).String(),
			Outcome: steer.SteerLocal, Response: true,
		})
	}
	for _, payload := range []string{"", "\r\n", "\r\n\r\n", "\x00", "\x00\x00\x00\x00", " \r\n", "\n"} {
		all = append(all, Message{Name: fmt.Sprintf("keepalive %q", payload), Text: payload, Outcome: steer.DropKeepalive})
	}
	return append(all,
		Message{Name: "four other bytes", Text: "\r\n\r\x01", Outcome: steer.DropNotSIP},
		Message{Name: "too short", Text: "INVITE a SIP/2.", Outcome: steer.DropNotSIP},
		Message{Name: "STUN", Text: "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl", Outcome: steer.DropNotSIP},
		Message{Name: "RTP", Text: "\x80\x00" + strings.Repeat("v", 170), Outcome: steer.DropNotSIP},
		Message{Name: "first byte 0xff", Text: "\xff\xff" + Request("BYE").String(), Outcome: steer.DropNotSIP},
		Message{Name: "first byte a colon", Text: ":" + Request("BYE").String(), Outcome: steer.DropNotSIP},
		Message{Name: "leading CRLF", Text: "\r\n" + Request("BYE").String(), Outcome: steer.PassLeadingCRLF},
		Message{Name: "leading LF", Text: "\n" + Request("BYE").String(), Outcome: steer.PassLeadingCRLF},
	)
}

func callIDMessages() []Message {
	info := Request("INFO")
	line := func(l string) string { return info.Line("Call-ID", l).String() }
	long := strings.Repeat("0123456789abcdef", 64)
	all := []Message{
		{Name: "compact Call-ID", Text: line("i: " + CallID), Outcome: steer.SteerLocal},
		{Name: "compact Call-ID in upper case", Text: line("I:" + CallID), Outcome: steer.SteerLocal},
		{Name: "Call-ID in upper case", Text: line("CALL-ID: " + CallID), Outcome: steer.SteerLocal},
		{Name: "Call-ID in mixed case", Text: line("cAlL-iD:" + CallID), Outcome: steer.SteerLocal},
		{Name: "blanks before the colon", Text: line("Call-ID \t : " + CallID), Outcome: steer.SteerLocal},
		{Name: "blank before the colon, compact", Text: line("i\t: " + CallID), Outcome: steer.SteerLocal},
		{Name: "eight blanks on each side", Text: line("Call-ID" + blanks(8) + ":" + blanks(8) + CallID), Outcome: steer.SteerLocal},
		{Name: "nine blanks before the colon", Text: line("Call-ID" + blanks(9) + ": " + CallID), Outcome: steer.PassOddCallID},
		{Name: "nine blanks behind the colon", Text: line("Call-ID:" + blanks(9) + CallID), Outcome: steer.PassOddCallID},
		{Name: "Call-ID last", Text: info.Without("Call-ID").Set("Call-ID", CallID).String(), Outcome: steer.SteerLocal},
		{Name: "Call-ID of 1024 bytes", Text: info.Set("Call-ID", long).String(), CallID: long, Outcome: steer.SteerLocal},
		{Name: "Call-ID of another call", Text: info.Set("Call-ID", "x"+CallID).String(), Outcome: steer.PassNoPin},
		{Name: "Call-ID in another case is another", Text: info.Set("Call-ID", strings.ToUpper(CallID)).String(), Outcome: steer.PassNoPin},
		{Name: "no Call-ID", Text: info.Without("Call-ID").String(), Outcome: steer.PassNoCallID},
		{Name: "repeated Call-ID", Text: line("Call-ID: " + CallID + "\r\nCall-ID: " + CallID), Outcome: steer.PassRepeatedCallID},
		{Name: "repeated in compact form, far behind", Text: info.Line("i", "i: other").String(), Outcome: steer.PassRepeatedCallID},
		{Name: "folded before the value", Text: line("Call-ID:\r\n " + CallID), Outcome: steer.PassFolded},
		{Name: "folded behind the value", Text: line("Call-ID: " + CallID + "\r\n\tmore"), Outcome: steer.PassFolded},
		{Name: "folding of others is no matter", Text: info.Line("X-Other", "X-Other: a\r\n Call-ID: fake").String(), Outcome: steer.SteerLocal},
		{Name: "empty Call-ID", Text: line("Call-ID:"), Outcome: steer.PassOddCallID},
		{Name: "Call-ID of blanks", Text: line("Call-ID:   "), Outcome: steer.PassOddCallID},
		{Name: "blank behind Call-ID", Text: line("Call-ID: " + CallID + " "), Outcome: steer.PassOddCallID},
		{Name: "blank within Call-ID", Text: line("Call-ID: " + CallID + " x"), Outcome: steer.PassOddCallID},
		{Name: "tab within Call-ID", Text: line("Call-ID: a\tb"), Outcome: steer.PassOddCallID},
		{Name: "CR within Call-ID", Text: line("Call-ID: a\rb"), Outcome: steer.PassOddCallID},
		{Name: "NUL within Call-ID", Text: line("Call-ID: a\x00b"), Outcome: steer.PassOddCallID},
		{Name: "odd byte late in a long Call-ID", Text: info.Set("Call-ID", long[:500]+"\x1f"+long).String(), Outcome: steer.PassOddCallID},
		{Name: "Call-ID without a colon", Text: line("Call-ID " + CallID), Outcome: steer.PassNoCallID},
		{Name: "longer header name", Text: line("Call-IDs: " + CallID), Outcome: steer.PassNoCallID},
		{Name: "shorter header name", Text: line("Call-I: " + CallID), Outcome: steer.PassNoCallID},
		{Name: "CR in place of the dash", Text: line("Call\rID: " + CallID), Outcome: steer.PassNoCallID},
		{Name: "header name behind a prefix", Text: info.Line("X-Call-ID", "X-Call-ID: fake").String(), Outcome: steer.SteerLocal},
		{Name: "look-alike in a display name", Text: info.Set("From", `"Call-ID: fake" <sip:b@h>;tag=1`).String(), Outcome: steer.SteerLocal},
		{Name: "look-alike in another header", Text: info.Set("Subject", "i: fake").String(), Outcome: steer.SteerLocal},
		{Name: "look-alike in the body", Text: info.Body("Call-ID: fake\r\ni: fake\r\n\r\n").String(), Outcome: steer.SteerLocal},
		{Name: "only in the body", Text: info.Without("Call-ID").Body("Call-ID: " + CallID + "\r\n\r\n").String(), Outcome: steer.PassNoCallID},
	}
	// Each length meets the words of the hash differently.
	for n := 1; n <= 40; n++ {
		id := long[:n]
		all = append(all, Message{Name: fmt.Sprintf("Call-ID of %d bytes", n), Text: info.Set("Call-ID", id).String(), CallID: id, Outcome: steer.SteerLocal})
	}
	return all
}

func blanks(n int) string { return strings.Repeat(" ", n) }

func toMessages() []Message {
	info := Request("INFO")
	var all []Message
	for value, want := range map[string]steer.Outcome{
		`<sip:b@h>;tag=1`:                  steer.SteerLocal,
		`sip:b@h;tag=1`:                    steer.SteerLocal,
		`<sip:b@h>;TAG=1`:                  steer.SteerLocal,
		`<sip:b@h;user=phone>;tag=1;x=y`:   steer.SteerLocal,
		`"Bob" <sip:b@h>;tag=1`:            steer.SteerLocal,
		`"B;tag=0 <x>" <sip:b@h>;tag=1`:    steer.SteerLocal,
		`Bob the "builder <sip:b@h>;tag=1`: steer.PassOddTo,
		`<sip:b@h>`:                        steer.PassInitial,
		`sip:b@h`:                          steer.PassInitial,
		`"x;tag=1" <sip:b@h>`:              steer.PassInitial,
		`"x>;tag=1" <sip:b@h>`:             steer.PassInitial,
		`<sip:b@h;tag=2>`:                  steer.PassInitial,
		`"x;tag=1" <sip:b@h;tag=2>`:        steer.PassInitial,
		`"x\";tag=1" <sip:b@h>`:            steer.PassOddTo,
		`"Bob <sip:b@h>;tag=1`:             steer.PassOddTo,
		`"Bob" sip:b@h;tag=1`:              steer.PassOddTo,
		`<sip:b@h> ;tag=1`:                 steer.PassOddTo,
		`<sip:b@h>; tag=1`:                 steer.PassOddTo,
		`<sip:b@h>;tag =1`:                 steer.PassOddTo,
		`<sip:b@h>;tag= 1`:                 steer.PassOddTo,
		`<sip:b@h>;tag=`:                   steer.PassOddTo,
		`<sip:b@h>;tag=;x`:                 steer.PassOddTo,
		`<sip:b@h>;x=y;tag=1`:              steer.PassOddTo,
		`<sip:b@h>;x=y`:                    steer.PassOddTo,
		`sip:b@h;x=y;tag=1`:                steer.PassOddTo,
		`<sip:b@h`:                         steer.PassOddTo,
		`>sip:b@h<;tag=1`:                  steer.PassOddTo,
		`<sip:b<h>;tag=1`:                  steer.PassOddTo,
		`<sip:b@h> `:                       steer.PassOddTo,
		``:                                 steer.PassOddTo,
		`<sip:` + strings.Repeat("b", 200) + `@h>;tag=1`: steer.SteerLocal,
		`<sip:` + strings.Repeat("b", 260) + `@h>;tag=1`: steer.PassOddTo,
		strings.Repeat("b", 260) + ` <sip:b@h>;tag=1`:    steer.PassOddTo,
	} {
		all = append(all, Message{Name: "To: " + value, Text: info.Set("To", value).String(), Outcome: want})
	}
	return append(all,
		Message{Name: "compact To", Text: info.Line("To", "t: <sip:b@h>;tag=1").String(), Outcome: steer.SteerLocal},
		Message{Name: "compact To, initial", Text: info.Line("To", "T:<sip:b@h>").String(), Outcome: steer.PassInitial},
		Message{Name: "blanks before the colon of To", Text: info.Line("To", "tO  : <sip:b@h>;tag=1").String(), Outcome: steer.SteerLocal},
		Message{Name: "too many blanks in To", Text: info.Line("To", "To:"+blanks(9)+"<sip:b@h>;tag=1").String(), Outcome: steer.PassOddTo},
		Message{Name: "no To", Text: info.Without("To").String(), Outcome: steer.PassOddTo},
		Message{Name: "no To in a response", Text: Response("SIP/2.0 200 OK").Without("To").String(), Outcome: steer.SteerLocal, Response: true},
		Message{Name: "repeated To", Text: info.Line("t", "t: <sip:b@h>").String(), Outcome: steer.PassOddTo},
		Message{Name: "folded To", Text: info.Set("To", "Bob\r\n <sip:b@h>;tag=1").String(), Outcome: steer.PassFolded},
		Message{Name: "folded To of an ACK", Text: Request("ACK").Set("To", "Bob\r\n <sip:b@h>;tag=1").String(), Outcome: steer.SteerLocal},
		Message{Name: "Timestamp is no To", Text: info.Set("Timestamp", "54").String(), Outcome: steer.SteerLocal},
		Message{Name: "To-like names", Text: info.Set("Topic", "x").Set("tx", "y").String(), Outcome: steer.SteerLocal},
	)
}

func cseqMessages() []Message {
	ok := Response("SIP/2.0 200 OK")
	var all []Message
	for value, want := range map[string]steer.Outcome{
		"1 INVITE":            steer.SteerLocal,
		"4294967295 INVITE":   steer.SteerLocal,
		"4294967296 INVITE":   steer.PassOddCSeq,
		"0000000001 INVITE":   steer.SteerLocal,
		"00000000001 INVITE":  steer.PassOddCSeq,
		"1\tINVITE":           steer.SteerLocal,
		"1" + blanks(8) + "X": steer.SteerLocal,
		"1" + blanks(9) + "X": steer.PassOddCSeq,
		"1 INVITE ":           steer.PassOddCSeq,
		"1INVITE":             steer.PassOddCSeq,
		"INVITE":              steer.PassOddCSeq,
		"INVITE 1":            steer.PassOddCSeq,
		"-1 INVITE":           steer.PassOddCSeq,
		"1 ":                  steer.PassOddCSeq,
		"1":                   steer.PassOddCSeq,
		"":                    steer.PassOddCSeq,
	} {
		all = append(all, Message{Name: "CSeq: " + value, Text: ok.Set("CSeq", value).String(), Outcome: want, Response: true})
	}
	return append(all,
		Message{Name: "CSeq in upper case", Text: ok.Line("CSeq", "CSEQ : 1 INVITE").String(), Outcome: steer.SteerLocal, Response: true},
		Message{Name: "no CSeq", Text: ok.Without("CSeq").String(), Outcome: steer.PassOddCSeq},
		Message{Name: "no CSeq in an ACK", Text: Request("ACK").Without("CSeq").String(), Outcome: steer.PassOddCSeq},
		Message{Name: "no CSeq in an INFO", Text: Request("INFO").Without("CSeq").String(), Outcome: steer.SteerLocal},
		Message{Name: "repeated CSeq", Text: ok.Line("X", "cseq: 1 INVITE").String(), Outcome: steer.PassOddCSeq},
		Message{Name: "folded CSeq", Text: ok.Set("CSeq", "1\r\n INVITE").String(), Outcome: steer.PassFolded},
	)
}

func shapeMessages() []Message {
	info := Request("INFO")
	lines := func(n int) Text {
		t := info
		for i := len(info.lines) + 1; i <= n; i++ {
			t.lines = append(t.lines[:len(t.lines):len(t.lines)], "X: y")
		}
		return t
	}
	all := []Message{
		{Name: "bare LF behind the start line", Text: strings.Replace(info.String(), "\r\n", "\n", 1), Outcome: steer.PassBareLF},
		{Name: "bare LF everywhere", Text: strings.ReplaceAll(info.String(), "\r\n", "\n"), Outcome: steer.PassBareLF},
		{Name: "bare LF in a header", Text: info.Set("Subject", "a\nCall-ID: fake").String(), Outcome: steer.PassBareLF},
		{Name: "LF CR LF at the end", Text: strings.TrimSuffix(info.String(), "\r\n\r\n") + "\n\r\n", Outcome: steer.PassBareLF},
		{Name: "LF alone behind the last line", Text: strings.TrimSuffix(info.String(), "\r\n") + "\n", Outcome: steer.PassNoHeaderEnd},
		{Name: "bare CR in a header", Text: info.Set("Subject", "a\rCall-ID: fake").String(), Outcome: steer.SteerLocal},
		{Name: "UTF-8 and tabs in headers", Text: info.Set("Subject", "\u00dcber\tal\u0085\u0091 \u4e16\u754c").String(), Outcome: steer.SteerLocal},
		{Name: "no empty line", Text: strings.TrimSuffix(info.String(), "\r\n"), Outcome: steer.PassNoHeaderEnd},
		{Name: "cut in the empty line", Text: strings.TrimSuffix(info.String(), "\n"), Outcome: steer.PassNoHeaderEnd},
		{Name: "cut in a header", Text: strings.TrimSuffix(info.String(), "0\r\n\r\n"), Outcome: steer.PassNoHeaderEnd},
		{Name: "one line alone", Text: "INVITE sip:a@example.com SIP/2.0\r\n", Outcome: steer.PassNoHeaderEnd},
		{Name: "start line and empty line", Text: "INVITE sip:a@example.com SIP/2.0\r\n\r\n", Outcome: steer.PassNoCallID},
		{Name: "as many lines as may be", Text: lines(steer.MaxLines).String(), Outcome: steer.SteerLocal},
		{Name: "one line more", Text: lines(steer.MaxLines + 1).String(), Outcome: steer.PassTooLong},
	}
	pad := steer.TextMax - len(info.Set("X", "").String())
	for _, d := range []int{-1, 0, 1, 2, 3, 500} {
		want := steer.SteerLocal
		if d > 0 {
			want = steer.PassTooLong
		}
		all = append(all, Message{
			Name: fmt.Sprintf("header of %d bytes", steer.TextMax+d), Text: info.Set("X", strings.Repeat("x", pad+d)).String(), Outcome: want,
		})
	}
	// Each length of the line before it moves Call-ID against the words and hops of the scan.
	for n := range 140 {
		all = append(all, Message{
			Name: fmt.Sprintf("line of %d bytes before Call-ID", n+10), Text: info.Line("Max-Forwards", "X-Filler: "+strings.Repeat("f", n)).String(), Outcome: steer.SteerLocal,
		})
	}
	return all
}
