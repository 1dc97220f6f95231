// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"net/netip"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

// refusal is why a request does not go on, and the answer. Code 0 is none.
type refusal struct {
	outcome outcome
	code    int
	reason  string
	extra   string // a header line with CRLF, or empty
}

// hop is where a request goes and what that changes in it.
type hop struct {
	dest   netip.AddrPort
	local  int    // index of the service address it leaves from
	pop    int    // Routes of ours to take off the top
	routed bool   // Routes remain, so dest is not the target itself
	uri    []byte // the new Request-URI, nil when it stays
	routes []byte // the new Route line where strict routing reorders it
	strict bool   // routes replaces all Route header fields (it may be empty)
	cookie []byte // of our Route, or the control plane's
	st     []byte // of our Route: what the next hop must be
}

// isOurs tells whether a host and port (0 is 5060) are a service address.
func (c *Core) isOurs(host []byte, port uint16) bool {
	addr, ok := sip.HostAddr(host)
	if !ok {
		return false
	}
	if port == 0 {
		port = 5060
	}
	return c.isListen(netip.AddrPortFrom(addr, port))
}

func (c *Core) isListen(a netip.AddrPort) bool {
	for _, l := range c.cfg.Listen {
		if l == a {
			return true
		}
	}
	return false
}

// routeSet is the Route header of a request, read once.
type routeSet struct {
	own   int // of ours, on top
	total int
	first sip.URI // the first one not ours; Raw is nil when there is none
	last  sip.URI
}

func (c *Core) readRoutes(m *sip.Message, h *hop) (r routeSet, ref refusal) {
	for elem := range m.Values(sip.HRoute) {
		a, err := sip.ParseAddress(elem)
		if err != nil {
			return r, refusal{refusedMalformed, 400, "Malformed Route", ""}
		}
		if r.own == r.total && a.URI.IsSIP() && c.isOurs(a.URI.Host, a.URI.Port) {
			r.own++
			h.takeProof(&a.URI)
		} else if r.first.Raw == nil {
			r.first = a.URI
		}
		r.total++
		r.last = a.URI
	}
	return r, ref
}

// takeProof reads what our Record-Route put there. Of several of ours in a row
// the last one faces the next hop.
func (h *hop) takeProof(u *sip.URI) {
	h.cookie, _ = u.Params.Get("ss")
	h.st, _ = u.Params.Get("st")
}

// resolve finds the next hop (RFC 3261 §16.4 to §16.6 step 7).
func (c *Core) resolve(p *packet) (h hop, ref refusal) {
	r, ref := c.readRoutes(p.m, &h)
	if ref.code != 0 {
		return h, ref
	}
	uri, err := sip.ParseURI(p.m.RequestURI)
	if err != nil {
		return h, refusal{refusedMalformed, 400, "Malformed Request-URI", ""}
	}
	h.pop = r.own
	if uri.IsSIP() && uri.Params.Has("ss") && c.isOurs(uri.Host, uri.Port) && r.total > r.own {
		c.unwindStrict(p, &h, &r, &uri)
	}
	if !uri.IsSIP() && r.first.Raw == nil {
		return h, refusal{refusedMalformed, 416, "Unsupported URI Scheme", ""}
	}
	h.routed = r.first.Raw != nil
	if h.routed {
		if ref = h.aim(&r.first, false); ref.code == 0 && !r.first.Params.Has("lr") {
			c.windStrict(p, &h, &r, &uri)
		}
	} else {
		ref = h.aim(&uri, true)
	}
	if ref.code != 0 {
		return h, ref
	}
	return h, c.leaveFrom(p, &h)
}

// aim sets the destination from a URI: its alias where it may have one, else its
// host, which must be an address: names are the control plane's to resolve. maddr
// is not followed.
func (h *hop) aim(u *sip.URI, alias bool) refusal {
	if !u.IsSIP() {
		return refusal{refusedMalformed, 416, "Unsupported URI Scheme", ""}
	}
	if value, has := u.Params.Get(aliasParam); has && alias {
		at, ok := parseAlias(value)
		if !ok {
			return refusal{refusedTransport, 502, "Next Hop Has An Unusable Alias", ""}
		}
		h.dest, h.uri = at, appendWithoutAlias(nil, u, nil)
		return refusal{}
	}
	transport, has := u.Params.Get("transport")
	if has && !sip.EqualFold(transport, "udp") || sip.EqualFold(u.Scheme, "sips") {
		return refusal{refusedTransport, 502, "Next Hop Wants A Transport Other Than UDP", ""}
	}
	addr, ok := u.Addr()
	if !ok {
		return refusal{refusedTransport, 502, "Next Hop Is Not An Address", ""}
	}
	h.dest = netip.AddrPortFrom(addr, u.PortOr(5060))
	return refusal{}
}

// leaveFrom chooses the service address of the destination's family, the one
// the request came to where that fits.
func (c *Core) leaveFrom(p *packet, h *hop) refusal {
	a := h.dest.Addr()
	if a.IsUnspecified() || a.IsMulticast() || a == broadcast {
		return refusal{refusedTransport, 502, "Next Hop Is Not A Host", ""}
	}
	if a.IsLoopback() && !c.cfg.Listen[p.local].Addr().IsLoopback() {
		// Nobody on the network is there: it would be aimed at this host's own.
		return refusal{refusedTransport, 502, "Next Hop Is Not A Host", ""}
	}
	if c.isListen(h.dest) {
		return refusal{refusedLoop, 482, "Loop Detected", ""}
	}
	h.local = p.local
	if c.cfg.Listen[p.local].Addr().Is4() == a.Is4() {
		return refusal{}
	}
	for i, l := range c.cfg.Listen {
		if l.Addr().Is4() == a.Is4() {
			h.local = i
			return refusal{}
		}
	}
	return refusal{refusedTransport, 502, "No Service Address In The Family Of The Next Hop", ""}
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// unwindStrict undoes what a strict router did: the Request-URI is our own
// Record-Route, the real one the last Route (RFC 3261 §16.4).
func (c *Core) unwindStrict(p *packet, h *hop, r *routeSet, uri *sip.URI) {
	if r.own == 0 {
		h.takeProof(uri)
	}
	*uri = r.last
	r.total--
	if r.total == r.own {
		r.first = sip.URI{}
	}
	h.uri = append([]byte(nil), uri.Raw...)
	h.reroute(p.m, r.own, r.total, nil)
}

// windStrict serves a strict router as next hop: its URI becomes the Request-URI,
// which goes to the end of the Routes (RFC 3261 §16.6 step 6).
func (c *Core) windStrict(p *packet, h *hop, r *routeSet, uri *sip.URI) {
	h.reroute(p.m, r.own+1, r.total, uri.Raw)
	h.uri = append([]byte(nil), r.first.Raw...)
}

// reroute writes the Route elements from to end-1, and one more URI, anew.
func (h *hop) reroute(m *sip.Message, from, end int, more []byte) {
	h.strict, h.routes = true, nil
	add := func(parts ...[]byte) {
		if h.routes == nil {
			h.routes = append(h.routes, "Route: "...)
		} else {
			h.routes = append(h.routes, ", "...)
		}
		for _, part := range parts {
			h.routes = append(h.routes, part...)
		}
	}
	i := 0
	for elem := range m.Values(sip.HRoute) {
		if i >= from && i < end {
			add(elem)
		}
		i++
	}
	if more != nil {
		add([]byte{'<'}, more, []byte{'>'})
	}
	if h.routes != nil {
		h.routes = append(h.routes, "\r\n"...)
	}
}
