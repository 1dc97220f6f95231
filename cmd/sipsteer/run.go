// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/ctrl/config"
)

// Why a daemon stops, as the cause of its context.
var (
	errKeepAttached = errors.New("stopping; the datapath stays attached for the next start")
	errDetach       = errors.New("stopping and detaching the datapath")
)

// runOptions is what runDaemon needs beside the config.
type runOptions struct {
	Log     *slog.Logger
	Version string
	// FallBack runs without XDP where it cannot be had.
	FallBack bool
	// DemoUsers are accounts to make at the start unless they are there.
	DemoUsers []demoUser
	// Ready is called once, when every socket listens and the datapath runs.
	Ready func(readyInfo)
}

// readyInfo is what turned out at the start.
type readyInfo struct {
	Mode string // the mode in effect: native, generic or off
	Why  string // why XDP is not used although the config allows it, or ""
}

// keepAttached says whether the datapath outlives a daemon whose ctx ended.
func keepAttached(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), errKeepAttached)
}

func runCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Run the daemon: datapath, control plane and local workers",
		Long: `Run the daemon in the foreground. Without -c it serves 127.0.0.1:5060 for two demo
users, with two workers in the process and its database in ~/.local/state/sipsteer.

SIGTERM stops the daemon and leaves the datapath attached, so that calls go on while
it restarts. SIGINT (Ctrl-C) detaches it and leaves nothing behind. A second signal
ends the process at once.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, demo, err := daemonConfig(o.config)
			if err != nil {
				return err
			}
			log := newLogger(cmd.ErrOrStderr(), cfg.Log)
			ctx, stop := signalContext(cmd.Context(), o.config == "")
			defer stop()
			return runDaemon(ctx, cfg, runOptions{
				Log:       log,
				Version:   version,
				FallBack:  o.config == "",
				DemoUsers: demo,
				Ready: func(r readyInfo) {
					if o.config == "" {
						printBanner(cmd.OutOrStdout(), bannerInfo(cfg, demo, r))
					}
					if err := notifyReady(); err != nil {
						log.Warn("telling systemd that the daemon is ready failed", "error", err)
					}
				},
			})
		},
	}
}

func workerCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "worker -c FILE",
		Short: "Run a worker on a host of its own",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.config == "" {
				return usagef("%s: name the worker's file with -c", cmd.CommandPath())
			}
			cfg, err := config.LoadWorker(o.config)
			if err != nil {
				return err
			}
			ctx, stop := signalContext(cmd.Context(), false)
			defer stop()
			slog.SetDefault(newLogger(cmd.ErrOrStderr(), cfg.Log))
			return runWorker(ctx, cfg)
		},
	}
}

func detachCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "detach",
		Short: "Remove the XDP program and its pinned maps after a daemon that is gone",
		Long: `Remove what a stopped daemon left attached: the XDP program on the interfaces and
the pins under datapath.bpffs of the given config. Calls through it end.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := detachConfig(o.config)
			if err != nil {
				return err
			}
			if err := detachDatapath(cmd.Context(), cfg); err != nil {
				return err
			}
			if o.json {
				return printJSON(cmd, map[string]any{"detached": true, "interfaces": append([]string{}, cfg.Datapath.Interfaces...)})
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "nothing of sipsteer is attached any more")
			return err
		},
	}
}

// daemonConfig loads the file, or makes the embedded config and its users.
func daemonConfig(file string) (*config.Config, []demoUser, error) {
	if file != "" {
		cfg, err := config.Load(file)
		return cfg, nil, err
	}
	dir, err := config.StateDir(os.Getenv)
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("making the state directory: %w; set XDG_STATE_HOME to one that can be written", err)
	}
	cfg := config.Embedded(dir)
	demo, err := demoUsers(dir, cfg.Services[0].Domains[0], "alice", "bob")
	if err != nil {
		return nil, nil, err
	}
	return cfg, demo, nil
}

func detachConfig(file string) (*config.Config, error) {
	if file != "" {
		return config.Load(file)
	}
	return config.Embedded("/nonexistent"), nil // detaching opens no database
}

func newLogger(w io.Writer, l config.Log) *slog.Logger {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	opts := &slog.HandlerOptions{Level: levels[l.Level]}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// signalContext ends the context at the first signal, with a cause that
// keepAttached reads, and the process at the second. A terminal that closes
// stops the embedded config like Ctrl-C: nobody would come back for it.
func signalContext(parent context.Context, embedded bool) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	go watchSignals(signals, embedded, cancel, os.Exit)
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
	}
}

func watchSignals(signals <-chan os.Signal, embedded bool, cancel context.CancelCauseFunc, exit func(int)) {
	s, ok := <-signals
	if !ok {
		return
	}
	if s == syscall.SIGINT || s == syscall.SIGHUP && embedded {
		cancel(errDetach)
	} else {
		cancel(errKeepAttached)
	}
	if _, ok := <-signals; ok {
		exit(exitError)
	}
}
