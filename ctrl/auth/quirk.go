// SPDX-License-Identifier: Apache-2.0

package auth

import (
	"slices"
	"strings"
)

// md5Only are the User-Agents, in lower case, that give up on a 401 or 407 when
// any challenge in it has an algorithm they do not know, instead of passing that
// challenge over (RFC 7616 §3.7). Measured: baresip 1.0.0.
var md5Only = [...]string{"baresip v0.", "baresip v1."}

// bearable are the algorithms to offer to a client. Nobody gains by pretending to
// be an old client: what is accepted does not change.
func (v *Verifier) bearable(userAgent string) []Algorithm {
	agent := strings.ToLower(userAgent)
	old := slices.ContainsFunc(md5Only[:], func(p string) bool { return strings.HasPrefix(agent, p) })
	if old && slices.Contains(v.algs, MD5) {
		return []Algorithm{MD5}
	}
	return v.algs
}
