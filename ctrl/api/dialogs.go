// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type dialogsInput struct {
	CallID string `query:"call_id" maxLength:"1024"`
	State  string `query:"state" enum:"early,confirmed,ended"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100000" default:"1000"`
}

type dialogsOutput struct {
	Truncated string `header:"Sipsteer-Truncated" doc:"true when there are more dialogs than limit"`
	Body      []Dialog
}

func registerDialogs(h huma.API, src Sources) {
	huma.Register(h, operation("list-dialogs", http.MethodGet, "/v1/dialogs", "Live dialogs, oldest first", "dialogs", http.StatusOK),
		func(ctx context.Context, in *dialogsInput) (*dialogsOutput, error) {
			list, more, err := src.Dialogs.Dialogs(ctx, DialogFilter{CallID: in.CallID, State: in.State, Limit: in.Limit})
			if err != nil {
				return nil, problem(err)
			}
			out := &dialogsOutput{Body: listOf(list)}
			if more {
				out.Truncated = "true"
			}
			return out, nil
		})
}
