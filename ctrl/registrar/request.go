// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"bytes"
	"net/netip"
	"strings"

	"github.com/sipsteer/sipsteer/userspace/sip"
)

// Request is what a REGISTER asks for. It holds no bytes of the message, so it
// may outlive it.
type Request struct {
	AOR       string // whose bindings: user@domain
	CallID    string
	CSeq      uint32
	UserAgent string
	Source    netip.AddrPort // where the request came from
	Local     netip.AddrPort // the VIP it came to
	Path      []string
	All       bool // Contact: * with Expires: 0
	Contacts  []Contact
}

// Contact is one element of Contact.
type Contact struct {
	URI      string
	Expires  uint32 // seconds asked for; 0 removes
	Given    bool   // false when neither parameter nor header field said how long
	Q        uint16 // thousandths
	Instance string // +sip.instance with its quotes, or empty
	NATed    bool   // to be reached where the request came from

	parsed sip.URI // of URI
}

// What is kept of a request is bounded, or one user could fill the memory.
const (
	maxUserAgent = 128  // bytes; the rest is cut off
	maxText      = 1024 // bytes of a URI, Call-ID or Path element; more is refused
	maxPath      = 16   // elements
)

// Refusal is a request that cannot be carried out, with what answers it.
type Refusal struct {
	sip.Error
	Headers []string // further header lines of the answer
}

func refuse(code int, reason string, headers ...string) *Refusal {
	return &Refusal{sip.Error{Code: code, Reason: reason}, headers}
}

// Read takes a REGISTER apart. aor is the address of record in To, as the caller
// compares them. The refusal is a 400 or 420.
func Read(m *sip.Message, source, local netip.AddrPort, aor string) (*Request, *Refusal) {
	if r := checkRequire(m); r != nil {
		return nil, r
	}
	cseq, err := sip.ParseCSeq(m.Value(sip.HCSeq))
	if err != nil || len(m.CallID()) == 0 || len(m.CallID()) > maxText {
		return nil, refuse(400, "Malformed CSeq or Call-ID")
	}
	q := &Request{
		AOR: aor, CallID: string(m.CallID()), CSeq: cseq.Number, Source: source, Local: local,
		UserAgent: clean(m.Value(sip.HUserAgent)),
	}
	if len(q.UserAgent) > maxUserAgent {
		q.UserAgent = strings.ToValidUTF8(q.UserAgent[:maxUserAgent], "")
	}
	if r := q.readPath(m); r != nil {
		return nil, r
	}
	if r := q.readContacts(m); r != nil {
		return nil, r
	}
	return q, nil
}

// checkRequire refuses what the registrar does not know (RFC 3261 §8.2.2.3).
func checkRequire(m *sip.Message) *Refusal {
	var unknown []string
	for option := range m.Values(sip.HRequire) {
		if len(option) > 0 && !sip.EqualFold(option, "path") {
			unknown = append(unknown, clean(option))
		}
	}
	if unknown == nil {
		return nil
	}
	return refuse(420, "Bad Extension", "Unsupported: "+strings.Join(unknown, ", ")+"\r\n")
}

func (q *Request) readPath(m *sip.Message) *Refusal {
	if !lists(m, sip.HSupported, "path") && !lists(m, sip.HRequire, "path") {
		return nil
	}
	for elem := range m.Values(sip.HPath) {
		a, err := sip.ParseAddress(elem)
		if err != nil || !a.URI.IsSIP() || len(elem) > maxText || len(q.Path) == maxPath {
			return refuse(400, "Malformed Path")
		}
		q.Path = append(q.Path, clean(elem))
	}
	return nil
}

func lists(m *sip.Message, id sip.HeaderID, option string) bool {
	for elem := range m.Values(id) {
		if sip.EqualFold(elem, option) {
			return true
		}
	}
	return false
}

func (q *Request) readContacts(m *sip.Message) *Refusal {
	asked, given := uint32(0), false
	if h := m.Get(sip.HExpires); h != nil {
		asked, given = seconds(h.Value), true
	}
	vias := 0
	for range m.Values(sip.HVia) {
		vias++
	}
	direct := vias == 1 && len(q.Path) == 0
	elems := 0
	for elem := range m.Values(sip.HContact) {
		elems++
		if string(elem) == "*" {
			q.All = true
			continue
		}
		c, r := readContact(elem)
		if r != nil {
			return r
		}
		c.NATed = direct && c.hidden(q.Source.Addr())
		if !c.Given {
			c.Expires, c.Given = asked, given
		}
		q.Contacts = append(q.Contacts, c)
	}
	if q.All && (elems > 1 || !given || asked != 0) {
		return refuse(400, "Contact * must be alone and with Expires 0")
	}
	return nil
}

func readContact(elem []byte) (c Contact, r *Refusal) {
	a, err := sip.ParseAddress(elem)
	if err != nil || len(elem) > maxText {
		return c, refuse(400, "Malformed Contact")
	}
	// It is written back into headers and shown to people.
	if bytes.ContainsFunc(a.URI.Raw, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return c, refuse(400, "Malformed Contact")
	}
	c.parsed, _ = sip.ParseURI(bytes.Clone(a.URI.Raw))
	c.URI, c.Q = string(a.URI.Raw), 1000
	if v, ok := a.Params.Get("expires"); ok {
		c.Expires, c.Given = seconds(v), true
	}
	if v, ok := a.Params.Get("q"); ok {
		if c.Q, ok = thousandths(v); !ok {
			return c, refuse(400, "Malformed q")
		}
	}
	if v, ok := a.Params.Get("+sip.instance"); ok {
		c.Instance = clean(v)
	}
	return c, nil
}

// hidden tells whether the contact says nothing about how to reach a phone whose
// packets come from source.
func (c *Contact) hidden(source netip.Addr) bool {
	if !c.parsed.IsSIP() {
		return false
	}
	addr, literal := c.parsed.Addr()
	return !literal || private(addr) && addr != source.Unmap()
}
