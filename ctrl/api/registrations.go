// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type registrationsInput struct {
	AOR string `query:"aor" doc:"Only this user's, such as alice@example.com"`
}

type registrationsOutput struct{ Body []Registration }

type aorInput struct {
	AOR string `path:"aor" doc:"Such as alice@example.com"`
}

type removedOutput struct {
	Body struct {
		AOR     string `json:"aor"`
		Removed int    `json:"removed" doc:"Bindings that were dropped"`
	}
}

func registerRegistrations(h huma.API, src Sources) {
	huma.Register(h, operation("list-registrations", http.MethodGet, "/v1/registrations", "Bindings that have not expired", "registrations", http.StatusOK),
		func(ctx context.Context, in *registrationsInput) (*registrationsOutput, error) {
			var aor string
			var err error
			if in.AOR != "" {
				if aor, err = ParseAOR(in.AOR); err != nil {
					return nil, problem(err)
				}
			}
			list, err := src.Registrations.Registrations(ctx, aor)
			if err != nil {
				return nil, problem(err)
			}
			return &registrationsOutput{Body: listOf(list)}, nil
		})
	huma.Register(h, operation("remove-registrations", http.MethodDelete, "/v1/registrations/{aor}", "Drop all bindings of a user", "registrations", http.StatusOK),
		func(ctx context.Context, in *aorInput) (*removedOutput, error) {
			aor, err := ParseAOR(in.AOR)
			if err != nil {
				return nil, problem(err)
			}
			n, err := src.Registrations.RemoveRegistrations(ctx, aor)
			if err == nil && n == 0 {
				err = fmt.Errorf("registrations of %s: %w", aor, ErrNotFound)
			}
			if err != nil {
				return nil, problem(err)
			}
			out := &removedOutput{}
			out.Body.AOR, out.Body.Removed = aor, n
			return out, nil
		})
}
