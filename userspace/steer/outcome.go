// SPDX-License-Identifier: Apache-2.0

package steer

import "fmt"

// Outcome names what became of a packet. Names and numbers equal enum outcome in bpf/include/outcomes.h.
type Outcome uint32

// The outcomes. Whether it is normal to see one above zero stands in bpf/include/outcomes.h.
const (
	Undecided Outcome = iota // never counted; in a Message: it can be judged
	PassNotOurs
	PassInitial
	PassNoPin
	PassFragment
	PassIPOptions
	PassIPv6Ext
	PassLeadingCRLF
	PassNoHeaderEnd
	PassNoCallID
	PassRepeatedCallID
	PassFolded
	PassOddCallID
	PassOddTo
	PassOddCSeq
	PassBareLF
	PassTooLong
	PassNoWorker
	PassTooBig
	PassPartialChecksum
	PassNoHeadroom
	DropNotSIP
	DropKeepalive
	DropWorkerPort
	DropBadLength
	DropTooBig
	DropDenied
	DropBanned
	DropSourceRate
	DropServiceRate
	SteerLocal
	SteerL2TX
	SteerL2Redirect
	SteerIPIP
	SteerGUE
	outcomes
)

var outcomeNames = [outcomes]string{
	"undecided", "pass_not_ours", "pass_initial", "pass_no_pin", "pass_fragment", "pass_ip_options", "pass_ipv6_ext",
	"pass_leading_crlf", "pass_no_header_end", "pass_no_call_id", "pass_repeated_call_id", "pass_folded",
	"pass_odd_call_id", "pass_odd_to", "pass_odd_cseq", "pass_bare_lf", "pass_too_long", "pass_no_worker",
	"pass_too_big", "pass_partial_checksum", "pass_no_headroom",
	"drop_not_sip", "drop_keepalive", "drop_worker_port", "drop_bad_length", "drop_too_big", "drop_denied", "drop_banned",
	"drop_source_rate", "drop_service_rate", "steer_local", "steer_l2_tx",
	"steer_l2_redirect", "steer_ipip", "steer_gue",
}

// String returns the name used in C (there in upper case), API, metrics and docs.
func (o Outcome) String() string {
	if o < outcomes {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome_%d", uint32(o))
}

// Action returns what the outcome does to the packet.
func (o Outcome) Action() Action {
	switch {
	case o >= SteerLocal:
		return ActionSteer
	case o >= DropNotSIP:
		return ActionDrop
	default:
		return ActionPass
	}
}

// Outcomes lists every outcome that is counted, in the order of their numbers.
func Outcomes() []Outcome {
	all := make([]Outcome, 0, outcomes-1)
	for o := Undecided + 1; o < outcomes; o++ {
		all = append(all, o)
	}
	return all
}

// Action is what happens to a packet.
type Action uint8

// The actions.
const (
	ActionPass  Action = iota // up: to the stack, and for a service to the control plane
	ActionDrop                // dropped and counted
	ActionSteer               // to the worker that the pin names
)

// String returns pass, drop or steer.
func (a Action) String() string {
	switch a {
	case ActionPass:
		return "pass"
	case ActionDrop:
		return "drop"
	default:
		return "steer"
	}
}
