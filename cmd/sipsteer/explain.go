// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/cmd/sipsteer/node"
	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/ctrl/sanity"
	"github.com/sipsteer/sipsteer/userspace/datapath"
	"github.com/sipsteer/sipsteer/userspace/explain"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

func explainCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "explain FILE...",
		Short: "Say what kernel and twin decide on raw messages or a capture, and why",
		Long: `Reads SIP messages (the bytes of one UDP payload a file, - for standard input) and
captures (pcap, pcapng), and says for each message what the datapath counts and does,
its Call-ID and To tag, and why. As root the kernel program itself judges too, on a
private copy; without, its twin in Go alone. With -c it shows the key that pins the
call and, as root where a daemon runs, the worker. Nothing of a running system is changed.

--json prints one object a line. Exit status: 0 all read, 1 something could not be
read, 3 kernel and twin disagree (a bug: please report the message).`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("%s: FILE is missing", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runExplain(cmd, o, args) },
	}
}

func runExplain(cmd *cobra.Command, o *options, files []string) error {
	e := &explain.Explainer{Check: sanity.Check}
	note := func(format string, a ...any) { fmt.Fprintf(cmd.ErrOrStderr(), "note: "+format+"\n", a...) }
	if o.config != "" {
		cfg, err := config.Load(o.config)
		if err != nil {
			return err
		}
		system, notes, closeIt := node.Observe(cfg)
		defer closeIt()
		for _, n := range notes {
			note("%s", n)
		}
		e.System = system
	}
	trial, err := datapath.OpenTrial(16)
	if err != nil {
		e.NoKernel = whyNoKernel(err)
		if !o.json {
			note("the twin alone judges: %s", e.NoKernel)
		}
	} else {
		defer trial.Close()
		e.Kernel = trialKernel(trial)
	}
	x := &explaining{Explainer: e, json: o.json, out: cmd.OutOrStdout()}
	for _, f := range files {
		if err := x.file(f, cmd.InOrStdin()); err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "sipsteer: %s: %v\n", f, err)
			x.unread = true
		}
	}
	return x.result(cmd.ErrOrStderr())
}

func whyNoKernel(err error) string {
	if os.Geteuid() != 0 {
		return "running the kernel program needs root"
	}
	return err.Error()
}

// trialKernel judges a frame by a private copy of the program, whose tables hold what this frame needs.
func trialKernel(t *datapath.Trial) explain.Kernel {
	return func(frame []byte, tables explain.Tables) (steer.Outcome, error) {
		if tables.Service != nil {
			if err := t.SetService(tables.Address, *tables.Service); err != nil {
				return 0, err
			}
			defer t.DeleteService(tables.Address)
		}
		if tables.Pin != nil {
			if err := t.Pins().Put(tables.Key, *tables.Pin); err != nil {
				return 0, err
			}
			defer t.Pins().Delete(tables.Key)
			if err := t.SetWorker(tables.Pin.Worker, tables.Worker); err != nil {
				return 0, err
			}
		}
		_, outcome, _, err := t.Run(frame)
		return outcome, err
	}
}

// explaining goes through the files.
type explaining struct {
	*explain.Explainer
	json             bool
	out              io.Writer
	messages         int
	unread, disagree bool
}

func (x *explaining) file(name string, stdin io.Reader) error {
	in := stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return plainPathError(err)
		}
		defer f.Close()
		in = f
	}
	before := x.messages
	skipped, err := explain.Read(name, in, x.wanted, x.message)
	if !x.json && skipped > 0 {
		fmt.Fprintf(x.out, "%s: %d messages; %d other packets left out (not UDP, or nothing like SIP)\n\n", name, x.messages-before, skipped)
	}
	return plainPathError(err)
}

// wanted takes everything sent to a service, and where none is known, to SIP's port.
func (x *explaining) wanted(p explain.Packet) bool {
	if x.System.Services == nil {
		return p.Destination.Port() == 5060
	}
	_, ok := x.System.Services[p.Destination]
	return ok
}

func (x *explaining) message(p explain.Packet) error {
	found, err := x.Explain(p)
	if err != nil {
		return err
	}
	x.messages++
	x.disagree = x.disagree || !found.Agree()
	if x.json {
		e := json.NewEncoder(x.out)
		e.SetEscapeHTML(false)
		return e.Encode(found)
	}
	return printExplanation(x.out, &found)
}

func (x *explaining) result(stderr io.Writer) error {
	if x.disagree {
		fmt.Fprintln(stderr, "sipsteer: KERNEL AND TWIN DISAGREE; this is a bug of sipsteer: please report the message")
		return statusError(exitDisagree)
	}
	if x.unread {
		return silentError{}
	}
	return nil
}
