// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"net/netip"
	"strconv"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

// packet is a valid message with what every step needs of it. It lives for one
// Input; its slices point into the datagram or into the core's scratch.
type packet struct {
	m              *sip.Message
	local          int // index of the service address it came to
	source         netip.AddrPort
	callID         []byte
	fromTag, toTag []byte
	cseq           sip.CSeq
	topElem        []byte // the top Via element as it came
	branch         []byte // its branch
	via            []byte // requests: the top Via element as it goes on
	reply          netip.AddrPort
}

// open fills in what a validated message says of itself.
func (c *Core) open(p *packet) {
	m := p.m
	p.callID = m.CallID()
	from, _ := sip.ParseAddress(m.Value(sip.HFrom))
	to, _ := sip.ParseAddress(m.Value(sip.HTo))
	p.fromTag, p.toTag = from.Tag(), to.Tag()
	p.cseq, _ = sip.ParseCSeq(m.Value(sip.HCSeq))
	p.topElem = m.First(sip.HVia)
	if m.IsRequest() {
		c.via = sip.AppendReceived(c.via[:0], p.topElem, p.source)
		p.via = c.via
	} else {
		p.via = p.topElem
	}
	via, _ := sip.ParseVia(p.via)
	p.branch = via.Branch()
	p.reply, _ = via.Target()
	if m.IsRequest() {
		// Only the port is the sender's to choose.
		p.reply = netip.AddrPortFrom(p.source.Addr().Unmap(), p.reply.Port())
	}
}

// is tells whether the message is a request with that method, or answers one.
func (p *packet) is(method string) bool { return string(p.cseq.Method) == method }

// refreshesTarget tells the methods whose Contact is the sender's target from
// then on (RFC 3261 §12.1, RFC 3311 §5.1, RFC 6665 §4.4.1).
func refreshesTarget(method []byte) bool {
	switch string(method) {
	case "INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER":
		return true
	}
	return false
}

// recordRoutes tells the methods for which the worker stays on the path: all
// that may form a dialog.
func recordRoutes(method []byte) bool {
	switch string(method) {
	case "MESSAGE", "OPTIONS", "REGISTER", "PUBLISH":
		return false
	}
	return true
}

// transactionKey is the server transaction that a request belongs to (RFC 3261
// §17.2.3), ACK counted to its INVITE and CANCEL too when method says so. Beside
// branch and sent-by it holds Call-ID and CSeq, because some user agents use one
// branch twice. It is valid until the next call.
func (c *Core) transactionKey(p *packet, method []byte) []byte {
	if string(method) == "ACK" {
		method = methodINVITE
	}
	k := append(append(c.key[:0], method...), 0)
	k = append(append(k, p.callID...), 0)
	k = strconv.AppendUint(k, uint64(p.cseq.Number), 10)
	k = append(k, 0)
	if bytes.HasPrefix(p.branch, []byte(sip.MagicCookie)) {
		via, _ := sip.ParseVia(p.topElem)
		k = append(append(k, p.branch...), 0)
		for _, b := range via.Host {
			if 'A' <= b && b <= 'Z' {
				b |= 0x20
			}
			k = append(k, b)
		}
		k = append(k, byte(via.Port>>8), byte(via.Port))
	} else { // RFC 2543: no To tag in it, since an ACK has one more than its INVITE
		k = append(append(k, p.m.RequestURI...), 0)
		k = append(append(k, p.fromTag...), 0)
		k = append(k, p.topElem...)
	}
	c.key = k
	return k
}

var (
	methodINVITE = []byte("INVITE")
	methodCANCEL = []byte("CANCEL")
)
