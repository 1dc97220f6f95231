// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

type bansOutput struct{ Body []Ban }

type banOutput struct{ Body Ban }

type addBanInput struct {
	Body struct {
		Source string `json:"source" doc:"An address, such as 198.51.100.7; of an IPv6 address its /64 is banned"`
		For    string `json:"for" doc:"How long, with its unit, such as 90s, 30m or 12h; at most 87600h"`
		Reason string `json:"reason,omitempty" doc:"For whoever reads the list; up to 200 bytes"`
	}
}

type sourceInput struct {
	Source string `path:"source" doc:"As listed, or any address of it"`
}

func registerBans(h huma.API, src Sources) {
	huma.Register(h, operation("list-bans", http.MethodGet, "/v1/bans", "Sources that are banned now", "bans", http.StatusOK),
		func(ctx context.Context, _ *struct{}) (*bansOutput, error) {
			list, err := src.Admission.Bans(ctx)
			if err != nil {
				return nil, problem(err)
			}
			return &bansOutput{Body: listOf(list)}, nil
		})
	huma.Register(h, operation("add-ban", http.MethodPost, "/v1/bans", "Ban a source for a time, or change its ban", "bans", http.StatusCreated),
		func(ctx context.Context, in *addBanInput) (*banOutput, error) {
			b, err := addBan(ctx, src.Admission, in)
			if err != nil {
				return nil, problem(err)
			}
			return &banOutput{Body: b}, nil
		})
	huma.Register(h, operation("remove-ban", http.MethodDelete, "/v1/bans/{source}", "Lift a ban", "bans", http.StatusNoContent),
		func(ctx context.Context, in *sourceInput) (*struct{}, error) {
			a, err := ParseSource(in.Source)
			if err != nil {
				return nil, problem(err)
			}
			return nil, problem(src.Admission.RemoveBan(ctx, a))
		})
}

func addBan(ctx context.Context, admission Admission, in *addBanInput) (Ban, error) {
	a, err := ParseSource(in.Body.Source)
	if err != nil {
		return Ban{}, err
	}
	length, err := ParseBanLength(in.Body.For)
	if err != nil {
		return Ban{}, err
	}
	if err := checkNote(in.Body.Reason); err != nil {
		return Ban{}, err
	}
	return admission.AddBan(ctx, a, length, in.Body.Reason)
}

// ParseSource reads an address, or a source as SourceText writes it. The error
// wraps ErrInvalid.
func ParseSource(text string) (netip.Addr, error) {
	bare, is64 := strings.CutSuffix(text, "/64")
	a, err := netip.ParseAddr(bare)
	if err != nil || a.Zone() != "" || is64 && a.Unmap().Is4() {
		return a, fmt.Errorf("%w: %q is not a literal address such as 198.51.100.7; for a range use prefixes", ErrInvalid, text)
	}
	return a.Unmap(), nil
}

// SourceText writes a source: an IPv4 address without its length, or a /64.
func SourceText(source netip.Prefix) string {
	if source.IsSingleIP() {
		return source.Addr().String()
	}
	return source.String()
}

// ParseBanLength reads how long a ban is to be, a second to ten years. The error
// wraps ErrInvalid.
func ParseBanLength(text string) (time.Duration, error) {
	const most = 87600 * time.Hour
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second || d > most {
		return 0, fmt.Errorf("%w: %q is not a time between 1s and 87600h, with its unit, such as 90s, 30m or 12h", ErrInvalid, text)
	}
	return d, nil
}

func checkNote(text string) error {
	if len(text) > 200 || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return fmt.Errorf("%w: the text has more than 200 bytes, control characters, or is not UTF-8", ErrInvalid)
	}
	return nil
}
