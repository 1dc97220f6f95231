// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/ctrl/dialog"
	"github.com/sipsteer/sipsteer/ctrl/record"
	"github.com/sipsteer/sipsteer/ctrl/store"
)

const (
	// sweepEvery is how often pins and bindings are looked through for those whose
	// time is over.
	sweepEvery = time.Second
	// A sweep works burst at full speed and from then on one part in restShare of
	// the time, so that millions of pins cost a few percent of a core. Calls are
	// then recorded later.
	burst     = 50 * time.Millisecond
	restShare = 25
)

// openRecords readies the call records.
func (n *Node) openRecords(ctx context.Context) (err error) {
	n.recorder, err = record.New(ctx, n.store, names{n}, record.Options{File: n.cfg.Records.File, Keep: n.cfg.Records.Keep})
	if err == nil {
		n.onClose(n.recorder.Close)
	}
	return err
}

// names says what the numbers in pins stand for.
type names struct{ *Node }

// ServiceName is the config's name of a service.
func (n names) ServiceName(id uint16) string {
	for _, s := range n.services {
		if s.id == id {
			return s.config.Name
		}
	}
	return ""
}

// WorkerName is the config's name of a worker, and whether it is up.
func (n names) WorkerName(id uint32) (string, bool) {
	w := n.byID[id]
	if w == nil {
		return "", false
	}
	return w.spec.Name, slices.ContainsFunc(n.services, func(s *service) bool { return s.pool.Reachable(id) })
}

// sweep removes what has expired and records calls that have ended, until ctx ends.
func (n *Node) sweep(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	said := ""
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			n.locations.Sweep(now)
			why := ""
			if err := n.sweepPins(ctx, now, false); err != nil && ctx.Err() == nil {
				why = err.Error()
			}
			if why != "" && why != said {
				// The pins stand, and so the next sweep does it.
				n.log.Error("recording calls and removing their pins", "cause", why)
			}
			said = why
			if err := n.gate.Sweep(ctx); err != nil && ctx.Err() == nil {
				n.log.Error("removing bans that are over", "cause", err)
			}
		}
	}
}

// recordLast records what has ended before the pins go, without waiting for the
// answers to the last BYEs.
func (n *Node) recordLast() error {
	if n.recorder == nil {
		return nil
	}
	return n.sweepPins(context.Background(), time.Now(), true)
}

func (n *Node) sweepPins(ctx context.Context, now time.Time, last bool) error {
	swept, err := n.dialogs.Sweep(dialog.Sweeper{
		Now: now, Last: last,
		Record: func(e []dialog.Ended) error { return n.recorder.Add(ctx, e) },
		Rest:   rest(ctx),
	})
	if swept.Lost > 0 {
		n.log.Error("pins of ended calls were removed without a record, because records could not be written", "calls", swept.Lost)
	}
	if err != nil {
		return err
	}
	return n.recorder.Flush(ctx, now)
}

// rest makes the sweep sleep in proportion to what it worked.
func rest(ctx context.Context) func() {
	begun, last := time.Now(), time.Now()
	return func() {
		worked := time.Since(last)
		if time.Since(begun) > burst {
			select {
			case <-ctx.Done():
			case <-time.After(worked * (restShare - 1)):
			}
		}
		last = time.Now()
	}
}

// Records lists the records of calls that have ended.
func (n *Node) Records(ctx context.Context, f api.RecordFilter) ([]api.CallRecord, bool, error) {
	rows, err := n.store.Records(ctx, store.RecordFilter{
		After: f.After, Since: f.Since, Until: f.Until, CallID: f.CallID, User: f.User, Limit: f.Limit + 1,
	})
	if err != nil {
		return nil, false, fmt.Errorf("listing call records: %w", err)
	}
	more := len(rows) > f.Limit
	if more {
		rows = rows[:f.Limit]
	}
	list := make([]api.CallRecord, len(rows))
	for i, r := range rows {
		list[i] = api.CallRecord{
			ID: r.ID, CallID: r.CallID, CallIDCut: r.CallIDCut, From: r.From, To: r.To, Service: r.Service, Worker: r.Worker,
			Start: r.Start, Ring: optional(r.Ring), Answer: optional(r.Answer), End: r.End, Duration: r.Duration().Seconds(),
			FinalCode: r.FinalCode, EndedBy: r.EndedBy, Cause: r.Cause, Requests: r.Requests, Responses: r.Responses,
			BootID: r.Boot, Key: r.Key,
		}
	}
	return list, more, nil
}
