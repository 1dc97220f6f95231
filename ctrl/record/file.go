// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// maxLine is above any record as JSON.
const maxLine = 64 << 10

// file is the file of JSON lines. It may be moved away at any time, as log
// rotation does: the next line goes to a new one.
type file struct {
	path string
	f    *os.File
	size int64
}

// open opens or makes the file, cuts off a torn last line, and returns the id of
// the last record; 0 when there is none.
func (l *file) open() (last int64, err error) {
	if l.f, err = os.OpenFile(l.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o640); err != nil {
		return 0, fmt.Errorf("opening the file of call records: %w", err)
	}
	if last, err = l.recover(); err != nil {
		_ = l.close()
		return 0, fmt.Errorf("reading the file of call records %s: %w", l.path, err)
	}
	return last, nil
}

func (l *file) recover() (last int64, err error) {
	info, err := l.f.Stat()
	if err != nil {
		return 0, err
	}
	from := max(info.Size()-2*maxLine, 0)
	end, err := io.ReadAll(io.NewSectionReader(l.f, from, info.Size()-from))
	if err != nil {
		return 0, err
	}
	whole := bytes.LastIndexByte(end, '\n') + 1
	l.size = from + int64(whole)
	if whole < len(end) {
		if err := l.f.Truncate(l.size); err != nil {
			return 0, err
		}
	}
	if whole == 0 {
		return 0, nil
	}
	lines := bytes.Split(end[:whole-1], []byte{'\n'})
	var line struct {
		ID int64 `json:"id"`
	}
	if err := json.Unmarshal(lines[len(lines)-1], &line); err != nil || line.ID < 1 {
		return 0, errors.New("its last line is no call record; give records.file a file of its own")
	}
	return line.ID, nil
}

// follow opens the file anew when it was moved away or removed.
func (l *file) follow() error {
	if l.f != nil {
		mine, err := l.f.Stat()
		if err == nil {
			if there, err := os.Stat(l.path); err == nil && os.SameFile(mine, there) {
				return nil
			}
		}
		_ = l.close()
	}
	_, err := l.open()
	return err
}

// append writes records, all or none, and waits for the disk.
func (l *file) append(list []Record) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	for _, r := range list {
		if err := enc.Encode(lineOf(r)); err != nil {
			return fmt.Errorf("writing call records: %w", err)
		}
	}
	_, err := l.f.Write(b.Bytes())
	if err == nil {
		err = l.f.Sync()
	}
	if err != nil {
		// A part of a line would make the next one unreadable.
		return fmt.Errorf("writing call records: %w", errors.Join(err, l.f.Truncate(l.size)))
	}
	l.size += int64(b.Len())
	return nil
}

func (l *file) close() error {
	f := l.f
	l.f = nil
	if f == nil {
		return nil
	}
	return f.Close()
}

// line is a record in the file.
type line struct {
	ID        int64   `json:"id"`
	CallID    string  `json:"call_id"`
	CallIDCut bool    `json:"call_id_cut,omitempty"`
	From      string  `json:"from"`
	To        string  `json:"to"`
	Service   string  `json:"service"`
	Worker    string  `json:"worker"`
	Start     string  `json:"start"`
	Ring      *string `json:"ring"`
	Answer    *string `json:"answer"`
	End       string  `json:"end"`
	Duration  float64 `json:"duration"` // seconds from answer to end
	FinalCode int     `json:"final_code"`
	EndedBy   string  `json:"ended_by"`
	Cause     string  `json:"cause"`
	Requests  uint64  `json:"requests"`
	Responses uint64  `json:"responses"`
	BootID    string  `json:"boot_id"`
	Key       string  `json:"key"`
}

func lineOf(r Record) line {
	return line{
		ID: r.ID, CallID: r.CallID, CallIDCut: r.CallIDCut, From: r.From, To: r.To, Service: r.Service, Worker: r.Worker,
		Start: stamp(r.Start), Ring: optional(r.Ring), Answer: optional(r.Answer), End: stamp(r.End),
		Duration: r.Duration().Seconds(), FinalCode: r.FinalCode, EndedBy: r.EndedBy, Cause: r.Cause,
		Requests: r.Requests, Responses: r.Responses, BootID: r.Boot, Key: r.Key,
	}
}

// Duration is how long the call was up, from answer to end.
func (r *Record) Duration() time.Duration {
	if r.Answer.IsZero() {
		return 0
	}
	return max(r.End.Sub(r.Answer), 0)
}

// stamp is RFC 3339 with milliseconds.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

func optional(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}
