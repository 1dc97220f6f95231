// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bytes"
	"net/netip"
	"strconv"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

// aliasParam is the URI parameter in which Kamailio's nathelper notes where a
// contact behind NAT is really reached: ;alias=IP~PORT~PROTOCOL.
const aliasParam = "alias"

// aliasUDP is Kamailio's number for UDP.
const aliasUDP = "1"

// parseAlias reads an alias value; ok is false for one that is malformed or
// names another transport than UDP.
func parseAlias(value []byte) (netip.AddrPort, bool) {
	host, rest, _ := bytes.Cut(value, []byte{'~'})
	port, proto, _ := bytes.Cut(rest, []byte{'~'})
	addr, ok := sip.HostAddr(host)
	n, err := strconv.ParseUint(string(port), 10, 16)
	if !ok || err != nil || n == 0 || string(proto) != aliasUDP {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(addr, uint16(n)), true
}

// appendAlias writes the parameter for an address.
func appendAlias(dst []byte, at netip.AddrPort) []byte {
	dst = append(dst, ";"+aliasParam+"="...)
	dst = appendHost(dst, at.Addr())
	dst = append(dst, '~')
	dst = strconv.AppendUint(dst, uint64(at.Port()), 10)
	return append(dst, '~', aliasUDP[0])
}

func appendHost(dst []byte, a netip.Addr) []byte {
	if a.Is4() {
		return a.AppendTo(dst)
	}
	return append(a.AppendTo(append(dst, '[')), ']')
}

// appendWithoutAlias writes a URI behind dst with its alias parameter left out,
// and extra in the place where parameters end.
func appendWithoutAlias(dst []byte, u *sip.URI, extra []byte) []byte {
	end := len(u.Raw)
	if u.Headers != nil {
		end -= len(u.Headers) + 1
	}
	dst = append(dst, u.Raw[:end-len(u.Params)]...)
	dst = append(dst, u.Params.Without(aliasParam)...)
	dst = append(dst, extra...)
	return append(dst, u.Raw[end:]...)
}

// special holds the networks in which an address says nothing about where a
// packet can be sent from outside.
var special = [...]netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"), netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("::1/128"),
}

func isSpecial(a netip.Addr) bool {
	for _, p := range special {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// contactTarget is where requests to the message's Contact go, invalid when it
// has none that is an address. A Contact that cannot be reached as written, of a
// neighbour that sent the packet itself (direct), gets an alias of the packet's
// source: edited in ed, everything else in it as it was.
func contactTarget(m *sip.Message, ed *sip.Editor, source netip.AddrPort, direct bool) netip.AddrPort {
	elem := m.First(sip.HContact)
	a, err := sip.ParseAddress(elem)
	if err != nil || !a.URI.IsSIP() {
		return netip.AddrPort{}
	}
	addr, isAddr := a.URI.Addr()
	if direct && (!isAddr || isSpecial(addr) && addr != source.Addr()) {
		setAlias(ed, elem, &a, source)
		return source
	}
	if value, ok := a.URI.Params.Get(aliasParam); ok {
		at, _ := parseAlias(value)
		return at
	}
	if !isAddr {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr, a.URI.PortOr(5060))
}

// setAlias puts the alias into the URI. The form without brackets gets them:
// its parameters would be the header's.
func setAlias(ed *sip.Editor, elem []byte, a *sip.Address, at netip.AddrPort) {
	var alias [64]byte
	text := make([]byte, 0, len(a.URI.Raw)+64)
	bare := bytes.IndexByte(elem, '<') < 0
	if bare {
		text = append(text, '<')
	}
	text = appendWithoutAlias(text, &a.URI, appendAlias(alias[:0], at))
	if bare {
		text = append(text, '>')
	}
	ed.Replace(a.URI.Raw, text)
}
