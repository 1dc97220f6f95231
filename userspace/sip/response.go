// SPDX-License-Identifier: Apache-2.0

package sip

import (
	"bytes"
	"net/netip"
	"strconv"
)

// AppendResponse writes a response to the request req behind dst: Via, From, To,
// Call-ID and CSeq copied as they are (RFC 3261 §8.2.6.2), the top Via marked
// with received and rport for the source (§18.2.1, RFC 3581 §4), toTag added when
// To has none, then the lines of extra (each with CRLF) and an empty body. Of a
// repeated From, To, Call-ID or CSeq the first one answers.
func AppendResponse(dst []byte, req *Message, source netip.AddrPort, code int, reason string, toTag string, extra ...string) []byte {
	start := len(dst)
	dst = append(dst, version+" "...)
	dst = strconv.AppendInt(dst, int64(code), 10)
	dst = append(dst, ' ')
	dst = append(append(dst, reason...), "\r\n"...)
	var seen [headerIDs]bool
	for i := range req.Headers {
		h := &req.Headers[i]
		first := !seen[h.ID]
		seen[h.ID] = true
		switch {
		case h.ID == HVia:
			dst = appendVia(dst, h, source, first)
		case !first:
		case h.ID == HTo:
			dst = appendTo(dst, h, code, toTag)
		case h.ID == HFrom, h.ID == HCallID, h.ID == HCSeq:
			dst = append(dst, h.Line...)
		}
	}
	for _, line := range extra {
		dst = append(dst, line...)
	}
	return endLines(append(dst, "Content-Length: 0\r\n\r\n"...), start)
}

// endLines gives each line of b[start:] its CR: a request at fault may have
// brought lines without, and its answer must not be at fault as well.
func endLines(b []byte, start int) []byte {
	out := b[start:]
	if bytes.Count(out, []byte{'\n'}) == bytes.Count(out, []byte("\r\n")) {
		return b
	}
	fixed := make([]byte, 0, len(out)+16)
	for i, c := range out {
		if c == '\n' && (i == 0 || out[i-1] != '\r') {
			fixed = append(fixed, '\r')
		}
		fixed = append(fixed, c)
	}
	return append(b[:start], fixed...)
}

func appendVia(dst []byte, h *Header, source netip.AddrPort, top bool) []byte {
	if !top {
		return append(dst, h.Line...)
	}
	elem, rest, more := cutElement(h.Value)
	dst = append(dst, "Via: "...)
	dst = AppendReceived(dst, elem, source)
	if more {
		dst = append(append(dst, ", "...), trim(rest)...)
	}
	return append(dst, "\r\n"...)
}

// AppendReceived writes a Via element behind dst with received set when sent-by
// is not the source's address, and rport filled in when it was asked for
// (RFC 3261 §18.2.1, RFC 3581 §4). A received or rport value that the sender put
// there itself is not trusted.
func AppendReceived(dst, elem []byte, source netip.AddrPort) []byte {
	via, err := ParseVia(elem)
	if err != nil {
		return append(dst, elem...)
	}
	rport := via.Params.Has("rport")
	params := via.Params.Without("received").Without("rport")
	dst = append(dst, elem[:len(elem)-len(via.Params)]...)
	dst = append(dst, params...)
	addr, isAddr := HostAddr(via.Host)
	if rport || !isAddr || addr != source.Addr().Unmap() {
		dst = append(dst, ";received="...)
		dst = source.Addr().Unmap().AppendTo(dst)
	}
	if rport {
		dst = append(dst, ";rport="...)
		dst = strconv.AppendUint(dst, uint64(source.Port()), 10)
	}
	return dst
}

func appendTo(dst []byte, h *Header, code int, toTag string) []byte {
	a, err := ParseAddress(h.Value)
	if code == 100 || toTag == "" || err != nil || a.Tag() != nil {
		return append(dst, h.Line...)
	}
	dst = append(dst, "To: "...)
	dst = append(dst, h.Value...)
	return append(append(append(dst, ";tag="...), toTag...), "\r\n"...)
}

// Answerable tells whether a request that Parse or Validate refused carries what
// its sender knows the answer by: a usable Via and a CSeq (RFC 3261 §17.1.3). An
// ACK is never answered.
func Answerable(m *Message) bool {
	if !m.IsRequest() || len(m.Method) == 0 || m.Is("ACK") {
		return false
	}
	_, err := ParseVia(m.First(HVia))
	return err == nil && m.Get(HCSeq) != nil
}
