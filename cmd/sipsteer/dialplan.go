// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/ctrl/api"
)

func routesCommand(o *options) *cobra.Command {
	return noun("routes", "List the dial plan", func(cmd *cobra.Command) error {
		var routes []api.Route
		return listing(cmd, o, "listing routes", "/v1/routes", &routes, "no routes; they stand in the config file",
			[]string{"PREFIX", "GROUPS", "STRIP", "ADD", "SILENT FOR", "NEXT ON"}, func() (rows [][]string) {
				for _, r := range routes {
					codes := strings.Trim(strings.ReplaceAll(fmt.Sprint(r.Failover), " ", ","), "[]")
					rows = append(rows, []string{r.Prefix, strings.Join(r.Groups, ","), strconv.Itoa(r.Strip), r.Add, fmt.Sprintf("%gs", r.ReplySeconds), codes})
				}
				return rows
			})
	})
}

func gatewaysCommand(o *options) *cobra.Command {
	return noun("gateways", "List the gateways", func(cmd *cobra.Command) error {
		var gateways []api.Gateway
		return listing(cmd, o, "listing gateways", "/v1/gateways", &gateways, "no gateways; they stand in the config file",
			[]string{"GATEWAY", "GROUP", "ADDRESS", "PRIORITY", "WEIGHT", "SOURCES"}, func() (rows [][]string) {
				for _, g := range gateways {
					rows = append(rows, []string{g.Name, g.Group, g.Address, strconv.Itoa(g.Priority), strconv.Itoa(g.Weight), strings.Join(g.Sources, ",")})
				}
				return rows
			})
	})
}
