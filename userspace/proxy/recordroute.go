// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"net/netip"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

// A Record-Route of ours is <sip:VIP:PORT;lr;ss=COOKIE;st=TARGET>. The cookie
// says that the control plane let the dialog in. st is signed over the next hop of
// requests that come back through it: in the request, for the callee, that is the
// way to the caller; in the response it is changed, for the caller, to the way to
// the callee. Where the sides use different service addresses there are two in
// a row (RFC 5658 §5) with the same parameters.

// noTarget stands for a next hop that is not an address; it verifies as none.
const noTarget = "none"

func (c *Core) targetProof(callID []byte, at netip.AddrPort) string {
	if !at.IsValid() {
		return noTarget
	}
	return c.cfg.Signer.Target(callID, at)
}

// appendRecordRoutes writes our Record-Route lines for a request, the side it
// leaves to on top.
func (c *Core) appendRecordRoutes(dst []byte, in int, h *hop, st string) []byte {
	dst = c.appendRecordRoute(dst, h.local, h.cookie, st)
	if in != h.local {
		dst = c.appendRecordRoute(dst, in, h.cookie, st)
	}
	return dst
}

// insertRecordRoute puts our lines on top of the Record-Routes, or behind the Vias
// when there are none yet.
func (c *Core) insertRecordRoute(m *sip.Message, lines []byte) {
	var after []byte
	for i := range m.Headers {
		switch h := &m.Headers[i]; h.ID {
		case sip.HRecordRoute:
			c.ed.Prepend(m, sip.HRecordRoute, lines)
			return
		case sip.HVia:
			after = h.Line
		}
	}
	c.ed.InsertAfter(after, lines)
}

func (c *Core) appendRecordRoute(dst []byte, local int, cookie []byte, st string) []byte {
	dst = append(dst, "Record-Route: <sip:"...)
	dst = append(dst, c.listen[local]...)
	dst = append(append(dst, ";lr;ss="...), cookie...)
	dst = append(append(dst, ";st="...), st...)
	return append(dst, ">\r\n"...)
}

// neighbour is the next hop that the topmost Record-Route of a request names,
// invalid when it is a host name; ok is false when there is none.
func neighbour(m *sip.Message) (at netip.AddrPort, ok bool) {
	elem := m.First(sip.HRecordRoute)
	if elem == nil {
		return at, false
	}
	return addressTarget(elem), true
}

// addressTarget is the address in the URI of a Route or Record-Route element.
func addressTarget(elem []byte) netip.AddrPort {
	a, err := sip.ParseAddress(elem)
	if err != nil || !a.URI.IsSIP() {
		return netip.AddrPort{}
	}
	addr, ok := a.URI.Addr()
	if !ok {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, a.URI.PortOr(5060))
}

// ownRecordRoutes are the entries of ours to rewrite in a response: their st
// values, and the element above them, which is nil when the callee is our
// neighbour.
type ownRecordRoutes struct {
	st    [2][]byte
	n     int
	above []byte
}

// findOwn looks for the entries that match in a response, at most two in a row.
func (c *Core) findOwn(m *sip.Message, match func(above []byte, u *sip.URI) bool) (own ownRecordRoutes) {
	var above []byte
	for elem := range m.Values(sip.HRecordRoute) {
		a, err := sip.ParseAddress(elem)
		isOurs := err == nil && a.URI.IsSIP() && c.isOurs(a.URI.Host, a.URI.Port) && match(above, &a.URI)
		if own.n == 1 && !isOurs {
			break
		}
		if isOurs {
			if own.n == 0 {
				own.above = above
			}
			own.st[own.n], _ = a.URI.Params.Get("st")
			own.n++
		}
		if own.n == len(own.st) {
			break
		}
		above = elem
	}
	return own
}

// matchSent finds the entries by the st with which the request left.
func matchSent(st string) func([]byte, *sip.URI) bool {
	return func(_ []byte, u *sip.URI) bool {
		v, _ := u.Params.Get("st")
		return sip.EqualFold(v, st)
	}
}

// matchProven finds them without the transaction: ours by the cookie, and not
// rewritten yet, since st does not cover what stands above.
func (c *Core) matchProven(p *packet) func([]byte, *sip.URI) bool {
	var found []byte
	contact := contactTarget(p.m, nil, p.source, false)
	return func(above []byte, u *sip.URI) bool {
		st, _ := u.Params.Get("st")
		if found != nil {
			return bytes.Equal(found, st)
		}
		ss, _ := u.Params.Get("ss")
		if !c.cfg.Signer.OwnCookie(string(ss), p.callID) {
			return false
		}
		hop := contact
		if above != nil {
			hop = addressTarget(above)
		}
		if hop.IsValid() && c.cfg.Signer.VerifyTarget(string(st), p.callID, hop) {
			return false
		}
		found = st
		return st != nil
	}
}
