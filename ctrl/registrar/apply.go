// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/location"
	"github.com/sipsteer/sipsteer/userspace/sip"
)

// Limits bound what a REGISTER may ask for; whole seconds.
type Limits struct {
	DefaultExpires time.Duration // when none is asked for
	MinExpires     time.Duration // less than this, and less than an hour, is answered 423
	MaxExpires     time.Duration // more is cut to this
	MaxContacts    int           // bindings of one address of record
	ServiceRoute   []string      // URIs to name in Service-Route (RFC 3608)
}

// Outcome is what becomes of a REGISTER.
type Outcome struct {
	Answer
	Bindings []location.Binding // the bindings there shall be; only when Changed
	Changed  bool
}

// Answer is the final response to a REGISTER.
type Answer struct {
	Code    int
	Reason  string
	Headers []string // whole lines with CRLF
}

// Process is Read and Apply in one, for a request that need not wait.
func Process(now time.Time, m *sip.Message, source, local netip.AddrPort, aor string, current []location.Binding, limits Limits) Outcome {
	q, refusal := Read(m, source, local, aor)
	if refusal != nil {
		return Outcome{Answer: refusal.answer()}
	}
	return q.Apply(now, current, limits)
}

func (r *Refusal) answer() Answer { return Answer{r.Code, r.Reason, r.Headers} }

// Query tells whether the request only asks for the bindings.
func (q *Request) Query() bool { return !q.All && len(q.Contacts) == 0 }

// Apply works the request out against the bindings there are, all of it or
// nothing (RFC 3261 §10.3 steps 6 to 8). current is left as it is; expired
// bindings in it count for nothing.
func (q *Request) Apply(now time.Time, current []location.Binding, limits Limits) Outcome {
	now = time.UnixMilli(now.UnixMilli())
	before := liveEntries(current, now)
	if q.Query() {
		return Outcome{Answer: q.ok(now, sortedBindings(before), limits.ServiceRoute)}
	}
	if len(q.Contacts) > 2*limits.MaxContacts { // as many new ones as old ones to remove
		return Outcome{Answer: tooMany()}
	}
	set := slices.Clone(before)
	if q.All {
		if slices.ContainsFunc(before, q.late) {
			return Outcome{Answer: outOfOrder()}
		}
		set = nil
	}
	for i := range q.Contacts {
		c := &q.Contacts[i]
		lasts, refusal := limits.grant(c)
		if refusal != nil {
			return Outcome{Answer: refusal.answer()}
		}
		if slices.ContainsFunc(before, func(e entry) bool { return c.names(&e) && q.late(e) }) {
			return Outcome{Answer: outOfOrder()}
		}
		set = slices.DeleteFunc(set, func(e entry) bool { return c.names(&e) })
		if lasts > 0 {
			set = append(set, entry{q.binding(c, now, lasts), c.parsed})
		}
	}
	if len(set) > limits.MaxContacts && len(set) > len(before) {
		return Outcome{Answer: tooMany()}
	}
	sorted := sortedBindings(set)
	return Outcome{Answer: q.ok(now, sorted, limits.ServiceRoute), Bindings: sorted, Changed: true}
}

// entry is a binding with its contact taken apart, for the comparisons.
type entry struct {
	location.Binding
	parsed sip.URI
}

func liveEntries(current []location.Binding, now time.Time) []entry {
	set := make([]entry, 0, len(current)+1)
	for _, b := range current {
		if !b.Expired(now) {
			u, _ := sip.ParseURI([]byte(b.Contact)) // it was read before it was kept
			set = append(set, entry{b, u})
		}
	}
	return set
}

func sortedBindings(set []entry) []location.Binding {
	bindings := make([]location.Binding, len(set))
	for i := range set {
		bindings[i] = set[i].Binding
	}
	return location.Sorted(bindings)
}

func tooMany() Answer    { return Answer{Code: 403, Reason: "Too Many Contacts"} }
func outOfOrder() Answer { return Answer{Code: 500, Reason: "CSeq Out of Order"} }

// late tells whether a binding was made by this request or one that the client
// sent after it.
func (q *Request) late(e entry) bool {
	return e.CallID == q.CallID && q.CSeq <= e.CSeq
}

// names tells whether the contact is that of the binding (RFC 3261 §10.3 step 7).
// A URI with a parameter given twice does not even equal itself.
func (c *Contact) names(e *entry) bool {
	return c.URI == e.Contact || c.parsed.Equal(&e.parsed)
}

// grant is for how long a contact is bound: 0 removes it.
func (l *Limits) grant(c *Contact) (time.Duration, *Refusal) {
	asked := time.Duration(c.Expires) * time.Second
	switch {
	case !c.Given:
		asked = max(l.DefaultExpires, l.MinExpires)
	case asked > 0 && asked < l.MinExpires && asked < time.Hour:
		return 0, refuse(423, "Interval Too Brief", fmt.Sprintf("Min-Expires: %d\r\n", l.MinExpires/time.Second))
	}
	return min(asked, l.MaxExpires), nil
}

func (q *Request) binding(c *Contact, now time.Time, lasts time.Duration) location.Binding {
	b := location.Binding{
		AOR: q.AOR, Contact: c.URI, Local: q.Local, Path: q.Path, Q: c.Q,
		CallID: q.CallID, CSeq: q.CSeq, Expires: now.Add(lasts), Updated: now,
		UserAgent: q.UserAgent, Instance: c.Instance,
	}
	if c.NATed {
		b.Received = q.Source
	}
	return b
}

// ok is the 200 with all bindings, best first (RFC 3261 §10.3 step 8).
func (q *Request) ok(now time.Time, sorted []location.Binding, serviceRoute []string) Answer {
	a := Answer{Code: 200, Reason: "OK"}
	for _, b := range sorted {
		left := (b.Expires.Sub(now) + time.Second - 1) / time.Second
		line := fmt.Sprintf("Contact: <%s>;q=%s;expires=%d", b.Contact, formatQ(b.Q), left)
		if b.Instance != "" {
			line += ";+sip.instance=" + b.Instance
		}
		a.Headers = append(a.Headers, line+"\r\n")
	}
	for _, p := range q.Path {
		a.Headers = append(a.Headers, "Path: "+p+"\r\n")
	}
	for _, uri := range serviceRoute {
		a.Headers = append(a.Headers, "Service-Route: <"+uri+">\r\n")
	}
	a.Headers = append(a.Headers, "Date: "+now.UTC().Format(http.TimeFormat)+"\r\n")
	return a
}
