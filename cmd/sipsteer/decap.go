// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/sipsteer/sipsteer/userspace/datapath"
)

// addressesEvery is how often decap reads the host's addresses again.
const addressesEvery = 2 * time.Second

func decapCommand(o *options) *cobra.Command {
	var iface, mode string
	var vips, from []string
	var port uint16
	cmd := &cobra.Command{
		Use:   "decap --interface NAME",
		Short: "End ipip and gue tunnels on a worker's host",
		Long: `Take the outer headers off the packets that a balancer tunnels to this host, in XDP,
for hosts without tunnel devices. It ends tunnels at the addresses of this host alone,
and takes packets out of them only when they are for a --vip: without any, for an
address of this host. Name the balancers with --from so that nobody else can tunnel.

It runs until SIGINT or SIGTERM, then takes itself off the interface and prints its
counters. Nothing is left behind, not even after SIGKILL.`,
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := decapConfig(iface, mode, port, vips, from)
			if err != nil {
				return err
			}
			return runDecap(cmd, o, cfg)
		},
	}
	f := cmd.Flags()
	f.StringVar(&iface, "interface", "", "network `INTERFACE` that tunnel packets come in by")
	f.StringVar(&mode, "mode", "auto", "how XDP is attached: auto, native or generic")
	f.StringSliceVar(&vips, "vip", nil, "`ADDRESS` that packets inside are for; may be repeated")
	f.StringSliceVar(&from, "from", nil, "`PREFIX` that the balancers send from; may be repeated")
	f.Uint16Var(&port, "gue-port", 6080, "UDP `PORT` where gue ends; 0 for ipip alone")
	return cmd
}

func decapConfig(iface, mode string, port uint16, vips, from []string) (datapath.DecapConfig, error) {
	cfg := datapath.DecapConfig{Interface: iface, Mode: datapath.Mode(mode), IPIP: true, GUEPort: port}
	if iface == "" {
		return cfg, usagef("decap: --interface is missing")
	}
	switch cfg.Mode {
	case datapath.ModeAuto, datapath.ModeNative, datapath.ModeGeneric:
	default:
		return cfg, usagef("decap: --mode %s is not auto, native or generic", mode)
	}
	for _, s := range vips {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return cfg, usagef("decap: --vip %s is not an IP address", s)
		}
		cfg.VIPs = append(cfg.VIPs, a.Unmap())
	}
	for _, s := range from {
		p, err := netip.ParsePrefix(s)
		if !strings.Contains(s, "/") {
			var a netip.Addr
			a, err = netip.ParseAddr(s)
			p = netip.PrefixFrom(a, a.BitLen())
		}
		if err != nil {
			return cfg, usagef("decap: --from %s is not an address or prefix", s)
		}
		cfg.From = append(cfg.From, p)
	}
	return cfg, nil
}

func runDecap(cmd *cobra.Command, o *options, cfg datapath.DecapConfig) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	d, err := datapath.OpenDecap(cfg)
	if err != nil {
		return err
	}
	slog.Info("ending tunnels", "interface", cfg.Interface, "gue_port", cfg.GUEPort)
	follow(ctx, d)
	n, err := d.Counters()
	if closing := d.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(cmd, n)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "ipip %d, gue %d, not from a balancer %d, for no VIP %d, odd %d, other %d\n",
		n.IPIP, n.GUE, n.NotFrom, n.NotVIP, n.Odd, n.Other)
	return err
}

// follow keeps the addresses of this host current until ctx ends.
func follow(ctx context.Context, d *datapath.Decap) {
	tick := time.NewTicker(addressesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := d.Refresh(); err != nil {
				slog.Warn("reading the addresses of this host failed", "error", err)
			}
		}
	}
}
