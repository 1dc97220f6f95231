// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/ctrl/api"
)

func bansCommand(o *options) *cobra.Command {
	list := func(cmd *cobra.Command) error {
		c, err := newClient(o)
		if err != nil {
			return err
		}
		var bans []api.Ban
		if _, err := c.do(cmd.Context(), "listing bans", http.MethodGet, "/v1/bans", nil, &bans); err != nil {
			return err
		}
		if o.json {
			return printJSON(cmd, bans)
		}
		return printBans(cmd, bans)
	}
	return noun("bans", "List the sources that are banned", list, addBan(o), removeBan(o))
}

func addBan(o *options) *cobra.Command {
	var length time.Duration
	var reason string
	cmd := &cobra.Command{
		Use:   "add ADDRESS",
		Short: "Ban a source for a time, or change its ban; of an IPv6 address its /64",
		Args:  exactly("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := sourceArgument(args[0])
			if err != nil {
				return err
			}
			if _, err := api.ParseBanLength(length.String()); err != nil {
				return usagef("--for %s is not between 1s and 87600h", length)
			}
			c, err := newClient(o)
			if err != nil {
				return err
			}
			var b api.Ban
			body := map[string]string{"source": a.String(), "for": length.String(), "reason": reason}
			if _, err := c.do(cmd.Context(), "banning "+a.String(), http.MethodPost, "/v1/bans", body, &b); err != nil {
				return err
			}
			if o.json {
				return printJSON(cmd, b)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "banned %s until %s\n", b.Source, clock(&b.Until))
			return err
		},
	}
	cmd.Flags().DurationVar(&length, "for", time.Hour, "how long, such as `1h`")
	cmd.Flags().StringVar(&reason, "reason", "", "a `TEXT` for whoever reads the list")
	return cmd
}

func removeBan(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "remove ADDRESS",
		Short: "Lift a ban",
		Args:  exactly("ADDRESS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := sourceArgument(args[0])
			if err != nil {
				return err
			}
			c, err := newClient(o)
			if err != nil {
				return err
			}
			path := "/v1/bans/" + url.PathEscape(a.String())
			if _, err := c.do(cmd.Context(), "lifting the ban of "+a.String(), http.MethodDelete, path, nil, nil); err != nil {
				return err
			}
			if o.json {
				return printJSON(cmd, map[string]any{"source": a.String(), "removed": true})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "lifted the ban of", a)
			return err
		},
	}
}

func sourceArgument(text string) (netip.Addr, error) {
	a, err := api.ParseSource(text)
	return a, asUsage(err)
}

// asUsage makes a fault of an argument a usage error.
func asUsage(err error) error {
	if !errors.Is(err, api.ErrInvalid) {
		return err
	}
	return usagef("%s", strings.TrimPrefix(err.Error(), api.ErrInvalid.Error()+": "))
}

func printBans(cmd *cobra.Command, bans []api.Ban) error {
	w := cmd.OutOrStdout()
	if len(bans) == 0 {
		_, err := fmt.Fprintln(w, "nobody is banned")
		return err
	}
	var rows [][]string
	for _, b := range bans {
		rows = append(rows, []string{b.Source, clock(&b.Since), clock(&b.Until), b.By, b.Reason})
	}
	return table(w, []string{"SOURCE", "SINCE", "UNTIL", "BY", "REASON"}, rows)
}
