// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

type usersOutput struct{ Body []User }

type userOutput struct{ Body User }

type addUserInput struct {
	Body struct {
		AOR      string `json:"aor" doc:"Such as alice@example.com"`
		Password string `json:"password" doc:"1 to 256 bytes without control characters"`
	}
}

type passwordInput struct {
	AOR  string `path:"aor" doc:"Such as alice@example.com"`
	Body struct {
		Password string `json:"password" doc:"1 to 256 bytes without control characters"`
	}
}

func registerUsers(h huma.API, src Sources) {
	huma.Register(h, operation("list-users", http.MethodGet, "/v1/users", "The accounts, by address", "users", http.StatusOK),
		func(ctx context.Context, _ *struct{}) (*usersOutput, error) {
			list, err := src.Users.Users(ctx)
			if err != nil {
				return nil, problem(err)
			}
			return &usersOutput{Body: listOf(list)}, nil
		})
	huma.Register(h, operation("add-user", http.MethodPost, "/v1/users", "Add an account", "users", http.StatusCreated),
		func(ctx context.Context, in *addUserInput) (*userOutput, error) {
			return changeUser(in.Body.AOR, in.Body.Password, func(aor string) error {
				return src.Users.AddUser(ctx, aor, in.Body.Password)
			})
		})
	huma.Register(h, operation("set-password", http.MethodPut, "/v1/users/{aor}/password", "Change a password", "users", http.StatusOK),
		func(ctx context.Context, in *passwordInput) (*userOutput, error) {
			return changeUser(in.AOR, in.Body.Password, func(aor string) error {
				return src.Users.SetPassword(ctx, aor, in.Body.Password)
			})
		})
	huma.Register(h, operation("remove-user", http.MethodDelete, "/v1/users/{aor}", "Remove an account and its bindings", "users", http.StatusNoContent),
		func(ctx context.Context, in *aorInput) (*struct{}, error) {
			aor, err := ParseAOR(in.AOR)
			if err != nil {
				return nil, problem(err)
			}
			return nil, problem(src.Users.RemoveUser(ctx, aor))
		})
}

// changeUser checks address and password before change sees them. No error it
// returns contains the password.
func changeUser(text, password string, change func(aor string) error) (*userOutput, error) {
	aor, err := ParseAOR(text)
	if err != nil {
		return nil, problem(err)
	}
	if err := checkPassword(password); err != nil {
		return nil, problem(err)
	}
	if err := change(aor); err != nil {
		return nil, problem(err)
	}
	return &userOutput{Body: User{AOR: aor}}, nil
}

func checkPassword(password string) error {
	switch {
	case password == "":
		return fmt.Errorf("%w: the password is empty", ErrInvalid)
	case len(password) > 256:
		return fmt.Errorf("%w: the password has more than 256 bytes", ErrInvalid)
	case !utf8.ValidString(password), strings.ContainsFunc(password, unicode.IsControl):
		return fmt.Errorf("%w: the password has control characters or is not UTF-8", ErrInvalid)
	}
	return nil
}
