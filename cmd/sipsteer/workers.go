// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/ctrl/api"
)

func workersCommand(o *options) *cobra.Command {
	list := func(cmd *cobra.Command) error {
		c, err := newClient(o)
		if err != nil {
			return err
		}
		var workers []api.WorkerStatus
		if _, err := c.do(cmd.Context(), "listing workers", http.MethodGet, "/v1/workers", nil, &workers); err != nil {
			return err
		}
		if o.json {
			return printJSON(cmd, workers)
		}
		return printWorkers(cmd.OutOrStdout(), workers)
	}
	return noun("workers", "List the workers with their state and load", list,
		workerVerb(o, "drain", "Give a worker no new calls; the calls it has go on",
			func(w api.WorkerStatus) string {
				return fmt.Sprintf("%s gets no new calls; %d dialogs left", w.Name, w.Dialogs)
			}),
		workerVerb(o, "undrain", "Give a worker new calls again",
			func(w api.WorkerStatus) string { return w.Name + " gets new calls again" }),
	)
}

func workerVerb(o *options, verb, short string, told func(api.WorkerStatus) string) *cobra.Command {
	return &cobra.Command{
		Use:   verb + " NAME",
		Short: short,
		Args:  exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(o)
			if err != nil {
				return err
			}
			var w api.WorkerStatus
			path := "/v1/workers/" + url.PathEscape(args[0]) + "/" + verb
			if _, err := c.do(cmd.Context(), verb+"ing worker "+args[0], http.MethodPost, path, nil, &w); err != nil {
				return err
			}
			if o.json {
				return printJSON(cmd, w)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), told(w))
			return err
		},
	}
}

func printWorkers(w io.Writer, workers []api.WorkerStatus) error {
	var rows [][]string
	for _, x := range workers {
		rows = append(rows, []string{
			x.Name, x.State, x.Forward, x.Address, strconv.Itoa(x.Weight),
			strconv.FormatUint(x.Steered, 10), strconv.FormatUint(x.Dialogs, 10),
		})
	}
	return table(w, []string{"WORKER", "STATE", "FORWARD", "ADDRESS", "WEIGHT", "STEERED", "DIALOGS"}, rows)
}
