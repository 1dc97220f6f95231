// SPDX-License-Identifier: Apache-2.0

package route

import (
	"bytes"
	"net/netip"
	"strings"
	"sync/atomic"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

// Domains tells what a service answers for: its own domains and its addresses.
type Domains struct {
	own     atomic.Pointer[map[string]bool] // replaced whole, never changed
	primary string
	listen  map[netip.AddrPort]bool
}

// NewDomains takes the service's domains, the first of which is the one that its
// addresses stand for (sip:alice@VIP is alice at the first domain).
func NewDomains(domains []string, listen []netip.AddrPort) *Domains {
	d := &Domains{listen: map[netip.AddrPort]bool{}}
	d.Set(domains)
	if len(domains) > 0 {
		d.primary = canonicalHost([]byte(domains[0]))
	}
	for _, a := range listen {
		d.listen[a] = true
	}
	return d
}

// Set replaces the own domains while requests are being routed. The first one, for
// which the addresses stand, stays what it was.
func (d *Domains) Set(domains []string) {
	own := map[string]bool{}
	for _, name := range domains {
		own[canonicalHost([]byte(name))] = true
	}
	d.own.Store(&own)
}

// Realm is the own domain that a URI belongs to, which is also the realm of its
// users; ok is false for a foreign URI. A tel URI belongs to the first domain.
func (d *Domains) Realm(u *sip.URI) (realm string, ok bool) {
	if !u.IsSIP() {
		return d.primary, sip.EqualFold(u.Scheme, "tel")
	}
	host := canonicalHost(u.Host)
	if (*d.own.Load())[host] && (u.Port == 0 || d.hasPort(u.Port)) {
		return host, true
	}
	if a, isAddr := u.Addr(); isAddr && d.listen[netip.AddrPortFrom(a, u.PortOr(5060))] {
		return d.primary, true
	}
	return "", false
}

// AOR is the address of record that a URI names, user@domain; ok is false for a
// foreign URI and for one without a user.
func (d *Domains) AOR(u *sip.URI) (aor string, ok bool) {
	realm, own := d.Realm(u)
	user := string(sip.Unescape(u.User))
	if !u.IsSIP() {
		user = telNumber(u.Opaque)
	}
	return user + "@" + realm, own && user != ""
}

// Self tells whether an address is one of the service's own.
func (d *Domains) Self(a netip.AddrPort) bool { return d.listen[a] }

// Listens tells whether the service has an address of the family of a.
func (d *Domains) Listens(a netip.Addr) bool {
	for l := range d.listen {
		if l.Addr().Is4() == a.Is4() {
			return true
		}
	}
	return false
}

func (d *Domains) hasPort(port uint16) bool {
	for a := range d.listen {
		if a.Port() == port {
			return true
		}
	}
	return false
}

// canonicalHost is a host as it is compared: lower case, no final dot, an IP
// address in its one short form, IPv6 in brackets.
func canonicalHost(h []byte) string {
	if a, ok := sip.HostAddr(h); ok {
		return bracketed(a)
	}
	return strings.TrimSuffix(string(bytes.ToLower(h)), ".")
}

// telNumber is the number of a tel URI without visual separators and parameters
// (RFC 3966 §5.1.1).
func telNumber(opaque []byte) string {
	number, _, _ := bytes.Cut(opaque, []byte{';'})
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("-.()", r) {
			return -1
		}
		return r
	}, string(number))
}

// Primary is the first domain.
func (d *Domains) Primary() string { return d.primary }

// SelfHost tells whether a host and port, as in Via or Route, are the service's
// own; port 0 is the default.
func (d *Domains) SelfHost(host []byte, port uint16) bool {
	a, ok := sip.HostAddr(host)
	if port == 0 {
		port = 5060
	}
	return ok && d.listen[netip.AddrPortFrom(a, port)]
}

// SameHost compares two hosts as Realm does.
func SameHost(a, b string) bool { return canonicalHost([]byte(a)) == canonicalHost([]byte(b)) }
