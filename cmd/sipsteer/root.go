// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// options are the flags that every command has.
type options struct {
	config string // -c FILE
	api    string // --api URL
	json   bool   // --json
}

func newRoot() *cobra.Command {
	o := &options{}
	root := &cobra.Command{
		Use:   "sipsteer",
		Short: "A SIP load balancer that steers calls in the kernel, with its control plane",
		Long: `sipsteer puts one SIP address in front of a farm of SIP proxies. An XDP program
sends every packet of a call to the worker that owns it; a control plane registers,
authenticates and routes what starts something new.

Nouns read (status, workers, dialogs, registrations, users, bans, prefixes), verbs change. They ask
a running daemon over its API: at --api, else at api.listen of the file -c, else at
$SIPSTEER_API, else at ` + defaultAPI + `.`,
		Args:          knownCommand,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	f := root.PersistentFlags()
	f.StringVarP(&o.config, "config", "c", "", "config `FILE`")
	f.StringVar(&o.api, "api", "", "`URL` of the daemon's API: http://HOST:PORT or unix:///PATH")
	f.BoolVar(&o.json, "json", false, "print JSON")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usagef("%v", err) })
	root.AddCommand(
		runCommand(o), workerCommand(o), decapCommand(o), detachCommand(o),
		statusCommand(o), workersCommand(o), dialogsCommand(o), recordsCommand(o), registrationsCommand(o), usersCommand(o),
		aliasesCommand(o), domainsCommand(o), routesCommand(o), gatewaysCommand(o),
		bansCommand(o), prefixesCommand(o),
		configCommand(o), explainCommand(o), doctorCommand(o), topCommand(o), versionCommand(o), manCommand(),
	)
	return root
}

// knownCommand is the argument check of a command that only has subcommands or
// lists something: any argument is a mistyped subcommand.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	near := cmd.SuggestionsFor(args[0])
	if len(near) > 0 {
		return usagef("%s has no command %q; did you mean %s?", cmd.CommandPath(), args[0], strings.Join(near, " or "))
	}
	return usagef("%s has no command %q", cmd.CommandPath(), args[0])
}

// exactly checks for the named arguments, no more and no fewer.
func exactly(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < len(names) {
			return usagef("%s: %s is missing", cmd.CommandPath(), strings.Join(names[len(args):], ", "))
		}
		if len(args) > len(names) {
			return usagef("%s: there is no use for %q", cmd.CommandPath(), args[len(names)])
		}
		return nil
	}
}

// noun makes a command that lists when it is given nothing more; list is also
// there as a subcommand, for scripts that spell it out.
func noun(name, short string, list func(cmd *cobra.Command) error, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return list(cmd) },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "list",
		Short: short,
		Args:  exactly(),
		RunE:  func(cmd *cobra.Command, _ []string) error { return list(cmd) },
	})
	cmd.AddCommand(verbs...)
	return cmd
}
