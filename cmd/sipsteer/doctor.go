// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/userspace/doctor"
)

func doctorCommand(o *options) *cobra.Command {
	var interfaces []string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Tell whether this host is fit to steer SIP, and what mends what is not",
		Long: `Look at kernel, privileges, drivers, offloads, rings, queues and settings of this
host and name the command that mends each fault. With -c it looks at the interfaces
and addresses of that file, else at every interface that is up. It changes nothing
and needs no daemon.

The exit status is 1 when a finding is a failure: sipsteer would not start, or would
lose packets.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			wanted, err := doctorWants(o.config, interfaces)
			if err != nil {
				return err
			}
			return printFindings(cmd, o, doctor.Diagnose(doctor.Gather(wanted)))
		},
	}
	cmd.Flags().StringSliceVarP(&interfaces, "interface", "i", nil, "look at these interfaces")
	return cmd
}

func doctorWants(file string, interfaces []string) (doctor.Wanted, error) {
	w := doctor.Wanted{Mode: config.ModeAuto, Interfaces: interfaces}
	if file != "" {
		cfg, err := config.Load(file)
		if err != nil {
			return w, err
		}
		w.Mode, w.Listen = cfg.Datapath.Mode, listenAddrs(cfg)
		if len(interfaces) == 0 {
			w.Interfaces = cfg.Datapath.Interfaces
		}
		return w, nil
	}
	if len(interfaces) > 0 {
		return w, nil
	}
	all, err := net.Interfaces()
	if err != nil {
		return w, fmt.Errorf("listing interfaces: %w", err)
	}
	for _, i := range all {
		if i.Flags&net.FlagUp != 0 {
			w.Interfaces = append(w.Interfaces, i.Name)
		}
	}
	return w, nil
}

func listenAddrs(cfg *config.Config) []netip.AddrPort {
	var out []netip.AddrPort
	for _, s := range cfg.Services {
		for _, l := range s.Listen {
			out = append(out, l.Addr)
		}
	}
	return out
}

func printFindings(cmd *cobra.Command, o *options, findings []doctor.Finding) error {
	worst := doctor.Worst(findings)
	if o.json {
		type result struct {
			OK       bool             `json:"ok"`
			Findings []doctor.Finding `json:"findings"`
		}
		if err := printJSON(cmd, result{worst != doctor.Fail, findings}); err != nil {
			return err
		}
	} else if err := printFindingsText(cmd, findings, worst); err != nil {
		return err
	}
	if worst == doctor.Fail {
		return silentError{}
	}
	return nil
}

func printFindingsText(cmd *cobra.Command, findings []doctor.Finding, worst doctor.Status) error {
	w := cmd.OutOrStdout()
	var count = map[doctor.Status]int{}
	for _, f := range findings {
		count[f.Status]++
		where := f.Check
		if f.Interface != "" {
			where = f.Interface + " " + f.Check
		}
		fmt.Fprintf(w, "%-5s %-24s %s\n", f.Status, plain(where), plain(f.Found))
		if f.Why != "" {
			fmt.Fprintf(w, "%-30s %s\n", "", plain(f.Why))
		}
		if f.Mend != "" {
			fmt.Fprintf(w, "%-30s mend: %s\n", "", plain(f.Mend))
		}
	}
	last := "this host is fit to steer SIP"
	if worst == doctor.Fail {
		last = "this host is not fit yet"
	}
	_, err := fmt.Fprintf(w, "\n%d ok, %d to know, %d to mend some day, %d to mend first: %s\n",
		count[doctor.OK], count[doctor.Note], count[doctor.Warn], count[doctor.Fail], last)
	return err
}
