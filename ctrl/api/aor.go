// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"net/netip"
	"strings"
)

// ParseAOR reads an address of record as a person types it, alice@example.com
// or sip:alice@example.com, and returns user@host with the host in lower case.
// It takes no parameters, port or escapes; the error says what is wrong and
// wraps ErrInvalid.
func ParseAOR(text string) (string, error) {
	bare := text
	if len(bare) >= 4 && strings.EqualFold(bare[:4], "sip:") {
		bare = bare[4:]
	}
	user, host, ok := strings.Cut(bare, "@")
	if !ok {
		return "", aorError(text, "it has no @")
	}
	if user == "" || len(user) > 128 || strings.Trim(user, userChars) != "" {
		return "", aorError(text, "the user part has letters, digits and -_.!~*'()&=+$,/ only")
	}
	host = strings.ToLower(host)
	if !validHost(host) {
		return "", aorError(text, "the part after @ is neither a domain nor an IP address")
	}
	return user + "@" + host, nil
}

// userChars are unreserved and user-unreserved of RFC 3261 section 25.1, less
// ";" and "?", which start parameters for most readers.
const userChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.!~*'()&=+$,/"

func aorError(text, why string) error {
	const most = 80
	if len(text) > most {
		text = text[:most] + "…"
	}
	return fmt.Errorf("%w: %q is not an address such as alice@example.com: %s", ErrInvalid, text, why)
}

func validHost(host string) bool {
	if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		a, err := netip.ParseAddr(host[1 : len(host)-1])
		return err == nil && a.Is6() && a.Zone() == ""
	}
	if host == "" || len(host) > 253 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != "" {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}
