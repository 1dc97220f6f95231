// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"
)

var shared = netip.MustParsePrefix("100.64.0.0/10") // carrier NAT, RFC 6598

// private tells addresses that mean nothing beyond the phone's own network: RFC
// 1918, RFC 6598, RFC 4193, link-local, loopback and unspecified.
func private(a netip.Addr) bool {
	return a.IsPrivate() || shared.Contains(a) || a.IsLinkLocalUnicast() || a.IsLoopback() || a.IsUnspecified()
}

// seconds reads delta-seconds; malformed counts as an hour (RFC 3261 §20.10).
func seconds(b []byte) uint32 {
	const hour, most = 3600, 1<<32 - 1
	var v uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return hour
		}
		v = min(v*10+uint64(c-'0'), most)
	}
	if len(b) == 0 {
		return hour
	}
	return uint32(v)
}

// thousandths reads a q value between 0 and 1 (RFC 3261 §25.1); ".5" is taken too.
func thousandths(b []byte) (uint16, bool) {
	whole, frac, _ := bytes.Cut(b, []byte{'.'})
	if len(b) == 0 || len(b) == 1 && b[0] == '.' {
		return 0, false
	}
	v := 0
	switch string(whole) {
	case "", "0":
	case "1":
		v = 1000
	default:
		return 0, false
	}
	for i, scale := 0, 100; i < len(frac); i, scale = i+1, scale/10 {
		if frac[i] < '0' || frac[i] > '9' {
			return 0, false
		}
		v += int(frac[i]-'0') * scale
	}
	return uint16(v), v <= 1000
}

// clean makes one printable line of a header value: folds become a blank, other
// control characters go.
func clean(b []byte) string {
	var out strings.Builder
	blank := false
	for _, r := range string(bytes.ToValidUTF8(b, []byte("?"))) {
		switch {
		case r == ' ' || r == '\t' || r == '\r' || r == '\n':
			blank = true
		case r < ' ' || r == 0x7f:
		default:
			if blank && out.Len() > 0 {
				out.WriteByte(' ')
			}
			blank = false
			out.WriteRune(r)
		}
	}
	return out.String()
}

// formatQ writes thousandths as a q value: "1", "0.7", "0".
func formatQ(q uint16) string {
	if q >= 1000 {
		return "1"
	}
	return strings.TrimRight(strings.TrimRight(fmt.Sprintf("0.%03d", q), "0"), ".")
}
