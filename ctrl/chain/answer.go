// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"net/netip"

	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

// answer sends a final answer to the request in h.msg and keeps no state of it:
// a repeated request is answered anew (RFC 3261 §8.2.7). extra are whole header
// lines. It returns the bytes sent, valid until the next answer.
func (h *Handler) answer(d transport.Datagram, code int, reason string, extra ...string) []byte {
	h.out = h.compose(h.out[:0], &h.msg, d.Remote, code, reason, extra)
	h.transmit(d, &h.msg, code, h.out)
	return h.out
}

// compose writes an answer with the control plane's own To tag.
func (c *Chain) compose(dst []byte, m *sip.Message, source netip.AddrPort, code int, reason string, extra []string) []byte {
	from, _ := sip.ParseAddress(m.Value(sip.HFrom)) // none in a malformed one
	return sip.AppendResponse(dst, m, source, code, reason, c.Signer.ToTag(m.CallID(), from.Tag()), extra...)
}

func (c *Chain) transmit(d transport.Datagram, m *sip.Message, code int, data []byte) {
	if c.Send(transport.Datagram{Local: d.Local, Remote: replyTo(m, d.Remote), Data: data}) != nil {
		c.count.dropped[DropSend].Add(1)
		return
	}
	c.count.answered[code].Add(1)
}

// replyTo is where answers go: the address the request came from, at the port
// that Via names, or that it came from when rport asks for it (RFC 3261 §18.2.2,
// RFC 3581 §4).
func replyTo(m *sip.Message, source netip.AddrPort) netip.AddrPort {
	via, err := sip.ParseVia(m.First(sip.HVia))
	if err != nil || via.Params.Has("rport") {
		return source
	}
	port := via.Port
	if port == 0 {
		port = 5060
	}
	return netip.AddrPortFrom(source.Addr(), port)
}
