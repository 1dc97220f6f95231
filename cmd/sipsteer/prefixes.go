// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/ctrl/api"
)

func prefixesCommand(o *options) *cobra.Command {
	list := func(cmd *cobra.Command) error {
		c, err := newClient(o)
		if err != nil {
			return err
		}
		var prefixes []api.Prefix
		if _, err := c.do(cmd.Context(), "listing prefixes", http.MethodGet, "/v1/prefixes", nil, &prefixes); err != nil {
			return err
		}
		if o.json {
			return printJSON(cmd, prefixes)
		}
		return printPrefixes(cmd, prefixes)
	}
	return noun("prefixes", "List the ranges of source addresses that have a rule", list,
		setPrefix(o, "allow", "Always hear a prefix: never banned, never limited"),
		setPrefix(o, "deny", "Never hear a prefix"),
		removePrefix(o),
	)
}

// setPrefix makes the commands that are named as their rule.
func setPrefix(o *options, rule, short string) *cobra.Command {
	var note string
	cmd := &cobra.Command{
		Use:   rule + " PREFIX",
		Short: short + "; the longest prefix decides",
		Args:  exactly("PREFIX"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := api.ParsePrefix(args[0])
			if err != nil {
				return asUsage(err)
			}
			c, err := newClient(o)
			if err != nil {
				return err
			}
			var set api.Prefix
			body := map[string]string{"prefix": p.String(), "rule": rule, "note": note}
			if _, err := c.do(cmd.Context(), "setting "+p.String(), http.MethodPost, "/v1/prefixes", body, &set); err != nil {
				return err
			}
			if o.json {
				return printJSON(cmd, set)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), set.Rule, set.Prefix)
			return err
		},
	}
	cmd.Flags().StringVar(&note, "note", "", "a `TEXT` for whoever reads the list")
	return cmd
}

func removePrefix(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "remove PREFIX",
		Short: "Take the rule of a prefix away",
		Args:  exactly("PREFIX"),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := api.ParsePrefix(args[0])
			if err != nil {
				return asUsage(err)
			}
			c, err := newClient(o)
			if err != nil {
				return err
			}
			path := "/v1/prefixes/" + url.PathEscape(p.String())
			if _, err := c.do(cmd.Context(), "removing "+p.String(), http.MethodDelete, path, nil, nil); err != nil {
				return err
			}
			if o.json {
				return printJSON(cmd, map[string]any{"prefix": p.String(), "removed": true})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "removed", p)
			return err
		},
	}
}

func printPrefixes(cmd *cobra.Command, prefixes []api.Prefix) error {
	w := cmd.OutOrStdout()
	if len(prefixes) == 0 {
		_, err := fmt.Fprintln(w, "no prefix has a rule: everybody is heard who is not banned")
		return err
	}
	var rows [][]string
	for _, p := range prefixes {
		rows = append(rows, []string{p.Prefix, p.Rule, p.Origin, p.Note})
	}
	return table(w, []string{"PREFIX", "RULE", "ORIGIN", "NOTE"}, rows)
}
