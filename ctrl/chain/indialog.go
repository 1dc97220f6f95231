// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/steer"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

// inDialog takes a request with a To tag and no pin: it belongs to a dialog
// whose pin was lost, and the cookie in its Route proves that, or to none (481).
func (h *Handler) inDialog(d transport.Datagram, judged steer.Message) {
	worker, ok := h.proven()
	if !ok {
		h.answer(d, 481, "Call/Transaction Does Not Exist")
		return
	}
	if !h.takeUp(d, judged, worker) {
		h.answer(d, 503, "No Worker Available", "Retry-After: 5\r\n")
	}
}

// ack takes an ACK without a pin: to an own final answer, which ends here; of a
// dialog that can prove itself; or of nothing. An ACK is never answered.
func (h *Handler) ack(d transport.Datagram, judged steer.Message) {
	m := &h.msg
	if sip.Validate(m) != nil {
		h.drop(DropMalformed)
		return
	}
	to, _ := sip.ParseAddress(m.Value(sip.HTo))
	from, _ := sip.ParseAddress(m.Value(sip.HFrom))
	if string(to.Tag()) == h.Signer.ToTag(m.CallID(), from.Tag()) {
		h.count.ownACK.Add(1)
		return
	}
	worker, ok := h.proven()
	if !ok || !h.takeUp(d, judged, worker) {
		h.drop(DropStrayACK)
	}
}

// response takes a response without a pin. Only one that answers a request of
// our own workers, by the proof in its branch, goes on.
func (h *Handler) response(d transport.Datagram) {
	if sip.Validate(&h.msg) != nil {
		h.drop(DropMalformed)
		return
	}
	worker, ok := h.Answered(&h.msg)
	if ok && !h.Pool.Reachable(worker) {
		// Any worker finds the way back by the branch.
		worker, ok = h.Pool.Choose(h.Secret.Key(h.msg.CallID()))
	}
	if !ok {
		h.drop(DropStrayResponse)
		return
	}
	h.deliver(worker, d)
}

// proven reads the cookie from the Route that a worker's Record-Route became.
func (h *Handler) proven() (worker uint32, ok bool) {
	a, err := sip.ParseAddress(h.msg.First(sip.HRoute))
	if err != nil || !h.Domains.SelfHost(a.URI.Host, a.URI.Port) {
		return 0, false
	}
	cookie, _ := a.URI.Params.Get("ss")
	return h.Signer.VerifyCookie(string(cookie), h.msg.CallID(), h.Now())
}

// takeUp pins a proven dialog again, to its worker where that can be reached,
// and hands the request over as it is.
func (h *Handler) takeUp(d transport.Datagram, judged steer.Message, worker uint32) bool {
	key := h.Secret.Key(h.msg.CallID())
	if !h.Pool.Reachable(worker) {
		var ok bool
		if worker, ok = h.Pool.Choose(key); !ok {
			return false
		}
	}
	s := h.start(worker)
	if s.Method == steer.MethodOther {
		s.Method = steer.MethodInvite // of a subscription only a refresh could tell
	}
	if h.Dialogs.Repin(key, s) != nil {
		return false
	}
	h.Pins.Note(key, judged)
	h.edit.Reset(&h.msg)
	h.dropMarks()
	d.Data = h.edit.AppendTo(nil)
	h.deliver(worker, d)
	return true
}

func (h *Handler) deliver(worker uint32, d transport.Datagram) {
	if h.Deliver(worker, d) != nil {
		h.drop(DropHandover)
		return
	}
	h.count.handedOver.Add(1)
}
