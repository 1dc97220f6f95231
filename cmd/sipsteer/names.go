// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/ctrl/api"
)

func aliasesCommand(o *options) *cobra.Command {
	list := func(cmd *cobra.Command) error {
		var aliases []api.Alias
		return listing(cmd, o, "listing aliases", "/v1/aliases", &aliases, "no aliases yet; add one with: sipsteer aliases add 4711@example.com alice@example.com",
			[]string{"ALIAS", "USER"}, func() (rows [][]string) {
				for _, a := range aliases {
					rows = append(rows, []string{a.Alias, a.User})
				}
				return rows
			})
	}
	add := &cobra.Command{
		Use:   "add ALIAS USER",
		Short: "Give a user another address",
		Args:  exactly("ALIAS", "USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]string{"alias": args[0], "user": args[1]}
			var a api.Alias
			return adding(cmd, o, "adding alias "+args[0], "/v1/aliases", body, &a, func() string { return a.Alias + " is " + a.User })
		},
	}
	return noun("aliases", "List further addresses of users", list, add, removing(o, "ALIAS", "Take an address from its user", "alias", "/v1/aliases/"))
}

func domainsCommand(o *options) *cobra.Command {
	list := func(cmd *cobra.Command) error {
		var domains []api.Domain
		return listing(cmd, o, "listing domains", "/v1/domains", &domains, "no domains",
			[]string{"DOMAIN", "SERVICE", "FROM"}, func() (rows [][]string) {
				for _, d := range domains {
					from := "command"
					if d.Config {
						from = "config"
					}
					rows = append(rows, []string{d.Domain, d.Service, from})
				}
				return rows
			})
	}
	var service string
	add := &cobra.Command{
		Use:   "add DOMAIN",
		Short: "Make a service responsible for a domain",
		Args:  exactly("DOMAIN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]string{"domain": args[0], "service": service}
			var d api.Domain
			return adding(cmd, o, "adding domain "+args[0], "/v1/domains", body, &d, func() string { return "added " + d.Domain + " to " + d.Service })
		},
	}
	add.Flags().StringVar(&service, "service", "", "the service's `NAME`; not needed where there is one")
	return noun("domains", "List what the services are responsible for", list, add, removing(o, "DOMAIN", "Take back a domain that was added", "domain", "/v1/domains/"))
}

// listing asks for a list and prints it, as JSON or as a table.
func listing(cmd *cobra.Command, o *options, doing, path string, out any, none string, heading []string, rows func() [][]string) error {
	c, err := newClient(o)
	if err != nil {
		return err
	}
	if _, err := c.do(cmd.Context(), doing, http.MethodGet, path, nil, out); err != nil {
		return err
	}
	if o.json {
		return printJSON(cmd, out)
	}
	if r := rows(); len(r) > 0 {
		return table(cmd.OutOrStdout(), heading, r)
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), none)
	return err
}

// adding posts something and prints what became of it.
func adding(cmd *cobra.Command, o *options, doing, path string, body, out any, said func() string) error {
	c, err := newClient(o)
	if err != nil {
		return err
	}
	if _, err := c.do(cmd.Context(), doing, http.MethodPost, path, body, out); err != nil {
		return err
	}
	if o.json {
		return printJSON(cmd, out)
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), said())
	return err
}

// removing makes the command that removes one of a noun by its name.
func removing(o *options, arg, short, noun, path string) *cobra.Command {
	return &cobra.Command{
		Use:   "remove " + arg,
		Short: short,
		Args:  exactly(arg),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(o)
			if err != nil {
				return err
			}
			if _, err := c.do(cmd.Context(), "removing "+noun+" "+args[0], http.MethodDelete, path+url.PathEscape(args[0]), nil, nil); err != nil {
				return err
			}
			if o.json {
				return printJSON(cmd, map[string]any{noun: args[0], "removed": true})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "removed", args[0])
			return err
		},
	}
}
