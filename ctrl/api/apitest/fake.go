// SPDX-License-Identifier: Apache-2.0

// Package apitest holds an in-memory daemon for tests of the API's server and
// clients.
package apitest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/api"
)

// Daemon implements every interface of api.Sources. Its fields are set before
// the first request.
type Daemon struct {
	Report   api.Status
	Calls    []api.Dialog
	Ended    []api.CallRecord
	Bindings []api.Registration
	Err      error // returned by every method when set

	Banned []api.Ban
	Ruled  []api.Prefix

	mu        sync.Mutex
	Passwords map[string]string // by AOR; read it through Password while serving
	aliases   []api.Alias
	domains   []api.Domain
}

// New returns a daemon with two workers, one dialog in each state, one binding
// and no users.
func New() *Daemon {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	ring, answer, end := start.Add(time.Second), start.Add(4*time.Second), start.Add(65*time.Second)
	return &Daemon{
		Passwords: map[string]string{},
		Report: api.Status{
			Node: "lb1", Version: "test", UptimeSeconds: 3725,
			Services: []api.ServiceStatus{{Name: "edge", Policy: "proxy", Listen: []string{"udp://192.0.2.10:5060"}, Domains: []string{"example.com"}}},
			Datapath: api.DatapathStatus{
				Mode: "native", Interfaces: []string{"eth0"}, Steered: 1200, Passed: 30,
				Dropped:  map[string]uint64{"not_sip": 7},
				Outcomes: map[string]uint64{"steered": 1200, "initial": 30, "not_sip": 7},
			},
			Control: api.ControlStatus{
				Received: map[string]uint64{"INVITE": 20, "REGISTER": 10, "XYZZY": 2, "FROTZ": 3},
				Answered: map[string]uint64{"200": 10, "401": 12}, HandedOver: 19,
			},
			Dialogs: api.DialogCounts{Early: 1, Confirmed: 1, Ended: 1, Total: 3}, Registrations: 1,
			Workers: []api.WorkerStatus{
				{Name: "w1", Forward: "l2", Address: "192.0.2.21", Weight: 1, State: api.WorkerUp, Steered: 600, Dialogs: 2, Health: "answers OPTIONS", Probes: api.Probes{Answered: 9, Refused: 2, Lost: 1}},
				{Name: "w2", Forward: "local", Weight: 1, State: api.WorkerUp, Steered: 600, Dialogs: 1, Health: "not asked"},
			},
		},
		Calls: []api.Dialog{
			{CallID: "c1@host", Key: "00112233445566778899aabbccddeeff", State: "ended", Service: "edge", Worker: "w1", From: "alice@example.com", To: "bob@example.com", Start: &start, Ring: &ring, Answer: &answer, End: &end, FinalCode: 200, Requests: 3, Responses: 4},
			{CallID: "c2@host", Key: "10112233445566778899aabbccddeeff", State: "confirmed", Service: "edge", Worker: "w2", From: "alice@example.com", To: "bob@example.com", Start: &start, Answer: &answer, FinalCode: 200, Requests: 2, Responses: 3},
			{CallID: "c3@host", Key: "20112233445566778899aabbccddeeff", State: "early", Service: "edge", Worker: "w1", From: "bob@example.com", To: "alice@example.com", Start: &start, Requests: 1},
		},
		Ended: []api.CallRecord{
			{ID: 1, CallID: "c1@host", From: "sip:alice@example.com", To: "sip:bob@example.com", Service: "edge", Worker: "w1", Start: start, Ring: &ring, Answer: &answer, End: end, Duration: 61, FinalCode: 200, EndedBy: "caller", Cause: "bye", Requests: 3, Responses: 4},
			{ID: 2, CallID: "c4@host", From: "sip:carol@example.com", To: "sip:bob@example.com", Service: "edge", Worker: "w1", Start: start, End: end, FinalCode: 486, EndedBy: "callee", Cause: "failed", Requests: 1, Responses: 1},
		},
		Bindings: []api.Registration{
			{AOR: "alice@example.com", Contact: "sip:alice@10.0.0.5:5062", Received: "198.51.100.7:40000", Expires: start.Add(time.Hour), Q: 1, UserAgent: "phone/1", CallID: "r1"},
		},
	}
}

// Sources serves d through every interface.
func (d *Daemon) Sources() api.Sources {
	return api.Sources{Status: d, Metrics: d, Workers: d, Dialogs: d, Records: d, Registrations: d, Users: d, Aliases: d, Domains: d, DialPlan: d, Admission: d}
}

// Status returns Report.
func (d *Daemon) Status(context.Context) (api.Status, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.Report
	s.Workers = slices.Clone(s.Workers)
	return s, d.Err
}

// Metrics returns Report as that of one service.
func (d *Daemon) Metrics(ctx context.Context) (api.Metrics, error) {
	s, err := d.Status(ctx)
	m := api.Metrics{Status: s, ConfiguredMode: "auto", MaxPins: 1000, ByService: []api.ServiceMetrics{{
		Name: "edge", Control: s.Control,
		Steps: map[string]api.Histogram{"pin": {Count: 3, Sum: 0.25, Buckets: map[float64]uint64{0.001: 2, 0.1: 2}}},
	}}}
	for _, w := range s.Workers {
		m.Parts = append(m.Parts, api.WorkerPart{Worker: w.Name, Service: "edge", Steered: w.Steered, Dialogs: w.Dialogs})
		if w.Forward == "local" {
			m.Parts[len(m.Parts)-1].Proxy = &api.ProxyStats{Received: 9, Refused: map[string]uint64{"loop": 2}}
		}
	}
	return m, err
}

// Drain marks a worker.
func (d *Daemon) Drain(_ context.Context, name string) error {
	return d.setState(name, api.WorkerDraining)
}

// Undrain marks a worker.
func (d *Daemon) Undrain(_ context.Context, name string) error { return d.setState(name, api.WorkerUp) }

// SetWeight gives a worker a weight; 0 makes it 1, as if the config said so.
func (d *Daemon) SetWeight(_ context.Context, name string, weight int) error {
	return d.changeWorker(name, func(w *api.WorkerStatus) { w.Weight = max(weight, 1) })
}

func (d *Daemon) setState(name, state string) error {
	return d.changeWorker(name, func(w *api.WorkerStatus) { w.State = state })
}

// EndDialogs makes a draining worker drained.
func (d *Daemon) EndDialogs(name string) error {
	return d.changeWorker(name, func(w *api.WorkerStatus) { w.Dialogs, w.State = 0, api.WorkerDrained })
}

func (d *Daemon) changeWorker(name string, change func(*api.WorkerStatus)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.Report.Workers {
		if d.Report.Workers[i].Name == name {
			change(&d.Report.Workers[i])
			return d.Err
		}
	}
	return fmt.Errorf("worker %q: %w", name, api.ErrNotFound)
}

// Dialogs filters Calls.
func (d *Daemon) Dialogs(_ context.Context, f api.DialogFilter) ([]api.Dialog, bool, error) {
	var out []api.Dialog
	for _, c := range d.Calls {
		if (f.CallID == "" || c.CallID == f.CallID) && (f.State == "" || c.State == f.State) {
			out = append(out, c)
		}
	}
	if len(out) > f.Limit {
		return out[:f.Limit], true, d.Err
	}
	return out, false, d.Err
}

// Records filters Ended by everything but Until.
func (d *Daemon) Records(_ context.Context, f api.RecordFilter) ([]api.CallRecord, bool, error) {
	var out []api.CallRecord
	for _, r := range d.Ended {
		user := f.User == "" || r.From == "sip:"+f.User || r.To == "sip:"+f.User
		if r.ID > f.After && user && (f.CallID == "" || r.CallID == f.CallID) && !r.End.Before(f.Since) {
			out = append(out, r)
		}
	}
	if len(out) > f.Limit {
		return out[:f.Limit], true, d.Err
	}
	return out, false, d.Err
}

// Registrations filters Bindings.
func (d *Daemon) Registrations(_ context.Context, aor string) ([]api.Registration, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []api.Registration
	for _, b := range d.Bindings {
		if aor == "" || b.AOR == aor {
			out = append(out, b)
		}
	}
	return out, d.Err
}

// RemoveRegistrations drops from Bindings.
func (d *Daemon) RemoveRegistrations(_ context.Context, aor string) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := len(d.Bindings)
	d.Bindings = slices.DeleteFunc(d.Bindings, func(b api.Registration) bool { return b.AOR == aor })
	return before - len(d.Bindings), d.Err
}

// Users lists the accounts by address.
func (d *Daemon) Users(context.Context) ([]api.User, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []api.User
	for aor := range d.Passwords {
		out = append(out, api.User{AOR: aor})
	}
	slices.SortFunc(out, func(a, b api.User) int { return cmp.Compare(a.AOR, b.AOR) })
	return out, d.Err
}

// AddUser keeps the password.
func (d *Daemon) AddUser(_ context.Context, aor, password string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.Passwords[aor]; ok {
		return fmt.Errorf("user %s %w", aor, api.ErrExists)
	}
	d.Passwords[aor] = password
	return d.Err
}

// RemoveUser forgets the password.
func (d *Daemon) RemoveUser(_ context.Context, aor string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.Passwords[aor]; !ok {
		return fmt.Errorf("user %s: %w", aor, api.ErrNotFound)
	}
	delete(d.Passwords, aor)
	return d.Err
}

// SetPassword replaces the password.
func (d *Daemon) SetPassword(_ context.Context, aor, password string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, ok := d.Passwords[aor]; !ok {
		return fmt.Errorf("user %s: %w", aor, api.ErrNotFound)
	}
	d.Passwords[aor] = password
	return d.Err
}

// Password returns what AddUser or SetPassword was given last.
func (d *Daemon) Password(aor string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.Passwords[aor]
}
