// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/ctrl/api"
)

func registrationsCommand(o *options) *cobra.Command {
	var aor string
	list := func(cmd *cobra.Command) error {
		c, err := newClient(o)
		if err != nil {
			return err
		}
		path := "/v1/registrations"
		if aor != "" {
			path += "?aor=" + url.QueryEscape(aor)
		}
		var bindings []api.Registration
		if _, err := c.do(cmd.Context(), "listing registrations", http.MethodGet, path, nil, &bindings); err != nil {
			return err
		}
		if o.json {
			return printJSON(cmd, bindings)
		}
		return printRegistrations(cmd, bindings)
	}
	cmd := noun("registrations", "List who is registered where", list, removeRegistrations(o))
	cmd.PersistentFlags().StringVar(&aor, "aor", "", "only this user's, such as `alice@example.com`")
	return cmd
}

func removeRegistrations(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "remove ADDRESS",
		Short: "Drop all bindings of a user, who may register again",
		Args:  exactly("ADDRESS"),
		RunE: forAddress(o, func(cmd *cobra.Command, c *client, aor string) error {
			var removed struct {
				AOR     string `json:"aor"`
				Removed int    `json:"removed"`
			}
			path := "/v1/registrations/" + url.PathEscape(aor)
			if _, err := c.do(cmd.Context(), "removing registrations", http.MethodDelete, path, nil, &removed); err != nil {
				return err
			}
			if o.json {
				return printJSON(cmd, removed)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "removed %d bindings of %s\n", removed.Removed, removed.AOR)
			return err
		}),
	}
}

func printRegistrations(cmd *cobra.Command, bindings []api.Registration) error {
	w := cmd.OutOrStdout()
	if len(bindings) == 0 {
		_, err := fmt.Fprintln(w, "nobody is registered")
		return err
	}
	var rows [][]string
	for _, b := range bindings {
		rows = append(rows, []string{
			b.AOR, b.Contact, b.Received, left(b.Expires), strconv.FormatFloat(b.Q, 'g', 3, 64), b.UserAgent,
		})
	}
	return table(w, []string{"USER", "CONTACT", "BEHIND", "EXPIRES", "Q", "USER AGENT"}, rows)
}

func left(t time.Time) string {
	d := time.Until(t)
	if d <= 0 {
		return "now"
	}
	return "in " + span(d)
}
