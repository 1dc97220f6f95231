// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"net/netip"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Trunk is a peer that is known by its addresses and not asked for a password.
type Trunk struct {
	Name     string
	Prefixes []netip.Prefix
	Domains  []string // own domains in whose name it may call, in lower case
}

// Prefixes of the trunks, always heard.
func trunkPrefixes(trunks []Trunk) (list []Prefix) {
	for _, t := range trunks {
		for _, p := range t.Prefixes {
			list = append(list, Prefix{Prefix: p.Masked(), Rule: steer.RuleAllow, Origin: "trunk " + t.Name})
		}
	}
	return list
}

// Fixed gathers the prefixes of a config file.
func Fixed(allow, deny []netip.Prefix, trunks []Trunk) []Prefix {
	list := trunkPrefixes(trunks)
	for _, p := range allow {
		list = append(list, Prefix{Prefix: p.Masked(), Rule: steer.RuleAllow, Origin: OriginConfig})
	}
	for _, p := range deny {
		list = append(list, Prefix{Prefix: p.Masked(), Rule: steer.RuleDeny, Origin: OriginConfig})
	}
	return list
}

// TrunkOf is the trunk of an address, by the longest prefix that it is in; nil when it is in none.
func TrunkOf(trunks []Trunk, a netip.Addr) *Trunk {
	var found *Trunk
	longest := -1
	for i := range trunks {
		for _, p := range trunks[i].Prefixes {
			if p.Bits() > longest && p.Contains(a.Unmap()) {
				found, longest = &trunks[i], p.Bits()
			}
		}
	}
	return found
}
