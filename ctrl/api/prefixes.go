// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"net/netip"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sipsteer/sipsteer/ctrl/config"
)

type prefixesOutput struct{ Body []Prefix }

type prefixOutput struct{ Body Prefix }

type setPrefixInput struct {
	Body struct {
		Prefix string `json:"prefix" doc:"ADDR/BITS, or one address"`
		Rule   string `json:"rule" enum:"allow,deny" doc:"allow: always heard, never banned, never limited. deny: never heard. The longest prefix decides"`
		Note   string `json:"note,omitempty" doc:"For whoever reads the list; up to 200 bytes"`
	}
}

type prefixInput struct {
	Prefix string `path:"prefix" doc:"ADDR/BITS with the slash as %2F, or one address"`
}

func registerPrefixes(h huma.API, src Sources) {
	huma.Register(h, operation("list-prefixes", http.MethodGet, "/v1/prefixes", "Ranges of source addresses with a rule", "prefixes", http.StatusOK),
		func(ctx context.Context, _ *struct{}) (*prefixesOutput, error) {
			list, err := src.Admission.Prefixes(ctx)
			if err != nil {
				return nil, problem(err)
			}
			return &prefixesOutput{Body: listOf(list)}, nil
		})
	huma.Register(h, operation("set-prefix", http.MethodPost, "/v1/prefixes", "Add a prefix, or change its rule", "prefixes", http.StatusCreated),
		func(ctx context.Context, in *setPrefixInput) (*prefixOutput, error) {
			p, err := ParsePrefix(in.Body.Prefix)
			if err == nil {
				err = checkNote(in.Body.Note)
			}
			if err != nil {
				return nil, problem(err)
			}
			set, err := src.Admission.SetPrefix(ctx, p, in.Body.Rule == "deny", in.Body.Note)
			if err != nil {
				return nil, problem(err)
			}
			return &prefixOutput{Body: set}, nil
		})
	huma.Register(h, operation("remove-prefix", http.MethodDelete, "/v1/prefixes/{prefix}", "Take the rule of a prefix away", "prefixes", http.StatusNoContent),
		func(ctx context.Context, in *prefixInput) (*struct{}, error) {
			p, err := ParsePrefix(in.Prefix)
			if err != nil {
				return nil, problem(err)
			}
			return nil, problem(src.Admission.RemovePrefix(ctx, p))
		})
}

// ParsePrefix reads ADDR/BITS without bits behind its length, or one address. The
// error wraps ErrInvalid.
func ParsePrefix(text string) (netip.Prefix, error) {
	p, err := config.ParsePrefix(text)
	if err != nil {
		return p, Refuse(ErrInvalid, err)
	}
	return p, nil
}
