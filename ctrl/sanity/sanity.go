// SPDX-License-Identifier: Apache-2.0

// Package sanity is the first decision about a request that begins something:
// whether it is sound enough to be acted on (RFC 3261 §16.3 and §8.2).
package sanity

import (
	"errors"
	"strings"

	sipgo "github.com/emiago/sipgo/sip"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

// Check judges a parsed request. The error is an *sip.Error with the code that
// answers it: 400 malformed, 416 scheme.
//
// Structure and the fields that sipsteer acts on are checked on the bytes; the
// grammar of all other fields is left to sipgo's parser, so that a worker is
// never handed a request that a full parser refuses.
func Check(m *sip.Message) error {
	if err := sip.Validate(m); err != nil {
		return err
	}
	if _, _, err := m.MaxForwards(); err != nil {
		return err
	}
	u, err := sip.ParseURI(m.RequestURI)
	if err != nil {
		return err
	}
	if !u.IsSIP() && !sip.EqualFold(u.Scheme, "tel") {
		return &sip.Error{Code: 416, Reason: "Unsupported URI Scheme"}
	}
	for _, id := range [...]sip.HeaderID{sip.HRoute, sip.HRecordRoute} {
		for elem := range m.Values(id) {
			if _, err := sip.ParseAddress(elem); err != nil {
				return &sip.Error{Code: 400, Reason: "Malformed " + id.String()}
			}
		}
	}
	return grammar(m)
}

// RequiresExtension lists the extensions that Proxy-Require names, empty when
// there is none. This proxy supports none of them: the answer is 420 with the
// list as Unsupported (RFC 3261 §16.3 step 5).
func RequiresExtension(m *sip.Message) (unsupported string) {
	var list []string
	for elem := range m.Values(sip.HProxyRequire) {
		list = append(list, string(elem))
	}
	return strings.Join(list, ", ")
}

func grammar(m *sip.Message) error {
	end := m.Offset(m.Body) + len(m.Body)
	_, err := sipgo.ParseMessage(m.Raw[:end])
	if err == nil {
		return nil
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	return &sip.Error{Code: 400, Reason: "Malformed Message: " + phrase(err.Error())}
}

// phrase makes a text fit for a reason phrase: one short line of plain ASCII.
func phrase(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
	return s[:min(len(s), 80)]
}
