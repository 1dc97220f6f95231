// SPDX-License-Identifier: Apache-2.0

package steertest

import (
	"net/netip"
	"slices"

	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Case is one packet and what is wanted of it.
type Case struct {
	Name   string
	Frame  []byte
	CallID string     // of the pin
	Pin    *steer.Pin // before; nil for none
	secret steer.Secret

	Action  steer.XDPAction
	Outcome steer.Outcome
	Want    []byte    // the frame as it leaves
	WantPin steer.Pin // after, with times settled; zero for none
}

// Key is the key of the Call-ID at the service that the packet goes to.
func (c Case) Key() steer.Key { return c.secret.Key([]byte(c.CallID)) }

// Cases returns the whole table.
func Cases() []Case {
	return slices.Concat(messageCases(), frameCases(), tunnelCases(), dialogCases(), directCases(), sourceCases())
}

// steered fills in what is wanted when the packet goes to its worker.
func (c Case) steered(p Packet) Case {
	if c.Pin.Worker == WorkerLocal {
		c.Action, c.Outcome = steer.XDPPass, steer.SteerLocal
		p.Dst = netip.AddrPortFrom(p.Dst.Addr(), LocalPort)
		c.Want = p.Frame()
	} else {
		w := Workers()[c.Pin.Worker]
		c.Action, c.Outcome = steer.XDPTX, map[steer.Forward]steer.Outcome{
			steer.ForwardL2: steer.SteerL2TX, steer.ForwardIPIP: steer.SteerIPIP, steer.ForwardGUE: steer.SteerGUE,
		}[w.Forward]
		if w.IfIndex != IngressIndex {
			c.Action = steer.XDPRedirect
			if w.Forward == steer.ForwardL2 {
				c.Outcome = steer.SteerL2Redirect
			}
		}
		c.Want = sent(w, p, Secret.Key([]byte(c.CallID)))
	}
	c.WantPin.SeenNS = Now
	return c
}

// stopped fills in what is wanted when it does not.
func (c Case) stopped(o steer.Outcome) Case {
	c.Action, c.Outcome, c.Want = steer.XDPPass, o, c.Frame
	if o.Action() == steer.ActionDrop {
		c.Action = steer.XDPDrop
	}
	return c
}

func newCase(name string, p Packet, pin *steer.Pin) Case {
	c := Case{Name: name, Frame: p.Frame(), CallID: CallID, Pin: pin, secret: Secret}
	if pin != nil {
		c.WantPin = *pin
	}
	return c
}

func toVIP(payload string) Packet { return Packet{Src: Client, Dst: VIP, Payload: payload} }

// messageCases are those of message.go, sent to the VIP with a pin to the local worker.
func messageCases() []Case {
	var cases []Case
	for _, m := range Messages() {
		pin := Pin(WorkerLocal)
		pin.State, pin.CSeq = steer.StateConfirmed, 90000 // nothing but packet counts changes
		p := toVIP(m.Text)
		c := newCase(m.Name, p, &pin)
		if m.CallID != "" {
			c.CallID = m.CallID
		}
		if m.Outcome != steer.SteerLocal {
			cases = append(cases, c.stopped(m.Outcome))
			continue
		}
		c = c.steered(p)
		if m.Response {
			c.WantPin.Responses = 1
		} else {
			c.WantPin.Requests = 1
		}
		if m.Bye {
			c.WantPin.State, c.WantPin.EndNS = steer.StateEnded, Now
		}
		cases = append(cases, c)
	}
	return cases
}
