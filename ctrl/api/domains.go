// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type domainsOutput struct{ Body []Domain }

type domainOutput struct{ Body Domain }

type addDomainInput struct {
	Body struct {
		Domain  string `json:"domain" doc:"Such as example.com"`
		Service string `json:"service,omitempty" doc:"Needed where there are several"`
	}
}

type domainInput struct {
	Domain string `path:"domain" doc:"Such as example.com"`
}

func registerDomains(h huma.API, src Sources) {
	huma.Register(h, operation("list-domains", http.MethodGet, "/v1/domains", "What the services are responsible for", "domains", http.StatusOK),
		func(ctx context.Context, _ *struct{}) (*domainsOutput, error) {
			list, err := src.Domains.Domains(ctx)
			if err != nil {
				return nil, problem(err)
			}
			return &domainsOutput{Body: listOf(list)}, nil
		})
	huma.Register(h, operation("add-domain", http.MethodPost, "/v1/domains", "Make a service responsible for a domain", "domains", http.StatusCreated),
		func(ctx context.Context, in *addDomainInput) (*domainOutput, error) {
			d, err := src.Domains.AddDomain(ctx, in.Body.Domain, in.Body.Service)
			if err != nil {
				return nil, problem(err)
			}
			return &domainOutput{Body: d}, nil
		})
	huma.Register(h, operation("remove-domain", http.MethodDelete, "/v1/domains/{domain}", "Take back a domain that was added", "domains", http.StatusNoContent),
		func(ctx context.Context, in *domainInput) (*struct{}, error) {
			return nil, problem(src.Domains.RemoveDomain(ctx, in.Domain))
		})
}
