// SPDX-License-Identifier: Apache-2.0

package explain

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// why says what the kernel saw, by outcome.
var why = map[steer.Outcome]string{
	steer.PassNotOurs:        "left alone: not UDP for the address and port of a service",
	steer.PassInitial:        "up: a request without a To tag starts something new",
	steer.PassNoPin:          "up: the kernel has no pin for this Call-ID",
	steer.PassFragment:       "up: a fragment, and only a whole datagram shows its Call-ID",
	steer.PassIPOptions:      "up: the IPv4 header has options",
	steer.PassIPv6Ext:        "up: an IPv6 extension header that the kernel does not walk over",
	steer.PassLeadingCRLF:    "up: empty lines stand before the message",
	steer.PassNoHeaderEnd:    "up: no empty line ends the header",
	steer.PassNoCallID:       "up: there is no Call-ID",
	steer.PassRepeatedCallID: "up: Call-ID is repeated, user space judges",
	steer.PassFolded:         "up: Call-ID, To or CSeq goes on in another line (folding)",
	steer.PassOddCallID:      "up: Call-ID is empty, or has blanks or control bytes in or around it",
	steer.PassOddTo:          "up: To takes a full parse, or is missing or repeated",
	steer.PassOddCSeq:        "up: CSeq is missing, repeated, or not number and method",
	steer.PassBareLF:         "up: a header line ends in LF without CR",
	steer.PassTooLong:        fmt.Sprintf("up: the header is longer than the %d bytes or %d lines that the kernel reads", steer.TextMax, steer.MaxLines),
	steer.PassNoWorker:       "up: the worker that the call is pinned to cannot be reached",
	steer.DropNotSIP:         "dropped: no SIP message begins like this",
	steer.DropKeepalive:      "dropped: a keepalive, not a message",
	steer.DropWorkerPort:     "dropped: sent from outside to the port of a local worker",
	steer.DropBadLength:      "dropped: the UDP length does not fit the packet",
	steer.DropDenied:         "dropped: the source is in a deny prefix",
	steer.DropBanned:         "dropped: the source is banned",
	steer.DropSourceRate:     "dropped: the source begins more than it may",
	steer.DropServiceRate:    "dropped: all sources together begin more than the service takes",
}

// words finds the words for one message.
type words struct {
	*Explainer
	outcome steer.Outcome
	judged  steer.Message
	msg     *sip.Message
	fault   error // of sip.Parse
	pin     *steer.Pin
	worker  string
}

func (w words) reason() string {
	switch w.outcome.Action() {
	case steer.ActionSteer:
		return fmt.Sprintf("steered: the call is pinned to worker %s", w.worker)
	case steer.ActionDrop:
		return w.kernel()
	}
	if w.outcome == steer.PassNotOurs {
		return w.kernel()
	}
	if w.outcome == steer.PassNoPin && w.System.Pin == nil {
		return "steered, if its Call-ID is pinned (no running system was asked); up otherwise, where " + w.unpinned()
	}
	return w.kernel() + "; " + w.userSpace()
}

// kernel says why the kernel decided so. An outcome without words here speaks by its name.
func (w words) kernel() string {
	if s, ok := why[w.outcome]; ok {
		return s
	}
	name := w.outcome.String()
	action, cause, _ := strings.Cut(name, "_")
	return map[string]string{"pass": "up: ", "drop": "dropped: "}[action] + strings.ReplaceAll(cause, "_", " ")
}

// userSpace says what becomes of what goes up.
func (w words) userSpace() string {
	switch {
	case w.judged.Unjudged.Action() == steer.ActionDrop:
		return "user space drops it: " + strings.TrimPrefix(why[w.judged.Unjudged], "dropped: ")
	case w.judged.Unjudged != steer.Undecided:
		return w.unusable()
	case w.judged.Initial():
		return w.initial()
	case w.pin != nil && w.outcome != steer.PassNoWorker:
		return "user space can read it and sends it to worker " + w.worker + ", to which the call is pinned"
	case w.outcome == steer.PassNoPin, w.outcome == steer.PassNoWorker:
		return w.unpinned()
	case w.System.Pin == nil:
		return "user space can read it and sends it to the worker of its pin, if there is one; otherwise " + w.unpinned()
	}
	return "user space can read it, and finds no pin: " + w.unpinned()
}

// initial is the control plane's way of a request that starts something.
func (w words) initial() string {
	if w.fault != nil {
		return w.refused(w.fault)
	}
	if w.Check != nil {
		if err := w.Check(w.msg); err != nil {
			return w.refused(err)
		}
	}
	if w.msg.Is("REGISTER") {
		return "the control plane's registrar decides"
	}
	return "the control plane decides, and chooses the worker"
}

// unpinned is the control plane's way of what belongs to a dialog that has no pin.
func (w words) unpinned() string {
	invalid := w.fault
	if invalid == nil {
		invalid = sip.Validate(w.msg)
	}
	switch {
	case invalid != nil:
		return w.refused(invalid)
	case !w.msg.IsRequest():
		return "the control plane passes on a response only if it answers a worker's own request"
	case w.msg.Is("ACK"):
		return "the control plane takes an ACK to its own answer, or one whose Route proves the dialog, and drops others"
	case w.msg.Is("CANCEL"):
		return "the control plane answers 481"
	}
	return "the control plane takes it only if its Route proves the dialog, and answers 481 otherwise"
}

// unusable says why user space can do no more with it than the kernel.
func (w words) unusable() string {
	flaw := strings.TrimPrefix(why[w.judged.Unjudged], "up: ")
	what := "user space reads it in full and cannot use it: " + flaw + "; "
	if w.judged.Unjudged == w.outcome {
		what = ""
	}
	fault := w.fault
	if fault == nil {
		fault = sip.Validate(w.msg)
	}
	if fault == nil {
		fault = &sip.Error{Code: 400, Reason: "Malformed Message"}
	}
	return what + w.refused(fault)
}

// refused tells what the control plane does with a faulty message: it answers requests that can be answered.
func (w words) refused(fault error) string {
	var e *sip.Error
	if !errors.As(fault, &e) || e == sip.ErrNotSIP {
		return "the control plane drops it: not a SIP message"
	}
	if !sip.Answerable(w.msg) {
		return fmt.Sprintf("the control plane drops it: %s", e.Reason)
	}
	return fmt.Sprintf("the control plane answers %d %s", e.Code, e.Reason)
}

// incomplete speaks of a fragment whose others are not there.
func incomplete(p Packet) string {
	return why[steer.PassFragment] + "; the other fragments come later or are missing in the capture"
}

// hint tells what may be wrong with the file rather than with the message.
func hint(p Packet, o steer.Outcome) string {
	header, _, _ := bytes.Cut(p.Payload, []byte("\n\n"))
	switch {
	case p.Number == 0 && o == steer.PassBareLF && !bytes.Contains(header, []byte("\r\n")):
		return `the file has LF line ends, SIP has CR LF: sed 's/$/\r/' FILE | sipsteer explain -`
	case p.Number == 0 && o == steer.PassNoHeaderEnd:
		return "an empty line (CR LF alone) ends the header; the file has none"
	case p.Short:
		return "the capture holds only the beginning of this packet; capture whole packets: tcpdump -s 0"
	case len(p.Parts) > 1:
		return fmt.Sprintf("the message is put together from packets %s", strings.Trim(strings.Join(strings.Fields(fmt.Sprint(p.Parts)), ", "), "[]"))
	}
	return ""
}
