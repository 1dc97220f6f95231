// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/ctrl/api"
)

func usersCommand(o *options) *cobra.Command {
	list := func(cmd *cobra.Command) error {
		c, err := newClient(o)
		if err != nil {
			return err
		}
		var users []api.User
		if _, err := c.do(cmd.Context(), "listing users", http.MethodGet, "/v1/users", nil, &users); err != nil {
			return err
		}
		if o.json {
			return printJSON(cmd, users)
		}
		return printUsers(cmd, users)
	}
	return noun("users", "List the accounts", list,
		passwordVerb(o, "add", "added", "Add an account", func(aor string) (method, path string) {
			return http.MethodPost, "/v1/users"
		}),
		passwordVerb(o, "passwd", "changed the password of", "Change a password", func(aor string) (method, path string) {
			return http.MethodPut, "/v1/users/" + url.PathEscape(aor) + "/password"
		}),
		removeUser(o),
	)
}

func printUsers(cmd *cobra.Command, users []api.User) error {
	w := cmd.OutOrStdout()
	if len(users) == 0 {
		_, err := fmt.Fprintln(w, "no users yet; add one with: sipsteer users add alice@example.com --password-stdin")
		return err
	}
	var rows [][]string
	for _, u := range users {
		rows = append(rows, []string{u.AOR})
	}
	return table(w, []string{"USER"}, rows)
}

// passwordVerb makes the commands that take an address and a password.
func passwordVerb(o *options, verb, done, short string, target func(aor string) (method, path string)) *cobra.Command {
	var password string
	var fromStdin bool
	cmd := &cobra.Command{
		Use:   verb + " ADDRESS",
		Short: short,
		Args:  exactly("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := choosePassword(cmd, password, fromStdin)
			if err != nil {
				return err
			}
			aor, err := address(args[0])
			if err != nil {
				return err
			}
			c, err := newClient(o)
			if err != nil {
				return err
			}
			method, path := target(aor)
			body := map[string]string{"password": secret}
			if method == http.MethodPost {
				body["aor"] = aor
			}
			var u api.User
			if _, err := c.do(cmd.Context(), verbing(verb, aor), method, path, body, &u); err != nil {
				return err
			}
			if o.json {
				return printJSON(cmd, u)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), done, u.AOR)
			return err
		},
	}
	cmd.Flags().StringVar(&password, "password", "", "the `SECRET`; other users of this host can see it in the process list")
	cmd.Flags().BoolVar(&fromStdin, "password-stdin", false, "read the password from the first line of standard input")
	return cmd
}

// address reads an address of record from the command line.
func address(text string) (string, error) {
	aor, err := api.ParseAOR(text)
	if err != nil {
		return "", usagef("%s", strings.TrimPrefix(err.Error(), api.ErrInvalid.Error()+": "))
	}
	return aor, nil
}

// forAddress makes the body of a command whose one argument is a user's address.
func forAddress(o *options, act func(cmd *cobra.Command, c *client, aor string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		aor, err := address(args[0])
		if err != nil {
			return err
		}
		c, err := newClient(o)
		if err != nil {
			return err
		}
		return act(cmd, c, aor)
	}
}

func verbing(verb, aor string) string {
	if verb == "add" {
		return "adding user " + aor
	}
	return "changing the password of " + aor
}

func choosePassword(cmd *cobra.Command, flag string, fromStdin bool) (string, error) {
	given := cmd.Flags().Changed("password")
	if given == fromStdin {
		return "", usagef("%s: give either --password SECRET or --password-stdin", cmd.CommandPath())
	}
	if given {
		return flag, nil
	}
	const longest = 4096
	line, err := bufio.NewReader(io.LimitReader(cmd.InOrStdin(), longest)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("reading the password: %w", err)
	}
	line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
	if line == "" {
		return "", errors.New("reading the password: standard input has none on its first line")
	}
	return line, nil
}

func removeUser(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "remove ADDRESS",
		Short: "Remove an account and its registrations",
		Args:  exactly("ADDRESS"),
		RunE: forAddress(o, func(cmd *cobra.Command, c *client, aor string) error {
			path := "/v1/users/" + url.PathEscape(aor)
			if _, err := c.do(cmd.Context(), "removing user "+aor, http.MethodDelete, path, nil, nil); err != nil {
				return err
			}
			if o.json {
				return printJSON(cmd, map[string]any{"aor": aor, "removed": true})
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "removed", aor)
			return err
		}),
	}
}
