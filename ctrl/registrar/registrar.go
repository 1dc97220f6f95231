// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"errors"
	"net/netip"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/location"
	"github.com/sipsteer/sipsteer/userspace/sip"
)

// Registrar carries REGISTERs out over a location table. It is safe for
// concurrent use.
type Registrar struct {
	table  *location.Table
	limits Limits
}

// New makes a registrar.
func New(table *location.Table, limits Limits) *Registrar {
	return &Registrar{table: table, limits: limits}
}

// Register carries out a REGISTER that was authenticated and checked (see
// sip.Validate) for the bindings of aor. done is called once with the answer:
// before Register returns when nothing is to be written, else from another
// goroutine when the bindings are durable. m is not read after Register returns.
//
// Requests for one aor are carried out in the order of the calls. When the
// bindings cannot be stored, nothing is changed and the answer is 500, or 503
// when that is only for the load.
func (r *Registrar) Register(now time.Time, m *sip.Message, source, local netip.AddrPort, aor string, done func(Answer)) {
	q, refusal := Read(m, source, local, aor)
	if refusal != nil {
		done(refusal.answer())
		return
	}
	if q.Query() {
		done(q.Apply(now, r.table.Lookup(aor, now), r.limits).Answer)
		return
	}
	var out Outcome
	r.table.Update(aor, func(current []location.Binding) ([]location.Binding, bool) {
		out = q.Apply(now, current, r.limits)
		return out.Bindings, out.Changed
	}, func(err error) {
		switch {
		case err == nil:
			done(out.Answer)
		case errors.Is(err, location.ErrBusy):
			done(Answer{503, "Too Many Registrations at Once", []string{"Retry-After: 5\r\n"}})
		default:
			done(Answer{Code: 500, Reason: "Bindings Not Stored"})
		}
	})
}
