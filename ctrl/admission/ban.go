// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"errors"
	"net/netip"
	"time"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Errors that a caller may test for.
var (
	ErrNotFound = errors.New("not found")
	ErrFixed    = errors.New("it stands in the config file")
	ErrInvalid  = errors.New("invalid")
)

// Ban keeps a source from being heard until a time.
type Ban struct {
	Source netip.Prefix // as from steer.SourceOf
	Since  time.Time
	Until  time.Time
	Reason string
	By     string // ByFailures, or who asked for it
}

// ByFailures is who bans sources that fail to prove themselves.
const ByFailures = "failures"

// Prefix is a range of addresses with a rule.
type Prefix struct {
	Prefix netip.Prefix // masked
	Rule   steer.Rule   // RuleAllow or RuleDeny
	Origin string       // OriginConfig, OriginAPI, or "trunk " and its name
	Note   string
}

// Where a prefix comes from.
const (
	OriginConfig = "config"
	OriginAPI    = "api"
)

// fixed tells whether the prefix can only be changed in the config file.
func (p *Prefix) fixed() bool { return p.Origin != OriginAPI }
