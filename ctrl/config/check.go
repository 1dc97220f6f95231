// SPDX-License-Identifier: Apache-2.0

package config

import (
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// checkOneOf wants value in allowed. field is the key without indexes, under
// which notInThisVersion knows it.
func (r *report) checkOneOf(key, field, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	list := strings.Join(allowed, ", ")
	if notInThisVersion(field, value) {
		r.fail(key, "%s is not in this version; allowed: %s", value, list)
		return
	}
	r.fail(key, "%q is not allowed; allowed: %s", value, list)
}

func (r *report) checkRange(key string, value, low, high int) {
	if value < low || value > high {
		r.fail(key, "%d is not between %d and %d", value, low, high)
	}
}

func (r *report) checkDuration(key string, value, low, high time.Duration) {
	if value < low || value > high {
		r.fail(key, "%s is not between %s and %s", value, low, high)
	}
}

func (r *report) checkName(key, name string) {
	if name == "" {
		r.fail(key, "is missing")
	} else if !validName(name) {
		r.fail(key, "%q is not a name: up to 63 letters, digits, \".\", \"_\" and \"-\", starting with a letter or digit", name)
	}
}

func (r *report) checkUnique(seen map[string]string, key, name string) {
	if first, again := seen[name]; again {
		r.fail(key, "%s is already the name of %s", name, strings.TrimSuffix(first, ".name"))
		return
	}
	seen[name] = key
}

// validName keeps names fit for URLs, metric labels and log lines.
func validName(s string) bool {
	if s == "" || len(s) > 63 || !alphanumeric(s[0]) {
		return false
	}
	for i := range len(s) {
		if !alphanumeric(s[i]) && s[i] != '.' && s[i] != '_' && s[i] != '-' {
			return false
		}
	}
	return true
}

// validInterface follows the kernel's dev_valid_name: 15 bytes without blanks,
// slashes and colons.
func validInterface(s string) bool {
	return s != "" && len(s) <= 15 && s != "." && s != ".." && printable(s) && !strings.ContainsAny(s, "/: ")
}

// CanonicalDomain lowers a domain name and brackets an IPv6 literal, which is
// how both stand in a SIP URI; ok is false for anything else.
func CanonicalDomain(s string) (domain string, ok bool) {
	bare := s
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		bare = s[1 : len(s)-1]
	}
	if a, err := netip.ParseAddr(bare); err == nil {
		if a.Zone() != "" || (bare != s && a.Is4()) {
			return "", false
		}
		if a.Is6() {
			return "[" + a.String() + "]", true
		}
		return a.String(), true
	}
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	return name, validHostname(name)
}

func validHostname(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if !alphanumeric(label[i]) && label[i] != '-' && label[i] != '_' {
				return false
			}
		}
	}
	// A last label of digits alone is a mistyped address, not a domain.
	return strings.Trim(labels[len(labels)-1], "0123456789") != ""
}

func alphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}

// printable says whether s can stand in a path, a message and a log line.
func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) < 0
}
