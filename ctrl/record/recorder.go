// SPDX-License-Identifier: Apache-2.0

package record

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/dialog"
)

// Store keeps records for good.
type Store interface {
	// AddRecords adds all or none; a call that is there already stays as it is.
	AddRecords(ctx context.Context, list []Record) error
	// RecordsAfter gives the next records behind an id, the lowest id first.
	RecordsAfter(ctx context.Context, id int64, limit int) ([]Record, error)
	// RecordsWritten is the id up to which the file is known to have them.
	RecordsWritten(ctx context.Context) (int64, error)
	SetRecordsWritten(ctx context.Context, id int64) error
	// DropRecords removes those up to an id that ended before a time.
	DropRecords(ctx context.Context, upTo int64, before time.Time) error
}

const (
	pageSize   = 1000
	pruneEvery = time.Hour
)

// Options are how records are kept.
type Options struct {
	File string        // path of the JSON lines; empty for none
	Keep time.Duration // how long the store keeps a record
}

// Recorder writes records. Its methods are for one goroutine.
type Recorder struct {
	store   Store
	names   Names
	opts    Options
	boot    string
	file    *file // nil for none
	written int64
	pruned  time.Time
}

// New makes a recorder and finds out how far its file has come. A line that was
// torn when the host or the daemon died is cut off.
func New(ctx context.Context, s Store, n Names, o Options) (*Recorder, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return nil, fmt.Errorf("reading the boot id: %w", err)
	}
	r := &Recorder{store: s, names: n, opts: o, boot: strings.TrimSpace(string(boot))}
	if o.File == "" {
		return r, nil
	}
	if r.written, err = s.RecordsWritten(ctx); err != nil {
		return nil, err
	}
	r.file = &file{path: o.File}
	last, err := r.file.open()
	if err != nil {
		return nil, err
	}
	r.written = max(r.written, last)
	return r, nil
}

// Add puts the records of ended calls into the store and waits for the disk.
func (r *Recorder) Add(ctx context.Context, ended []dialog.Ended) error {
	list := make([]Record, len(ended))
	for i, e := range ended {
		list[i] = of(e, r.boot, r.names)
	}
	return r.store.AddRecords(ctx, list)
}

// Flush brings the file up to the store, and now and then drops old records from
// the store.
func (r *Recorder) Flush(ctx context.Context, now time.Time) error {
	if r.file != nil {
		if err := r.writeLines(ctx); err != nil {
			return err
		}
	}
	if now.Sub(r.pruned) < pruneEvery {
		return nil
	}
	upTo := int64(1<<63 - 1)
	if r.file != nil {
		upTo = r.written
	}
	if err := r.store.DropRecords(ctx, upTo, now.Add(-r.opts.Keep)); err != nil {
		return err
	}
	r.pruned = now
	return nil
}

func (r *Recorder) writeLines(ctx context.Context) error {
	if err := r.file.follow(); err != nil {
		return err
	}
	for {
		list, err := r.store.RecordsAfter(ctx, r.written, pageSize)
		if err != nil || len(list) == 0 {
			return err
		}
		if err := r.file.append(list); err != nil {
			return err
		}
		r.written = list[len(list)-1].ID
		// Also in the store: a file that was rotated cannot tell any more.
		if err := r.store.SetRecordsWritten(ctx, r.written); err != nil {
			return err
		}
	}
}

// Close closes the file.
func (r *Recorder) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.close()
}
