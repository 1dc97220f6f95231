// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/ctrl/api"
)

// recordFlags are what `sipsteer records` takes.
type recordFlags struct {
	callID, user, since, until string
	after                      int64
	limit                      int
}

func recordsCommand(o *options) *cobra.Command {
	var flags recordFlags
	list := func(cmd *cobra.Command) error {
		query, err := flags.query(time.Now())
		if err != nil {
			return err
		}
		c, err := newClient(o)
		if err != nil {
			return err
		}
		var records []api.CallRecord
		header, err := c.do(cmd.Context(), "listing call records", http.MethodGet, "/v1/records?"+query.Encode(), nil, &records)
		if err != nil {
			return err
		}
		if header.Get("Sipsteer-Truncated") == "true" {
			fmt.Fprintf(cmd.ErrOrStderr(), "sipsteer: there are more; go on with --after %d\n", records[len(records)-1].ID)
		}
		if o.json {
			return printJSON(cmd, records)
		}
		return printRecords(cmd, records)
	}
	cmd := noun("records", "List calls that have ended", list)
	f := cmd.PersistentFlags()
	f.StringVar(&flags.callID, "call-id", "", "only the call with this `CALL-ID`")
	f.StringVar(&flags.user, "user", "", "only calls from or to this `USER@DOMAIN`")
	f.StringVar(&flags.since, "since", "", "only calls that ended since this `TIME`: 1h for an hour ago, or as 2026-03-01T12:00:00Z")
	f.StringVar(&flags.until, "until", "", "only calls that ended before this `TIME`, given likewise")
	f.Int64Var(&flags.after, "after", 0, "only records behind this `ID`")
	f.IntVar(&flags.limit, "limit", 1000, "at most this many, up to 10000")
	return cmd
}

func (r *recordFlags) query(now time.Time) (url.Values, error) {
	query := url.Values{}
	for name, text := range map[string]string{"since": r.since, "until": r.until} {
		if text == "" {
			continue
		}
		at, err := parseTime(text, now)
		if err != nil {
			return nil, usagef("--%s %q is no time; say 1h for an hour ago, or 2026-03-01T12:00:00Z", name, text)
		}
		query.Set(name, at.UTC().Format(time.RFC3339Nano))
	}
	if r.limit < 1 || r.limit > 10000 {
		return nil, usagef("--limit %d is not between 1 and 10000", r.limit)
	}
	if r.after < 0 {
		return nil, usagef("--after %d is below 0", r.after)
	}
	query.Set("limit", strconv.Itoa(r.limit))
	query.Set("after", strconv.FormatInt(r.after, 10))
	for name, text := range map[string]string{"call_id": r.callID, "user": r.user} {
		if text != "" {
			query.Set(name, text)
		}
	}
	return query, nil
}

// parseTime takes a time, or how long ago it was.
func parseTime(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Parse(time.RFC3339, text)
}

func printRecords(cmd *cobra.Command, records []api.CallRecord) error {
	w := cmd.OutOrStdout()
	if len(records) == 0 {
		_, err := fmt.Fprintln(w, "no call records")
		return err
	}
	var rows [][]string
	for _, r := range records {
		duration := "-"
		if r.Answer != nil {
			duration = span(time.Duration(r.Duration * float64(time.Second)))
		}
		rows = append(rows, []string{
			strconv.FormatInt(r.ID, 10), r.CallID, r.From, r.To, r.Worker, clock(&r.Start), clock(r.Answer), clock(&r.End),
			duration, strconv.Itoa(r.FinalCode), r.EndedBy, r.Cause,
		})
	}
	return table(w, []string{"ID", "CALL-ID", "FROM", "TO", "WORKER", "START", "ANSWER", "END", "DURATION", "CODE", "ENDED BY", "CAUSE"}, rows)
}
