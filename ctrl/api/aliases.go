// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type aliasesOutput struct{ Body []Alias }

type aliasOutput struct{ Body Alias }

type addAliasInput struct {
	Body struct {
		Alias string `json:"alias" doc:"Such as 4711@example.com"`
		User  string `json:"user" doc:"Such as alice@example.com"`
	}
}

type aliasInput struct {
	Alias string `path:"alias" doc:"Such as 4711@example.com"`
}

func registerAliases(h huma.API, src Sources) {
	huma.Register(h, operation("list-aliases", http.MethodGet, "/v1/aliases", "Further addresses of users", "users", http.StatusOK),
		func(ctx context.Context, _ *struct{}) (*aliasesOutput, error) {
			list, err := src.Aliases.Aliases(ctx)
			if err != nil {
				return nil, problem(err)
			}
			return &aliasesOutput{Body: listOf(list)}, nil
		})
	huma.Register(h, operation("add-alias", http.MethodPost, "/v1/aliases", "Give a user another address", "users", http.StatusCreated),
		func(ctx context.Context, in *addAliasInput) (*aliasOutput, error) {
			alias, err := ParseAOR(in.Body.Alias)
			if err != nil {
				return nil, problem(err)
			}
			user, err := ParseAOR(in.Body.User)
			if err != nil {
				return nil, problem(err)
			}
			if err := src.Aliases.AddAlias(ctx, alias, user); err != nil {
				return nil, problem(err)
			}
			return &aliasOutput{Body: Alias{Alias: alias, User: user}}, nil
		})
	huma.Register(h, operation("remove-alias", http.MethodDelete, "/v1/aliases/{alias}", "Take an address from its user", "users", http.StatusNoContent),
		func(ctx context.Context, in *aliasInput) (*struct{}, error) {
			alias, err := ParseAOR(in.Alias)
			if err != nil {
				return nil, problem(err)
			}
			return nil, problem(src.Aliases.RemoveAlias(ctx, alias))
		})
}
