// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

// direct gives a message of a service with policy direct to its worker as it
// is. Whatever has a Call-ID that can be read goes: what is wrong with it
// besides is the worker's matter.
func (h *Handler) direct(d transport.Datagram, m steer.Message) {
	h.count.outcomes[m.Unjudged].Add(1)
	switch {
	case m.Unjudged.Action() == steer.ActionDrop:
		h.drop(dropCause(m.Unjudged))
		return
	case m.CallID == nil:
		h.drop(DropMalformed)
		return
	}
	worker, err := h.Balance(h.Secret.Key(m.CallID), m, d.Remote.Addr())
	switch {
	case err != nil:
		h.drop(DropHandover)
	case worker == 0:
		h.noWorker(d)
	case h.Deliver(worker, d) != nil:
		h.drop(DropHandover)
	default:
		h.count.steered.Add(1)
		h.count.workers[worker%uint32(len(h.count.workers))].Add(1)
	}
}

// noWorker tells the sender of a request to try another balancer (RFC 3261
// §21.5.4); it keeps no state of it.
func (h *Handler) noWorker(d transport.Datagram) {
	m := &h.msg
	if sip.Parse(d.Data, m) != nil || !m.IsRequest() || m.Is("ACK") || !sip.Answerable(m) {
		h.drop(DropHandover)
		return
	}
	h.answer(d, 503, "No Worker Available", "Retry-After: 5\r\n")
}
