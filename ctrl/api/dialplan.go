// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type routesOutput struct{ Body []Route }

type gatewaysOutput struct{ Body []Gateway }

func registerDialPlan(h huma.API, src Sources) {
	huma.Register(h, operation("list-routes", http.MethodGet, "/v1/routes", "The dial plan", "routes", http.StatusOK),
		func(ctx context.Context, _ *struct{}) (*routesOutput, error) {
			list, err := src.DialPlan.Routes(ctx)
			if err != nil {
				return nil, problem(err)
			}
			return &routesOutput{Body: listOf(list)}, nil
		})
	huma.Register(h, operation("list-gateways", http.MethodGet, "/v1/gateways", "The gateways", "routes", http.StatusOK),
		func(ctx context.Context, _ *struct{}) (*gatewaysOutput, error) {
			list, err := src.DialPlan.Gateways(ctx)
			if err != nil {
				return nil, problem(err)
			}
			return &gatewaysOutput{Body: listOf(list)}, nil
		})
}
