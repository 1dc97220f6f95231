// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// CallIDFor returns a Call-ID that the table of the service with policy direct gives to the worker.
func CallIDFor(worker uint32) string {
	for n := 0; ; n++ {
		id := fmt.Sprintf("%d@direct.example.com", n)
		if DirectSlots[DirectSecret.Key([]byte(id)).Slot(uint32(len(DirectSlots)))] == worker {
			return id
		}
	}
}

// directCase is a message to the service with policy direct, under a Call-ID that the table gives to a worker.
type directCase struct {
	name   string
	text   Text
	table  uint32 // the worker that the table names
	before *steer.Pin
	goes   uint32 // the worker that gets it; 0 = none: up
	after  func(*steer.Pin)
}

// callerTail are the last bytes of From in every request here, as the pin keeps them.
var callerTail = binary.LittleEndian.Uint64([]byte("g=314159"))

// made is the pin that a new dialog gets.
func made(worker uint32, method steer.Method, cseq uint32) func(*steer.Pin) {
	return func(p *steer.Pin) {
		*p = steer.Pin{
			Worker: worker, State: steer.StateEarly, CSeq: cseq, Service: DirectID, Method: method, Caller: callerTail,
			StartNS: Now, SeenNS: Now, Requests: 1,
		}
	}
}

func directPin(worker uint32, change func(*steer.Pin)) *steer.Pin {
	p := Pin(worker)
	p.Service = DirectID
	if change != nil {
		change(&p)
	}
	return &p
}

func oneRequest(p *steer.Pin)  { p.Requests++ }
func oneResponse(p *steer.Pin) { p.Responses++ }

func initial(method, cseq string) Text {
	return Request(method).Set("To", "<sip:bob@example.com>").Set("CSeq", cseq+" "+method)
}

func directCases() []Case {
	var cases []Case
	for _, d := range append(directNew(), append(directPinned(), directUnpinned()...)...) {
		for _, to := range []struct{ src, dst netip.AddrPort }{{Client, Direct}, {Client6, Direct6}} {
			cases = append(cases, d.build(Packet{Src: to.src, Dst: to.dst}))
		}
	}
	odd := newCase("direct: a Call-ID that the kernel cannot judge", Packet{
		Src: Client, Dst: Direct, Payload: initial("INVITE", "1").Set("Call-ID", "a b").String(),
	}, nil)
	return append(cases, odd.stopped(steer.PassOddCallID))
}

func (d directCase) build(p Packet) Case {
	id := CallIDFor(d.table)
	p.Payload = d.text.Set("Call-ID", id).String()
	c := newCase(fmt.Sprintf("direct: %s, to %s", d.name, p.Dst.Addr()), p, d.before)
	c.CallID, c.secret = id, DirectSecret
	if d.goes == 0 {
		return c.stopped(steer.PassNoWorker)
	}
	goes := Pin(d.goes)
	c.Pin = &goes // says where it goes
	c = c.steered(p)
	if c.Pin = d.before; c.Pin == nil {
		c.WantPin = steer.Pin{}
	}
	if d.after != nil {
		d.after(&c.WantPin)
	}
	return c
}

func directNew() []directCase {
	invite := initial("INVITE", "1")
	return []directCase{
		{"an INVITE is pinned", invite, WorkerLocal, nil, WorkerLocal, made(WorkerLocal, steer.MethodInvite, 1)},
		{"a SUBSCRIBE is pinned", initial("SUBSCRIBE", "1"), WorkerRedirect, nil, WorkerRedirect, made(WorkerRedirect, steer.MethodSubscribe, 1)},
		{"a REFER is pinned", initial("REFER", "7"), WorkerTX, nil, WorkerTX, made(WorkerTX, steer.MethodSubscribe, 7)},
		{"CSeq that cannot be read", invite.Set("CSeq", "x"), WorkerTX, nil, WorkerTX, made(WorkerTX, steer.MethodInvite, 0)},
		{"folded CSeq", invite.Set("CSeq", "1\r\n INVITE"), WorkerTX, nil, WorkerTX, made(WorkerTX, steer.MethodInvite, 0)},
		{"no CSeq", invite.Without("CSeq"), WorkerTX, nil, WorkerTX, made(WorkerTX, steer.MethodInvite, 0)},
		{"the table names a worker that is down", invite, WorkerDown, nil, 0, nil},
		{"the table names a worker that is not there", invite, WorkerUnknown, nil, 0, nil},
	}
}

func directPinned() []directCase {
	confirmed := func(p *steer.Pin) { p.State, p.AnswerNS = steer.StateConfirmed, 700 }
	answered := func(p *steer.Pin) { p.State, p.Caller = steer.StateConfirmed, callerTail }
	ended := func(p *steer.Pin) {
		p.State, p.EndNS, p.FinalCode, p.Requests, p.Responses = steer.StateEnded, 700, 407, 9, 9
	}
	movedTo := func(worker uint32) func(*steer.Pin) {
		return func(p *steer.Pin) { p.Worker, p.Requests = worker, 1 }
	}
	return []directCase{
		{"the INVITE again", initial("INVITE", "2"), WorkerLocal, directPin(WorkerTX, nil), WorkerTX, oneRequest},
		{"the next attempt", initial("INVITE", "3"), WorkerLocal, directPin(WorkerTX, nil), WorkerTX, made(WorkerTX, steer.MethodInvite, 3)},
		{"the next attempt behind an end", initial("INVITE", "3"), WorkerLocal, directPin(WorkerTX, ended), WorkerTX, made(WorkerTX, steer.MethodInvite, 3)},
		{"the INVITE again behind its end", initial("INVITE", "2"), WorkerLocal, directPin(WorkerTX, ended), WorkerTX, oneRequest},
		{"an INVITE in an answered dialog", initial("INVITE", "9"), WorkerLocal, directPin(WorkerTX, confirmed), WorkerTX, oneRequest},
		{"a SUBSCRIBE while it rings", initial("SUBSCRIBE", "9"), WorkerLocal, directPin(WorkerTX, nil), WorkerTX, oneRequest},
		{"a MESSAGE", initial("MESSAGE", "9"), WorkerLocal, directPin(WorkerTX, nil), WorkerTX, oneRequest},
		{"200", Response("SIP/2.0 200 OK").Set("CSeq", "2 INVITE"), WorkerLocal, directPin(WorkerTX, nil), WorkerTX, func(p *steer.Pin) {
			oneResponse(p)
			p.State, p.AnswerNS, p.FinalCode = steer.StateConfirmed, Now, 200
		}},
		{"the caller's BYE", Request("BYE"), WorkerLocal, directPin(WorkerTX, answered), WorkerTX, func(p *steer.Pin) {
			oneRequest(p)
			p.State, p.EndNS, p.EndedBy = steer.StateEnded, Now, steer.ByCaller
		}},
		{"a pin whose worker is gone moves", Request("INFO"), WorkerRedirect, directPin(WorkerDown, nil), WorkerRedirect, movedTo(WorkerRedirect)},
		{"a pin whose worker is not there moves", initial("INVITE", "2"), WorkerLocal, directPin(WorkerUnknown, nil), WorkerLocal, movedTo(WorkerLocal)},
		{"no worker is left for a pin", Request("INFO"), WorkerDown, directPin(WorkerUnknown, nil), 0, nil},
	}
}

func directUnpinned() []directCase {
	var cases []directCase
	for name, text := range map[string]Text{
		"REGISTER": initial("REGISTER", "1"), "OPTIONS": initial("OPTIONS", "1"), "MESSAGE": initial("MESSAGE", "1"),
		"BYE": Request("BYE"), "ACK": Request("ACK"), "CANCEL": Request("CANCEL"), "re-INVITE": Request("INVITE"),
		"200": Response("SIP/2.0 200 OK"),
	} {
		cases = append(cases, directCase{name + " without a pin goes by the table", text, WorkerTX, nil, WorkerTX, nil})
	}
	return cases
}
