// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// Listen is one SIP socket of a service, written udp://ADDR:PORT. ADDR is a
// literal unicast address, because the kernel compares it with the destination
// of each packet.
type Listen struct {
	// Addr is never unspecified and its port never 0 in an accepted file.
	Addr netip.AddrPort
}

// String returns the form the file uses.
func (l Listen) String() string { return "udp://" + l.Addr.String() }

// sameFamily tells whether both are IPv4 or both IPv6; one that could not be
// read is neither.
func (l Listen) sameFamily(o Listen) bool {
	return l.Addr.IsValid() && l.Addr.Addr().BitLen() == o.Addr.Addr().BitLen()
}

// MarshalText returns the form the file uses.
func (l Listen) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads udp://ADDR:PORT and refuses everything that does not
// name exactly one socket.
func (l *Listen) UnmarshalText(text []byte) error {
	scheme, rest, ok := strings.Cut(string(text), "://")
	if !ok {
		return errors.New("is not an address such as udp://192.0.2.10:5060")
	}
	switch scheme {
	case "udp":
	case "tcp", "tls", "ws", "wss":
		return fmt.Errorf("%s is not in this version; allowed: udp", scheme)
	default:
		return fmt.Errorf("%q is not a transport; allowed: udp", scheme)
	}
	addr, err := parseSocket(rest)
	if err != nil {
		return err
	}
	l.Addr = addr
	return nil
}

func parseSocket(text string) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(text)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not ADDR:PORT with a literal address, such as 192.0.2.10:5060 or [2001:db8::10]:5060", text)
	}
	if why := notUnicast(ap.Addr()); why != "" {
		return netip.AddrPort{}, fmt.Errorf("%s %s; write the one address that clients send to", ap.Addr(), why)
	}
	if ap.Port() == 0 {
		return netip.AddrPort{}, errors.New("port 0 is not a port that clients can send to; SIP uses 5060")
	}
	return ap, nil
}

// notUnicast says why an address cannot be one host's, or "".
func notUnicast(a netip.Addr) string {
	switch {
	case !a.IsValid():
		return "is not an address"
	case a.IsUnspecified():
		return "stands for every address of the host"
	case a.IsMulticast(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "is not a unicast address"
	case a.Zone() != "":
		return "has a zone, which packets do not carry"
	case a.Is4In6():
		return "is an IPv4 address in IPv6 form"
	}
	return ""
}

// SplitListen turns the value of api.listen into what net.Listen takes. It
// accepts a literal loopback HOST:PORT and unix:///ABSOLUTE/PATH only, because
// the API of this version asks nobody who they are.
func SplitListen(listen string) (network, address string, err error) {
	if path, ok := strings.CutPrefix(listen, "unix://"); ok {
		if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/") || !printable(path) {
			return "", "", fmt.Errorf("%q is not unix:///ABSOLUTE/PATH", listen)
		}
		if len(path) > 107 { // sockaddr_un
			return "", "", errors.New("the path of a unix socket has at most 107 bytes")
		}
		return "unix", path, nil
	}
	ap, err := netip.ParseAddrPort(listen)
	if err != nil {
		return "", "", fmt.Errorf("%q is neither ADDR:PORT with a literal address, such as 127.0.0.1:8060, nor unix:///PATH", listen)
	}
	if !ap.Addr().IsLoopback() {
		return "", "", fmt.Errorf("%s is not a loopback address; the API has no login in this version, so it listens on 127.0.0.1, [::1] or a unix socket only", ap.Addr())
	}
	if ap.Port() == 0 {
		return "", "", errors.New("port 0 would be a different port at each start; choose one, such as 8060")
	}
	return "tcp", ap.String(), nil
}
