// SPDX-License-Identifier: Apache-2.0

package steer_test

import (
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/steer/steertest"
)

func TestJudgeSettlesWhatTheKernelLeavesOpen(t *testing.T) {
	id := steertest.CallID
	info := steertest.Request("INFO")
	ok := steertest.Response("SIP/2.0 200 OK")
	to := func(v string) string { return info.Set("To", v).String() }
	for _, c := range []struct {
		name   string
		text   string
		want   steer.Outcome
		callID string
		tag    bool
		cseq   uint32
	}{
		{"folded Call-ID", info.Line("Call-ID", "Call-ID:\r\n "+id).String(), steer.Undecided, id, true, 0},
		{"blank behind Call-ID", info.Line("Call-ID", "Call-ID: "+id+" \t").String(), steer.Undecided, id, true, 0},
		{"many blanks", info.Line("Call-ID", "i             :              "+id).String(), steer.Undecided, id, true, 0},
		{"Call-ID in two pieces", info.Line("Call-ID", "Call-ID: a\r\n b").String(), steer.PassOddCallID, "", false, 0},
		{"empty Call-ID", info.Line("Call-ID", "Call-ID: \r\n ").String(), steer.PassOddCallID, "", false, 0},
		{"two Call-IDs", info.Line("i", "i: "+id).String(), steer.PassRepeatedCallID, "", false, 0},
		{"no Call-ID", info.Without("Call-ID").String(), steer.PassNoCallID, "", false, 0},
		{"second Call-ID behind the scan", info.Set("X", strings.Repeat("x", 5000)).Line("i", "i: other").String(), steer.PassRepeatedCallID, "", false, 0},
		{"long header", info.Set("X", strings.Repeat("x", 9000)).String(), steer.Undecided, id, true, 0},
		{"leading empty lines", "\r\n\r\n" + info.String(), steer.Undecided, id, true, 0},
		{"empty lines alone", "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", steer.DropKeepalive, "", false, 0},
		{"lone LFs", strings.ReplaceAll(info.String(), "\r\n", "\n"), steer.Undecided, id, true, 0},
		{"cut", strings.TrimSuffix(info.String(), "\r\n"), steer.PassNoHeaderEnd, "", false, 0},
		{"not SIP", "\x80" + info.String(), steer.DropNotSIP, "", false, 0},
		{"escaped quote in the display name", to(`"x\";tag=1" <sip:b@h>`), steer.Undecided, id, false, 0},
		{"escaped quote, and a tag", to(`"x\" <y>;z" <sip:b@h>;tag=2`), steer.Undecided, id, true, 0},
		{"blanks everywhere", to(`<sip:b@h> ; tag = 1`), steer.Undecided, id, true, 0},
		{"other parameters first", to(`<sip:b@h>;x="a;tag=b";y;TAG=1`), steer.Undecided, id, true, 0},
		{"tag within another's string", to(`<sip:b@h>;x=";tag=1"`), steer.Undecided, id, false, 0},
		{"addr-spec with other parameters", to(`sip:b@h;x=y;tag=1`), steer.Undecided, id, true, 0},
		{"folded To", to("Bob\r\n <sip:b@h>\r\n ;tag=1"), steer.Undecided, id, true, 0},
		{"long display name", to(strings.Repeat("b", 300) + ` <sip:b@h>`), steer.Undecided, id, false, 0},
		{"empty tag", to(`<sip:b@h>;tag=`), steer.PassOddTo, id, false, 0},
		{"tag without a value", to(`<sip:b@h>;tag`), steer.PassOddTo, id, false, 0},
		{"open quote", to(`"Bob <sip:b@h>;tag=1`), steer.PassOddTo, id, false, 0},
		{"open angle", to(`<sip:b@h;tag=1`), steer.PassOddTo, id, false, 0},
		{"two To", info.Line("t", "t: <sip:b@h>").String(), steer.PassOddTo, id, false, 0},
		{"no To", info.Without("To").String(), steer.PassOddTo, id, false, 0},
		{"folded CSeq", ok.Set("CSeq", "0009\r\n  INVITE").String(), steer.Undecided, id, false, 9},
		{"CSeq with many zeros", ok.Set("CSeq", "0000000000007 INVITE").String(), steer.Undecided, id, false, 7},
		{"CSeq too large", ok.Set("CSeq", "4294967296 INVITE").String(), steer.PassOddCSeq, id, false, 0},
		{"CSeq in one word", ok.Set("CSeq", "1INVITE").String(), steer.PassOddCSeq, id, false, 0},
		{"no CSeq", ok.Without("CSeq").String(), steer.PassOddCSeq, id, false, 0},
	} {
		m := steer.Judge([]byte(c.text))
		if m.Unjudged != c.want || m.Unjudged == steer.Undecided && (string(m.CallID) != c.callID || m.HasToTag != c.tag || m.CSeq != c.cseq) {
			t.Errorf("%s: got %v, Call-ID %q, tag %v, CSeq %d", c.name, m.Unjudged, m.CallID, m.HasToTag, m.CSeq)
		}
	}
}

func TestDecide(t *testing.T) {
	pin := steertest.Pin(3)
	key := steertest.Secret.Key([]byte(steertest.CallID))
	pinned := func(k steer.Key) (steer.Pin, bool) { return pin, k == key }
	none := func(steer.Key) (steer.Pin, bool) { return steer.Pin{}, false }
	initial := steertest.Request("INVITE").Set("To", "<sip:b@h>").String()
	for _, c := range []struct {
		name   string
		text   string
		lookup func(steer.Key) (steer.Pin, bool)
		want   steer.Verdict
	}{
		{"pinned BYE", steertest.Request("BYE").String(), pinned, steer.Verdict{Action: steer.ActionSteer, Key: key, Pin: pin}},
		{"BYE without a pin", steertest.Request("BYE").String(), none, steer.Verdict{Action: steer.ActionPass, Outcome: steer.PassNoPin, Key: key}},
		{"initial, pinned", initial, pinned, steer.Verdict{Action: steer.ActionPass, Outcome: steer.PassInitial, Key: key}},
		{"keepalive", "\r\n\r\n", pinned, steer.Verdict{Action: steer.ActionDrop, Outcome: steer.DropKeepalive}},
		{"unjudged", "\r\n" + initial, pinned, steer.Verdict{Action: steer.ActionPass, Outcome: steer.PassLeadingCRLF}},
	} {
		if got := steer.Decide(steer.Scan([]byte(c.text)), c.lookup, steertest.Secret); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestScanAndDecideDoNotAllocate(t *testing.T) {
	pin := steertest.Pin(3)
	lookup := func(steer.Key) (steer.Pin, bool) { return pin, true }
	payload := []byte(steertest.Request("BYE").String())
	if n := testing.AllocsPerRun(100, func() {
		if v := steer.Decide(steer.Scan(payload), lookup, steertest.Secret); v.Action != steer.ActionSteer {
			t.Fatal(v)
		}
	}); n != 0 {
		t.Errorf("%v allocations a packet", n)
	}
}

func BenchmarkScanAndDecide(b *testing.B) {
	pin := steertest.Pin(3)
	lookup := func(steer.Key) (steer.Pin, bool) { return pin, true }
	payload := []byte(steertest.Request("BYE").String())
	for b.Loop() {
		steer.Decide(steer.Scan(payload), lookup, steertest.Secret)
	}
}
