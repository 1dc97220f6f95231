// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/admission"
	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/ctrl/dialog"
	"github.com/sipsteer/sipsteer/ctrl/location"
	"github.com/sipsteer/sipsteer/ctrl/pool"
	"github.com/sipsteer/sipsteer/ctrl/store"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// openAPI serves the control interface until ctx ends.
func (n *Node) openAPI(ctx context.Context) error {
	network, address, err := config.SplitListen(n.cfg.API.Listen)
	if err != nil {
		return err
	}
	ln, err := api.Listen(network, address)
	if err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(address)
	h := api.New(api.Sources{Status: n, Metrics: n, Workers: n, Dialogs: n, Records: n, Registrations: n, Users: n, Aliases: n, Domains: n, DialPlan: n, Admission: n}, n.opts.Version, host)
	n.goRun(func() error { return api.Serve(ctx, ln, h) })
	return nil
}

// translate gives the errors of the packages below the API's names.
func translate(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, pool.ErrUnknown):
		return api.Refuse(api.ErrNotFound, err)
	case errors.Is(err, admission.ErrNotFound):
		return api.Refuse(api.ErrNotFound, err)
	case errors.Is(err, admission.ErrInvalid):
		return api.Refuse(api.ErrInvalid, err)
	case errors.Is(err, store.ErrExists), errors.Is(err, admission.ErrFixed), errors.Is(err, steer.ErrTooMany):
		return api.Refuse(api.ErrExists, err)
	}
	return err
}

// Dialogs lists dialogs, the oldest first.
func (n *Node) Dialogs(ctx context.Context, f api.DialogFilter) (list []api.Dialog, more bool, err error) {
	keys := n.keysOf(f.CallID)
	err = n.dialogs.List(time.Now(), func(d dialog.Dialog) bool {
		if keys[d.Key] && d.Call.CallID == "" {
			d.Call.CallID = f.CallID // of a pin that the kernel made
		}
		if f.CallID != "" && d.Call.CallID != f.CallID || f.State != "" && d.State.String() != f.State {
			return ctx.Err() == nil
		}
		list = append(list, n.apiDialog(d))
		return ctx.Err() == nil
	})
	if err = errors.Join(err, ctx.Err()); err != nil {
		return nil, false, err
	}
	slices.SortFunc(list, func(a, b api.Dialog) int { return a.Start.Compare(*b.Start) })
	if len(list) > f.Limit {
		return list[:f.Limit], true, nil
	}
	return list, false, nil
}

// keysOf are the keys of a Call-ID in all services, as the list of dialogs shows
// them.
func (n *Node) keysOf(callID string) map[string]bool {
	keys := map[string]bool{}
	for _, s := range n.services {
		keys[n.keys.pins.Service(s.config.Name).Key([]byte(callID)).String()] = true
	}
	return keys
}

func (n *Node) apiDialog(d dialog.Dialog) api.Dialog {
	out := api.Dialog{
		CallID: d.Call.CallID, Key: d.Key, State: d.State.String(), From: d.Call.From, To: d.Call.To,
		Start: &d.Start, Ring: optional(d.Ring), Answer: optional(d.Answer), End: optional(d.End),
		FinalCode: int(d.FinalCode), Requests: d.Requests, Responses: d.Responses,
	}
	if i := int(d.Service); i > 0 && i <= len(n.services) {
		out.Service = n.services[i-1].config.Name
	}
	if w := n.byID[d.Worker]; w != nil {
		out.Worker = w.spec.Name
	}
	return out
}

func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Registrations lists the bindings of one address of record, or of all.
func (n *Node) Registrations(_ context.Context, aor string) ([]api.Registration, error) {
	var list []api.Registration
	if aor != "" {
		for _, b := range n.locations.Lookup(aor, time.Now()) {
			list = append(list, apiRegistration(b))
		}
		return list, nil
	}
	for b := range n.locations.All(time.Now()) {
		list = append(list, apiRegistration(b))
	}
	slices.SortFunc(list, func(a, b api.Registration) int {
		return strings.Compare(a.AOR+" "+a.Contact, b.AOR+" "+b.Contact)
	})
	return list, nil
}

func apiRegistration(b location.Binding) api.Registration {
	r := api.Registration{
		AOR: b.AOR, Contact: b.Contact, Expires: b.Expires, Q: float64(b.Q) / 1000,
		UserAgent: b.UserAgent, CallID: b.CallID,
	}
	if b.Received.IsValid() {
		r.Received = b.Received.String()
	}
	return r
}

// RemoveRegistrations drops all bindings of an address of record and waits until
// they are gone for good.
func (n *Node) RemoveRegistrations(ctx context.Context, aor string) (int, error) {
	type result struct {
		removed int
		err     error
	}
	done := make(chan result, 1)
	n.locations.Remove(aor, func(removed int, err error) { done <- result{removed, err} })
	select {
	case r := <-done:
		return r.removed, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Users lists the accounts.
func (n *Node) Users(context.Context) ([]api.User, error) {
	var list []api.User
	for _, u := range n.store.Users() {
		list = append(list, api.User{AOR: u.AOR})
	}
	return list, nil
}

// AddUser makes an account in one of the services' domains.
func (n *Node) AddUser(ctx context.Context, aor, password string) error {
	u, err := n.newUser(aor, password)
	if err != nil {
		return err
	}
	return translate(n.store.AddUser(ctx, u))
}

// SetPassword gives an account another password.
func (n *Node) SetPassword(ctx context.Context, aor, password string) error {
	u, err := n.newUser(aor, password)
	if err != nil {
		return err
	}
	return translate(n.store.SetUser(ctx, u))
}

// RemoveUser removes an account and its bindings.
func (n *Node) RemoveUser(ctx context.Context, aor string) error {
	if err := n.store.DeleteUser(ctx, aor); err != nil {
		return translate(err)
	}
	_, err := n.RemoveRegistrations(ctx, aor)
	return err
}

func (n *Node) newUser(aor, password string) (store.User, error) {
	if err := n.checkDomain(aor); err != nil {
		return store.User{}, err
	}
	u, err := store.NewUser(aor, password, time.Now())
	if err != nil {
		return u, api.Refuse(api.ErrInvalid, err)
	}
	return u, nil
}
