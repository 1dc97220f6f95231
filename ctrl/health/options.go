// SPDX-License-Identifier: Apache-2.0

package health

import (
	"crypto/rand"
	"fmt"
	"net/netip"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

// compose writes the question. Max-Forwards is 0: a proxy that would send it on has to answer it itself (RFC 3261 §11).
// The branch is random, so that nobody who has not seen the question can answer it.
func compose(own, vip netip.AddrPort, number uint32) (branch string, text []byte) {
	branch = sip.MagicCookie + "-health-" + rand.Text()
	return branch, fmt.Appendf(nil, "OPTIONS sip:%[2]s SIP/2.0\r\n"+
		"Via: SIP/2.0/UDP %[1]s;branch=%[3]s;rport\r\n"+
		"Max-Forwards: 0\r\n"+
		"From: <sip:%[1]s>;tag=%[4]s\r\n"+
		"To: <sip:%[2]s>\r\n"+
		"Call-ID: health-%[4]s\r\n"+
		"CSeq: %[5]d OPTIONS\r\n"+
		"Contact: <sip:%[1]s>\r\n"+
		"Accept: application/sdp\r\n"+
		"User-Agent: sipsteer\r\n"+
		"Content-Length: 0\r\n\r\n", own, vip, branch, rand.Text(), number)
}

// readAnswer takes branch and code from a response to OPTIONS; ok is false for anything else.
func readAnswer(data []byte) (branch string, code int, ok bool) {
	var m sip.Message
	if sip.Parse(data, &m) != nil || m.IsRequest() || sip.Validate(&m) != nil {
		return "", 0, false
	}
	via, err := sip.ParseVia(m.First(sip.HVia))
	if err != nil {
		return "", 0, false
	}
	return string(via.Branch()), m.Status, true
}
