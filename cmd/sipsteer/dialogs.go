// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/ctrl/api"
)

func dialogsCommand(o *options) *cobra.Command {
	var callID, state string
	var limit int
	list := func(cmd *cobra.Command) error {
		query, err := dialogQuery(callID, state, limit)
		if err != nil {
			return err
		}
		c, err := newClient(o)
		if err != nil {
			return err
		}
		var dialogs []api.Dialog
		header, err := c.do(cmd.Context(), "listing dialogs", http.MethodGet, "/v1/dialogs?"+query.Encode(), nil, &dialogs)
		if err != nil {
			return err
		}
		cut := header.Get("Sipsteer-Truncated") == "true"
		if cut {
			fmt.Fprintf(cmd.ErrOrStderr(), "sipsteer: there are more than %d dialogs; see more with --limit\n", limit)
		}
		if o.json {
			return printJSON(cmd, dialogs)
		}
		return printDialogs(cmd, dialogs)
	}
	cmd := noun("dialogs", "List live dialogs, oldest first", list)
	f := cmd.PersistentFlags()
	f.StringVar(&callID, "call-id", "", "only the dialog with this `CALL-ID`")
	f.StringVar(&state, "state", "", "only dialogs in this `STATE`: early, confirmed or ended")
	f.IntVar(&limit, "limit", 1000, "at most this many, up to 100000")
	return cmd
}

func dialogQuery(callID, state string, limit int) (url.Values, error) {
	query := url.Values{}
	switch state {
	case "":
	case "early", "confirmed", "ended":
		query.Set("state", state)
	default:
		return nil, usagef("%q is no state; allowed: early, confirmed, ended", state)
	}
	if limit < 1 || limit > 100000 {
		return nil, usagef("--limit %d is not between 1 and 100000", limit)
	}
	query.Set("limit", strconv.Itoa(limit))
	if callID != "" {
		query.Set("call_id", callID)
	}
	return query, nil
}

func printDialogs(cmd *cobra.Command, dialogs []api.Dialog) error {
	w := cmd.OutOrStdout()
	if len(dialogs) == 0 {
		_, err := fmt.Fprintln(w, "no dialogs")
		return err
	}
	var rows [][]string
	for _, d := range dialogs {
		id := d.CallID
		if id == "" {
			id = "key " + d.Key
		}
		code := "-"
		if d.FinalCode != 0 {
			code = strconv.Itoa(d.FinalCode)
		}
		rows = append(rows, []string{
			id, d.State, d.Service, d.Worker, d.From, d.To, clock(d.Start), clock(d.Answer), clock(d.End), code,
			strconv.FormatUint(d.Requests, 10), strconv.FormatUint(d.Responses, 10),
		})
	}
	return table(w, []string{"CALL-ID", "STATE", "SERVICE", "WORKER", "FROM", "TO", "START", "ANSWER", "END", "CODE", "REQUESTS", "RESPONSES"}, rows)
}
