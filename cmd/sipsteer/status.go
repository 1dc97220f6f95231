// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/ctrl/api"
)

func statusCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what a running daemon does, in one look",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := newClient(o)
			if err != nil {
				return err
			}
			var s api.Status
			if _, err := c.do(cmd.Context(), "reading the status", http.MethodGet, "/v1/status", nil, &s); err != nil {
				return err
			}
			if o.json {
				return printJSON(cmd, s)
			}
			return printStatus(cmd.OutOrStdout(), &s)
		},
	}
}

func printStatus(w io.Writer, s *api.Status) error {
	d, ctl := &s.Datapath, &s.Control
	lines := [][2]string{
		{"node", fmt.Sprintf("%s, sipsteer %s, up %s", s.Node, s.Version, span(time.Duration(s.UptimeSeconds*float64(time.Second))))},
	}
	for _, svc := range s.Services {
		lines = append(lines, [2]string{"service", serviceLine(&svc)})
	}
	lines = append(lines,
		[2]string{"datapath", datapathMode(d)},
		[2]string{"", fmt.Sprintf("steered %d, passed up %d, dropped %s", d.Steered, d.Passed, sumOf(d.Dropped))},
		[2]string{"control", fmt.Sprintf("received %s, answered %s", sumOf(ctl.Received), sumOf(ctl.Answered))},
		[2]string{"", fmt.Sprintf("handed over %d, steered in user space %d, dropped %s", ctl.HandedOver, ctl.Steered, sumOf(ctl.Dropped))},
		[2]string{"dialogs", fmt.Sprintf("%d early, %d confirmed, %d ended", s.Dialogs.Early, s.Dialogs.Confirmed, s.Dialogs.Ended)},
		[2]string{"sources", fmt.Sprintf("%d banned, %d prefixes with a rule", s.Policy.Bans, s.Policy.Prefixes)},
		[2]string{"registrations", fmt.Sprint(s.Registrations)},
	)
	for _, l := range lines {
		fmt.Fprintf(w, "%-14s %s\n", l[0], l[1])
	}
	fmt.Fprintln(w)
	return printWorkers(w, s.Workers)
}

func serviceLine(s *api.ServiceStatus) string {
	line := s.Name + " on " + strings.Join(s.Listen, ", ")
	if len(s.Domains) == 0 {
		return line + ", policy " + s.Policy
	}
	return line + " for " + strings.Join(s.Domains, ", ")
}

func datapathMode(d *api.DatapathStatus) string {
	if d.Mode == "off" {
		return "off: every packet takes the way through user space"
	}
	return d.Mode + " XDP on " + strings.Join(d.Interfaces, ", ")
}

// sumOf shows a total and its parts, the largest first.
func sumOf(parts map[string]uint64) string {
	var total uint64
	names := slices.SortedFunc(maps.Keys(parts), func(a, b string) int {
		return cmp.Or(cmp.Compare(parts[b], parts[a]), cmp.Compare(a, b))
	})
	var shown []string
	for _, name := range names {
		total += parts[name]
		if parts[name] > 0 {
			shown = append(shown, fmt.Sprintf("%s %d", plain(name), parts[name]))
		}
	}
	if total == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%s)", total, strings.Join(shown, ", "))
}
