// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

type recordsInput struct {
	Since  time.Time `query:"since" doc:"Only calls that ended at this time or later (RFC 3339)"`
	Until  time.Time `query:"until" doc:"Only calls that ended before this time"`
	User   string    `query:"user" doc:"Only calls from or to this user, such as alice@example.com"`
	CallID string    `query:"call_id" maxLength:"1024"`
	After  int64     `query:"after" minimum:"0" doc:"Only records behind this id: the last one of the page before"`
	Limit  int       `query:"limit" minimum:"1" maximum:"10000" default:"1000"`
}

type recordsOutput struct {
	Truncated string `header:"Sipsteer-Truncated" doc:"true when there are more records than limit"`
	Body      []CallRecord
}

func registerRecords(h huma.API, src Sources) {
	huma.Register(h, operation("list-records", http.MethodGet, "/v1/records", "Calls that have ended, by id", "records", http.StatusOK),
		func(ctx context.Context, in *recordsInput) (*recordsOutput, error) {
			f := RecordFilter{After: in.After, Since: in.Since, Until: in.Until, CallID: in.CallID, Limit: in.Limit}
			if in.User != "" {
				var err error
				if f.User, err = ParseAOR(in.User); err != nil {
					return nil, problem(err)
				}
			}
			list, more, err := src.Records.Records(ctx, f)
			if err != nil {
				return nil, problem(err)
			}
			out := &recordsOutput{Body: listOf(list)}
			if more {
				out.Truncated = "true"
			}
			return out, nil
		})
}
