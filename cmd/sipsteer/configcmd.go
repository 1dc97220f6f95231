// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/ctrl/config"
)

func configCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Look at config files",
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var worker bool
	check := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Check a config without starting anything, and list every mistake",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.config == "" {
				return usagef("%s: name the file with -c", cmd.CommandPath())
			}
			var err error
			if worker {
				_, err = config.LoadWorker(o.config)
			} else {
				_, err = config.Load(o.config)
			}
			return printCheck(cmd, o, err)
		},
	}
	check.Flags().BoolVar(&worker, "worker", false, "the file is one for sipsteer worker")
	cmd.AddCommand(check)
	return cmd
}

func printCheck(cmd *cobra.Command, o *options, err error) error {
	var mistakes config.Errors
	if err != nil && !errors.As(err, &mistakes) {
		return err
	}
	if o.json {
		type result struct {
			OK     bool          `json:"ok"`
			Errors config.Errors `json:"errors"`
		}
		if perr := printJSON(cmd, result{OK: err == nil, Errors: append(config.Errors{}, mistakes...)}); perr != nil {
			return perr
		}
	} else if err == nil {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: no mistakes found\n", o.config)
		return err
	} else {
		fmt.Fprintln(cmd.ErrOrStderr(), mistakes)
	}
	if err != nil {
		return silentError{}
	}
	return nil
}

func versionCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			platform := runtime.GOOS + "/" + runtime.GOARCH
			if o.json {
				return printJSON(cmd, map[string]string{"version": version, "go": runtime.Version(), "platform": platform})
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "sipsteer %s (%s, %s)\n", version, runtime.Version(), platform)
			return err
		},
	}
}
