// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// DefaultGUEPort is where gue tunnels end that name no port.
const DefaultGUEPort = 6080

// Source is an address, or a range of them written as a prefix without host bits.
type Source struct{ Prefix netip.Prefix }

// UnmarshalText reads 192.0.2.1 or 10.9.0.0/16; nothing stands for none, as it is written out.
func (s *Source) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	if addr, err := netip.ParseAddr(string(text)); err == nil && addr.Zone() == "" {
		s.Prefix = netip.PrefixFrom(addr, addr.BitLen())
		return nil
	}
	p, err := netip.ParsePrefix(string(text))
	if err != nil || !strings.Contains(string(text), "/") {
		return fmt.Errorf("%q is neither an address nor a range such as 10.9.0.0/16", text)
	}
	if p != p.Masked() {
		return fmt.Errorf("%s has bits behind the prefix; the range is %s", p, p.Masked())
	}
	s.Prefix = p
	return nil
}

// MarshalText returns the form the file uses.
func (s Source) MarshalText() ([]byte, error) {
	if !s.Prefix.IsValid() {
		return nil, nil
	}
	if s.Prefix.IsSingleIP() {
		return []byte(s.Prefix.Addr().String()), nil
	}
	return []byte(s.Prefix.String()), nil
}

// checkTunnel checks what only tunnels have, and that the others have none of it.
func (r *report) checkTunnel(key string, w WorkerSpec) {
	switch {
	case w.Forward == ForwardGUE:
		r.checkRange(key+".port", w.Port, 1, 65535)
	case w.Port != 0:
		r.fail(key+".port", "only a gue worker has one: packets for the others keep the service's")
	}
	tunnel := w.Forward == ForwardIPIP || w.Forward == ForwardGUE
	switch {
	case !w.Source.Prefix.IsValid():
	case !tunnel:
		r.fail(key+".source", "only ipip and gue have an outer source; for %s the client's address stays", w.Forward)
	case w.Address.IsValid() && w.Source.Prefix.Addr().Is4() != w.Address.Is4():
		r.fail(key+".source", "%s and %s are not of one family", w.Source.Prefix, w.Address)
	default:
		if why := notUnicast(w.Source.Prefix.Addr()); why != "" && w.Source.Prefix.IsSingleIP() {
			r.fail(key+".source", "%s %s", w.Source.Prefix.Addr(), why)
		}
	}
}
