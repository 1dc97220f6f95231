// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"
)

// printJSON writes v as a script reads it.
func printJSON(cmd *cobra.Command, v any) error {
	e := json.NewEncoder(cmd.OutOrStdout())
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printJSONLine writes v on a line of its own, for streams.
func printJSONLine(cmd *cobra.Command, v any) error {
	e := json.NewEncoder(cmd.OutOrStdout())
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table writes rows below a heading, in columns.
func table(w io.Writer, heading []string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(heading, "\t"))
	for _, row := range rows {
		for i := range row {
			row[i] = plain(row[i])
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// plain makes text from the network safe for a terminal, where control
// characters could rewrite what the operator sees.
func plain(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, s)
}

// clock shows a time of day, with its date when that is not today.
func clock(t *time.Time) string {
	if t == nil {
		return "-"
	}
	local := t.Local()
	if time.Since(*t).Abs() < 12*time.Hour {
		return local.Format("15:04:05")
	}
	return local.Format("2006-01-02 15:04:05")
}

// span shows a length of time to the second.
func span(d time.Duration) string {
	return d.Round(time.Second).String()
}
