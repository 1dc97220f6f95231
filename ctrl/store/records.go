// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/record"
)

const recordColumns = `id, boot, key, start_ns, call_id, call_id_cut, from_uri, to_uri, service, worker,
	started, rang, answered, ended, final_code, ended_by, cause, requests, responses`

// AddRecords adds call records in one transaction; the store numbers them. A call
// that has its record already keeps it.
func (s *Store) AddRecords(ctx context.Context, list []record.Record) error {
	return wrap(s.do(ctx, func() error {
		for i := range list {
			if _, err := s.stmt.addRecord.ExecContext(context.Background(), recordRow(&list[i])...); err != nil {
				return err
			}
		}
		return nil
	}, nil), "writing call records")
}

func recordRow(r *record.Record) []any {
	return []any{r.Boot, r.Key, int64(r.StartNS), r.CallID, r.CallIDCut, r.From, r.To, r.Service, r.Worker,
		packTime(r.Start), packTime(r.Ring), packTime(r.Answer), packTime(r.End),
		r.FinalCode, r.EndedBy, r.Cause, int64(r.Requests), int64(r.Responses)}
}

func packTime(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func unpackTime(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// RecordFilter selects records; zero fields select all.
type RecordFilter struct {
	After        int64 // only ids above it
	Since, Until time.Time
	CallID       string
	User         string // user@host, caller or callee
	Limit        int    // at most this many
}

// Records gives the selected records, the lowest id first. Since and Until bound
// the end of the call.
func (s *Store) Records(ctx context.Context, f RecordFilter) (list []record.Record, err error) {
	where, args := []string{"id > ?"}, []any{f.After}
	and := func(text string, values ...any) {
		where, args = append(where, text), append(args, values...)
	}
	if !f.Since.IsZero() {
		and("ended >= ?", f.Since.UnixMilli())
	}
	if !f.Until.IsZero() {
		and("ended < ?", f.Until.UnixMilli())
	}
	if f.CallID != "" {
		and("call_id = ?", f.CallID)
	}
	if f.User != "" {
		// A URI may have a scheme before the user, and port and parameters behind.
		and("(instr(from_uri || ';', ':' || ? || ';') + instr(to_uri || ';', ':' || ? || ';') +"+
			" instr(from_uri, ':' || ? || ':') + instr(to_uri, ':' || ? || ':') > 0)", f.User, f.User, f.User, f.User)
	}
	args = append(args, f.Limit)
	err = s.do(ctx, func() error {
		rows, err := s.conn.QueryContext(context.Background(),
			"SELECT "+recordColumns+" FROM records WHERE "+strings.Join(where, " AND ")+" ORDER BY id LIMIT ?", args...)
		if err != nil {
			return err
		}
		list, err = scanRecords(rows)
		return err
	}, nil)
	return list, wrap(err, "reading call records")
}

// RecordsAfter gives the records behind an id.
func (s *Store) RecordsAfter(ctx context.Context, id int64, limit int) ([]record.Record, error) {
	return s.Records(ctx, RecordFilter{After: id, Limit: limit})
}

func scanRecords(rows *sql.Rows) (list []record.Record, err error) {
	defer rows.Close()
	for rows.Next() {
		var r record.Record
		var startNS, start, ring, answer, end, requests, responses int64
		if err := rows.Scan(&r.ID, &r.Boot, &r.Key, &startNS, &r.CallID, &r.CallIDCut, &r.From, &r.To, &r.Service,
			&r.Worker, &start, &ring, &answer, &end, &r.FinalCode, &r.EndedBy, &r.Cause, &requests, &responses); err != nil {
			return nil, err
		}
		r.StartNS, r.Requests, r.Responses = uint64(startNS), uint64(requests), uint64(responses)
		r.Start, r.Ring, r.Answer, r.End = unpackTime(start), unpackTime(ring), unpackTime(answer), unpackTime(end)
		list = append(list, r)
	}
	return list, rows.Err()
}

// RecordsWritten is the id that SetRecordsWritten kept last; 0 before.
func (s *Store) RecordsWritten(ctx context.Context) (id int64, err error) {
	err = s.do(ctx, func() error {
		return s.conn.QueryRowContext(context.Background(), "SELECT coalesce(max(id), 0) FROM records_written").Scan(&id)
	}, nil)
	return id, wrap(err, "reading how far call records are written")
}

// SetRecordsWritten keeps up to which id the records are in the file.
func (s *Store) SetRecordsWritten(ctx context.Context, id int64) error {
	return wrap(s.do(ctx, func() error {
		_, err := s.conn.ExecContext(context.Background(),
			"INSERT INTO records_written (one, id) VALUES (1, ?1) ON CONFLICT DO UPDATE SET id = ?1", id)
		return err
	}, nil), "keeping how far call records are written")
}

// dropAtOnce bounds a transaction that nobody is in a hurry for.
const dropAtOnce = 2000

// DropRecords removes records with ids up to upTo of calls that ended before a time.
func (s *Store) DropRecords(ctx context.Context, upTo int64, before time.Time) error {
	for {
		var more bool
		err := s.do(ctx, func() (err error) {
			more, err = touched(s.conn.ExecContext(context.Background(), `DELETE FROM records WHERE id IN
				(SELECT id FROM records WHERE ended < ? AND id <= ? LIMIT ?)`, before.UnixMilli(), upTo, dropAtOnce))
			return err
		}, nil)
		if err != nil || !more {
			return wrap(err, "dropping old call records")
		}
	}
}
