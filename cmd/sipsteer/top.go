// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/sipsteer/sipsteer/ctrl/api"
)

// Terminal control sequences (ECMA-48): home, clear to the end of line and screen, and the second screen of a terminal.
const (
	termHome     = "\x1b[H"
	termClearEOL = "\x1b[K"
	termClearEnd = "\x1b[J"
	termEnter    = "\x1b[?1049h\x1b[?25l"
	termLeave    = "\x1b[?25h\x1b[?1049l"
)

func topCommand(o *options) *cobra.Command {
	var every time.Duration
	var rounds int
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch a running daemon: packets, calls, workers and drops by cause, a second",
		Long: `Show what a running daemon does now, over and over, until Ctrl-C. Rates are per
second, over the last interval. Into a pipe or a file it writes one look after another,
and one JSON object a look with --json.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < 100*time.Millisecond {
				return usagef("--every %s is too short; at least 100ms", every)
			}
			c, err := newClient(o)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			t := &top{client: c, out: cmd.OutOrStdout(), json: o.json, every: every, rounds: rounds}
			t.live = !o.json && isTerminal(t.out)
			return t.run(ctx, cmd)
		},
	}
	cmd.Flags().DurationVar(&every, "every", time.Second, "time between two looks")
	cmd.Flags().IntVarP(&rounds, "number", "n", 0, "stop after this many looks; 0 goes on")
	return cmd
}

// isTerminal tells whether out can be drawn over.
func isTerminal(out io.Writer) bool {
	f, ok := out.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil && os.Getenv("TERM") != "dumb"
}

type top struct {
	client *client
	out    io.Writer
	live   bool
	json   bool
	every  time.Duration
	rounds int
}

func (t *top) run(ctx context.Context, cmd *cobra.Command) error {
	if t.live {
		fmt.Fprint(t.out, termEnter)
		defer fmt.Fprint(t.out, termLeave)
	}
	before, at, err := t.look(ctx)
	for n := 0; err == nil; {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(t.every):
		}
		var now *api.Status
		var then time.Time
		now, then, err = t.look(ctx)
		if err != nil {
			break
		}
		r := ratesOf(before, now, then.Sub(at))
		if err := t.show(cmd, r); err != nil {
			return err
		}
		before, at = now, then
		if n++; n == t.rounds {
			return nil
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (t *top) look(ctx context.Context) (*api.Status, time.Time, error) {
	var s api.Status
	_, err := t.client.do(ctx, "reading the status", http.MethodGet, "/v1/status", nil, &s)
	return &s, time.Now(), err
}

func (t *top) show(cmd *cobra.Command, r rates) error {
	if t.json {
		return printJSONLine(cmd, r)
	}
	var b bytes.Buffer
	printRates(&b, r)
	text := b.Bytes()
	if t.live {
		text = append([]byte(termHome), bytes.ReplaceAll(text, []byte("\n"), []byte(termClearEOL+"\n"))...)
		text = append(text, termClearEnd...)
	}
	_, err := t.out.Write(text)
	return err
}
