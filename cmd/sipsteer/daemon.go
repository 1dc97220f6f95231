// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"os"

	"github.com/sipsteer/sipsteer/cmd/sipsteer/node"
	"github.com/sipsteer/sipsteer/ctrl/config"
)

// runDaemon runs everything until ctx ends; keepAttached(ctx) then says whether
// the datapath stays.
func runDaemon(ctx context.Context, cfg *config.Config, o runOptions) error {
	n, err := node.Start(context.WithoutCancel(ctx), cfg, node.Options{
		Version: o.Version, Log: o.Log, FallBack: o.FallBack,
	})
	if err != nil {
		return err
	}
	for _, u := range o.DemoUsers {
		if err := n.PutUser(ctx, u.AOR, u.Password); err != nil {
			return errors.Join(err, n.Close(true))
		}
	}
	o.Ready(readyInfo{Mode: n.Mode(), Why: n.Why()})
	if every := watchdogInterval(os.Getenv, os.Getpid()); every > 0 {
		go watchdog(ctx, every, n.Alive, o.Log)
	}
	o.Log.Info("running", "node", cfg.Node, "datapath", n.Mode())
	err = n.Wait(ctx)
	keep := err != nil || keepAttached(ctx)
	if keep && n.Mode() != config.ModeOff {
		o.Log.Info("stopping; XDP stays attached as long as its pins stand; `sipsteer detach` removes it", "pins", node.PinPath(cfg))
	}
	return errors.Join(err, n.Close(!keep))
}

// detachDatapath removes the XDP program and the pinned maps that cfg names.
func detachDatapath(_ context.Context, cfg *config.Config) error {
	return node.Detach(cfg)
}
