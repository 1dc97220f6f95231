// SPDX-License-Identifier: Apache-2.0

// Package explain says of raw messages what the kernel program and its twin decide about them, and why, in words for the
// person who is on call. It changes nothing: where a running system is asked, its tables are only read.
package explain

import (
	"net/netip"

	"github.com/sipsteer/sipsteer/userspace/sip"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Explanation is what is found about one message. Texts from the message are escaped; see Escape.
type Explanation struct {
	File        string `json:"file"`
	Packet      int    `json:"packet,omitempty"`      // number in the capture, from 1
	Source      string `json:"source,omitempty"`      // address and port, of a packet in a capture
	Destination string `json:"destination,omitempty"` // the same

	// Verdict is the outcome that the datapath counts. Kernel and Twin are what each says; Kernel is empty where it was
	// not asked, and NoKernel says why then.
	Verdict  string `json:"verdict"`
	Kernel   string `json:"kernel,omitempty"`
	Twin     string `json:"twin"`
	NoKernel string `json:"no_kernel,omitempty"`

	CallID string `json:"call_id"` // empty when there is none that steering could use
	Method string `json:"method,omitempty"`
	Status int    `json:"status,omitempty"`
	ToTag  string `json:"to_tag"`

	Key    string `json:"key,omitempty"`    // of the pin, in hexadecimal; only where the secret is known
	Worker string `json:"worker,omitempty"` // that the call is pinned to
	State  string `json:"state,omitempty"`  // of the pin: early, confirmed, ended
	Reason string `json:"reason"`
	Hint   string `json:"hint,omitempty"`
}

// Agree tells whether kernel and twin say the same, or only the twin was asked.
func (x *Explanation) Agree() bool { return x.Kernel == "" || x.Kernel == x.Twin }

// Kernel judges a frame by the program itself, with these tables. It is asked for one frame at a time.
type Kernel func(frame []byte, t Tables) (steer.Outcome, error)

// Tables is what one frame is judged with: the service it is sent to and the pin of its Call-ID, if there are any.
type Tables struct {
	Address netip.AddrPort
	Service *steer.Service
	Key     steer.Key
	Pin     *steer.Pin
	Worker  steer.Worker
}

// System is what is known of the site that the messages belong to. The zero value knows nothing: every destination is
// taken for a service then, and no Call-ID is looked up.
type System struct {
	Services map[netip.AddrPort]steer.Service // nil: unknown
	Default  netip.AddrPort                   // where a message without an address is taken to go
	Keyed    bool                             // the services have their real secrets
	Pin      func(steer.Key) (steer.Pin, bool)
	Worker   func(id uint32) (way steer.Worker, name string)
}

// Explainer explains one message after the other.
type Explainer struct {
	Kernel   Kernel // nil: only the twin is asked
	NoKernel string // why
	System   System
	// Check is what the control plane asks of a request that starts something; the error is what it answers.
	Check func(*sip.Message) error
}

// vip stands for the service where none is known (an address for documentation, RFC 5737).
var vip = netip.MustParseAddrPort("192.0.2.10:5060")

// Explain judges a message. The error is one of the kernel's test run.
func (e *Explainer) Explain(p Packet) (Explanation, error) {
	x := Explanation{File: p.File, Packet: p.Number, NoKernel: e.NoKernel}
	frame := p.Frame
	if frame == nil {
		p.Destination = e.destination()
		frame = frameOf(p.Destination, p.Payload)
	} else if p.Source.IsValid() {
		x.Source, x.Destination = p.Source.String(), p.Destination.String()
	}
	tables := e.tables(p.Destination)
	v := e.twin(frame, &tables)
	x.Verdict, x.Twin = v.Outcome.String(), v.Outcome.String()
	if e.Kernel != nil {
		o, err := e.Kernel(frame, tables)
		if err != nil {
			return x, err
		}
		x.Verdict, x.Kernel = o.String(), o.String()
	}
	e.read(&x, p, v.Outcome, tables)
	return x, nil
}

func (e *Explainer) destination() netip.AddrPort {
	if e.System.Default.IsValid() {
		return e.System.Default
	}
	return vip
}

func (e *Explainer) tables(to netip.AddrPort) Tables {
	t := Tables{Address: netip.AddrPortFrom(to.Addr().Unmap(), to.Port())}
	if e.System.Services == nil {
		t.Service = &steer.Service{ID: 1, Kind: steer.ServiceVIP}
	} else if s, ok := e.System.Services[t.Address]; ok {
		t.Service = &s
	}
	return t
}

// twin judges a frame in user space and leaves in t what it looked up.
func (e *Explainer) twin(frame []byte, t *Tables) steer.FrameVerdict {
	return steer.Frame(frame, Ingress, steer.Tables{
		Service: func(a netip.AddrPort) (steer.Service, bool) {
			if t.Service == nil || a != t.Address {
				return steer.Service{}, false
			}
			return *t.Service, true
		},
		Pin: func(k steer.Key) *steer.Pin {
			e.lookUp(k, t)
			if t.Pin == nil {
				return nil
			}
			copied := *t.Pin
			return &copied
		},
		Worker: func(uint32) (steer.Worker, bool) { return t.Worker, true },
	})
}

// Ingress is the interface that frames come in by: the loopback, as in the kernel's test run.
const Ingress = 1

func (e *Explainer) lookUp(k steer.Key, t *Tables) {
	t.Key, t.Pin = k, nil
	if e.System.Pin == nil {
		return
	}
	if pin, ok := e.System.Pin(k); ok {
		t.Pin = &pin
		t.Worker, _ = e.System.Worker(pin.Worker)
	}
}

// read fills in what sipsteer as a whole makes of the message.
func (e *Explainer) read(x *Explanation, p Packet, o steer.Outcome, t Tables) {
	if p.Incomplete {
		x.Reason = incomplete(p)
		return
	}
	judged := steer.Judge(p.Payload)
	var m sip.Message
	fault := sip.Parse(p.Payload, &m)
	x.CallID = Escape(judged.CallID)
	x.Method, x.Status, x.ToTag = Escape(m.Method), m.Status, Escape(toTag(&m))
	if len(judged.CallID) > 0 && t.Service != nil {
		e.lookUp(t.Service.Secret.Key(judged.CallID), &t)
		if e.System.Keyed {
			x.Key = t.Key.String()
		}
		if t.Pin != nil {
			_, x.Worker = e.System.Worker(t.Pin.Worker)
			x.State = t.Pin.State.String()
		}
	}
	w := words{e, o, judged, &m, fault, t.Pin, x.Worker}
	x.Reason, x.Hint = w.reason(), hint(p, o)
}

func toTag(m *sip.Message) []byte {
	if m.Count(sip.HTo) != 1 {
		return nil
	}
	a, err := sip.ParseAddress(m.Value(sip.HTo))
	if err != nil {
		return nil
	}
	return a.Tag()
}
