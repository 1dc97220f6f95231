// SPDX-License-Identifier: Apache-2.0

package sip

// HeaderID names the header fields that sipsteer itself reads or writes. All
// others are HOther and are told apart by Header.Name.
type HeaderID uint8

// Header fields known by number, so that looking one up compares no strings.
const (
	HOther HeaderID = iota
	HVia
	HFrom
	HTo
	HCallID
	HCSeq
	HContact
	HMaxForwards
	HRoute
	HRecordRoute
	HContentLength
	HContentType
	HExpires
	HAuthorization
	HProxyAuthorization
	HProxyRequire
	HRequire
	HSupported
	HPath
	HUserAgent
	HEvent
	HCookie // X-Sipsteer-Cookie: set by the control plane alone
	HTicket // X-Sipsteer-Ticket: set by the control plane alone
	HTarget // X-Sipsteer-Target: set by the control plane alone
	headerIDs
)

// CookieHeader and TicketHeader are the header fields with which the control
// plane marks a request that it hands over to a worker. Both are removed from
// whatever comes from outside.
const (
	CookieHeader = "X-Sipsteer-Cookie"
	TicketHeader = "X-Sipsteer-Ticket"
	TargetHeader = "X-Sipsteer-Target"
)

// headerNames gives each known header field its canonical name and its compact
// form (RFC 3261 §7.3.3 and §20; 0 where there is none).
var headerNames = [headerIDs]struct {
	name    string
	compact byte
}{
	HVia:                {"Via", 'v'},
	HFrom:               {"From", 'f'},
	HTo:                 {"To", 't'},
	HCallID:             {"Call-ID", 'i'},
	HCSeq:               {"CSeq", 0},
	HContact:            {"Contact", 'm'},
	HMaxForwards:        {"Max-Forwards", 0},
	HRoute:              {"Route", 0},
	HRecordRoute:        {"Record-Route", 0},
	HContentLength:      {"Content-Length", 'l'},
	HContentType:        {"Content-Type", 'c'},
	HExpires:            {"Expires", 0},
	HAuthorization:      {"Authorization", 0},
	HProxyAuthorization: {"Proxy-Authorization", 0},
	HProxyRequire:       {"Proxy-Require", 0},
	HRequire:            {"Require", 0},
	HSupported:          {"Supported", 'k'},
	HPath:               {"Path", 0},
	HUserAgent:          {"User-Agent", 0},
	HEvent:              {"Event", 'o'},
	HCookie:             {CookieHeader, 0},
	HTicket:             {TicketHeader, 0},
	HTarget:             {TargetHeader, 0},
}

// String is the canonical long name, or "" for HOther.
func (id HeaderID) String() string {
	if id >= headerIDs {
		return ""
	}
	return headerNames[id].name
}

// lookupHeader maps a name as written (any case, long or compact) to its ID.
func lookupHeader(name []byte) HeaderID {
	if len(name) == 1 {
		c := name[0] | 0x20
		for id := HVia; id < headerIDs; id++ {
			if headerNames[id].compact == c {
				return id
			}
		}
		return HOther
	}
	for id := HVia; id < headerIDs; id++ {
		if n := headerNames[id].name; len(n) == len(name) && EqualFold(name, n) {
			return id
		}
	}
	return HOther
}

// EqualFold compares ASCII text without regard to case, as SIP's tokens are
// compared (RFC 3261 §7.3.1).
func EqualFold(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// isToken tells the characters of a token (RFC 3261 §25.1).
func isToken(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '-', '.', '!', '%', '*', '_', '+', '`', '\'', '~':
		return true
	}
	return false
}

// isLWS tells linear white space; CR and LF stand inside a value only where the
// line was folded.
func isLWS(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// trim removes linear white space at both ends.
func trim(b []byte) []byte {
	for len(b) > 0 && isLWS(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isLWS(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func allToken(b []byte) bool {
	for _, c := range b {
		if !isToken(c) {
			return false
		}
	}
	return len(b) > 0
}

// parseUint reads decimal digits alone; anything else, or a value above limit,
// is refused.
func parseUint(b []byte, limit uint64) (uint64, bool) {
	if len(b) == 0 || len(b) > 20 {
		return 0, false
	}
	var v uint64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		next := v*10 + uint64(c-'0')
		if next < v || next > limit {
			return 0, false
		}
		v = next
	}
	return v, true
}
