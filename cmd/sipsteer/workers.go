// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

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
		drainCommand(o), undrainCommand(o), weightCommand(o))
}

func drainCommand(o *options) *cobra.Command {
	var wait bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "drain NAME",
		Short: "Give a worker no new calls; the calls it has go on. It holds over a restart",
		Args:  exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(o)
			if err != nil {
				return err
			}
			w, err := changeWorker(cmd, c, args[0], "drain")
			if err != nil {
				return err
			}
			if wait {
				if w, err = waitDrained(cmd, c, w, every); err != nil {
					return err
				}
			}
			return told(cmd, o, w, drainingNow(w))
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it has no calls left")
	cmd.Flags().DurationVar(&every, "every", time.Second, "with --wait: how often to look")
	return cmd
}

func drainingNow(w api.WorkerStatus) string {
	if w.Dialogs == 0 {
		return w.Name + " gets no new calls and has none left"
	}
	return fmt.Sprintf("%s gets no new calls; %d dialogs left", w.Name, w.Dialogs)
}

// waitDrained looks again until the worker has no calls, and tells on standard error how many are left when that changes.
func waitDrained(cmd *cobra.Command, c *client, w api.WorkerStatus, every time.Duration) (api.WorkerStatus, error) {
	for last := uint64(0); w.Dialogs > 0; {
		if w.State != api.WorkerDraining && w.State != api.WorkerDown {
			return w, fmt.Errorf("waiting for %s: it is %s, somebody let it have new calls again", w.Name, w.State)
		}
		if w.Dialogs != last {
			last = w.Dialogs
			fmt.Fprintln(cmd.ErrOrStderr(), drainingNow(w))
		}
		select {
		case <-cmd.Context().Done():
			return w, cmd.Context().Err()
		case <-time.After(every):
		}
		var workers []api.WorkerStatus
		if _, err := c.do(cmd.Context(), "looking at worker "+w.Name, http.MethodGet, "/v1/workers", nil, &workers); err != nil {
			return w, err
		}
		i := slices.IndexFunc(workers, func(x api.WorkerStatus) bool { return x.Name == w.Name })
		if i < 0 {
			return w, fmt.Errorf("waiting for %s: it is not in the config any more", w.Name)
		}
		w = workers[i]
	}
	return w, nil
}

func undrainCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "undrain NAME",
		Short: "Give a worker new calls again",
		Args:  exactly("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := newClient(o)
			if err != nil {
				return err
			}
			w, err := changeWorker(cmd, c, args[0], "undrain")
			if err != nil {
				return err
			}
			return told(cmd, o, w, w.Name+" gets new calls again")
		},
	}
}

// changeWorker asks for one of the changes that need no more than a name.
func changeWorker(cmd *cobra.Command, c *client, name, verb string) (w api.WorkerStatus, err error) {
	path := "/v1/workers/" + url.PathEscape(name) + "/" + verb
	_, err = c.do(cmd.Context(), verb+"ing worker "+name, http.MethodPost, path, nil, &w)
	return w, err
}

func weightCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "weight NAME WEIGHT",
		Short: "Change a worker's share of new calls, 1 to 1000, or \"config\" for that of the file. It holds over a restart",
		Args:  exactly("NAME", "WEIGHT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			weight, err := parseWeight(args[1])
			if err != nil {
				return err
			}
			c, err := newClient(o)
			if err != nil {
				return err
			}
			var w api.WorkerStatus
			path := "/v1/workers/" + url.PathEscape(args[0]) + "/weight"
			in := map[string]int{"weight": weight}
			if _, err := c.do(cmd.Context(), "weighting worker "+args[0], http.MethodPut, path, in, &w); err != nil {
				return err
			}
			return told(cmd, o, w, fmt.Sprintf("%s has weight %d", w.Name, w.Weight))
		},
	}
}

// parseWeight reads a weight; "config" is 0 to the API.
func parseWeight(text string) (int, error) {
	if text == "config" {
		return 0, nil
	}
	weight, err := strconv.Atoi(text)
	if err != nil || weight < 1 || weight > api.MaxWeight {
		return 0, usagef("%q is no weight; allowed: 1 to %d, or config", text, api.MaxWeight)
	}
	return weight, nil
}

// told prints what became of a worker.
func told(cmd *cobra.Command, o *options, w api.WorkerStatus, text string) error {
	if o.json {
		return printJSON(cmd, w)
	}
	_, err := fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

func printWorkers(w io.Writer, workers []api.WorkerStatus) error {
	var rows [][]string
	for _, x := range workers {
		rows = append(rows, []string{
			x.Name, x.State, x.Forward, x.Address, strconv.Itoa(x.Weight),
			strconv.FormatUint(x.Steered, 10), strconv.FormatUint(x.Dialogs, 10), x.Health,
		})
	}
	return table(w, []string{"WORKER", "STATE", "FORWARD", "ADDRESS", "WEIGHT", "STEERED", "DIALOGS", "HEALTH"}, rows)
}
