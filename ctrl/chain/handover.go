// SPDX-License-Identifier: Apache-2.0

package chain

import (
	"net/netip"

	"github.com/sipsteer/sipsteer/ctrl/dialog"
	"github.com/sipsteer/sipsteer/ctrl/route"
	"github.com/sipsteer/sipsteer/userspace/handover"
	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// start describes the request in h.msg for its pin.
func (h *Handler) start(worker uint32) dialog.Start {
	m := &h.msg
	cseq, _ := sip.ParseCSeq(m.Value(sip.HCSeq))
	return dialog.Start{
		Worker: worker, Service: h.Service, Method: pinMethod(m.Method), CSeq: cseq.Number,
		Caller: steer.Tail(m.Value(sip.HFrom)),
		Call:   dialog.Call{CallID: string(m.CallID()), From: uriOf(m, sip.HFrom), To: uriOf(m, sip.HTo)},
	}
}

func pinMethod(method []byte) steer.Method {
	switch string(method) {
	case "INVITE":
		return steer.MethodInvite
	case "SUBSCRIBE", "REFER":
		return steer.MethodSubscribe
	}
	return steer.MethodOther
}

func uriOf(m *sip.Message, id sip.HeaderID) string {
	a, err := sip.ParseAddress(m.Value(id))
	if err != nil {
		return ""
	}
	return string(a.URI.Raw)
}

// rewrite makes the request that the worker gets: routed to the first target, the
// others named in header fields, without this service's own Route and the
// credentials meant for it (RFC 3261 §22.3), and with the cookie and ticket that
// prove where it comes from. All other bytes stay. The result is a new slice.
func (h *Handler) rewrite(source netip.Addr, worker uint32, realm string, ownRoutes int, targets []route.Target) []byte {
	m, e, t := &h.msg, &h.edit, &targets[0]
	var more []byte
	for i := range targets[1:] {
		more = targets[i+1].Append(more)
	}
	cookie := h.Signer.Cookie(m.CallID(), worker, h.Now())
	ticket := h.Signer.Ticket(cookie, m.CallID(), branchOf(m), []byte(t.URI), handover.SignedText(more))
	e.Reset(m)
	e.Replace(m.RequestURI, []byte(t.URI))
	e.PopFirst(m, sip.HRoute, ownRoutes)
	h.dropMarks()
	if !h.Router.Trunk(source) {
		h.dropIdentities()
	}
	for i := range m.Headers {
		if f := &m.Headers[i]; f.ID == sip.HProxyAuthorization && h.Auth.InRealm(f.Value, realm) {
			e.Delete(f.Line)
		}
	}
	end := h.headerEnd()
	for _, r := range t.Route {
		e.Insert(end, []byte("Route: "+r+"\r\n"))
	}
	e.Insert(end, []byte(sip.CookieHeader+": "+cookie+"\r\n"+sip.TicketHeader+": "+ticket+"\r\n"))
	e.Insert(end, more)
	return e.AppendTo(make([]byte, 0, len(m.Raw)+512+len(more)))
}

// dropMarks removes the header fields that only the control plane may set.
func (h *Handler) dropMarks() {
	h.edit.DeleteAll(&h.msg, sip.HCookie)
	h.edit.DeleteAll(&h.msg, sip.HTicket)
	h.edit.DeleteAll(&h.msg, sip.HTarget)
}

// headerEnd is the offset behind the last header field.
func (h *Handler) headerEnd() int {
	last := &h.msg.Headers[len(h.msg.Headers)-1]
	return h.msg.Offset(last.Line) + len(last.Line)
}

func branchOf(m *sip.Message) []byte {
	via, err := sip.ParseVia(m.First(sip.HVia))
	if err != nil {
		return nil
	}
	return via.Branch()
}
