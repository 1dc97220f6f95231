// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"

	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/userspace/proxy"
	"github.com/sipsteer/sipsteer/userspace/token"
	"github.com/sipsteer/sipsteer/userspace/transport"
)

// runWorker serves calls as an l2 worker until ctx ends. It owns the service
// addresses on this host, and answers from them.
func runWorker(ctx context.Context, cfg *config.Worker) error {
	secret, err := cfg.ClusterSecret()
	if err != nil {
		return err
	}
	by := map[netip.AddrPort]*transport.Socket{}
	p := proxy.Config{Name: cfg.Name, Signer: token.New(secret)}
	for _, l := range cfg.Listen {
		sock, err := transport.Listen(l.Addr)
		if err != nil {
			return err
		}
		defer sock.Close()
		by[l.Addr] = sock
		p.Listen = append(p.Listen, l.Addr)
		p.Sockets = append(p.Sockets, sock)
	}
	p.Send = func(d transport.Datagram) error {
		sock := by[d.Local]
		if sock == nil {
			return fmt.Errorf("sending to %s: this worker does not listen on %s", d.Remote, d.Local)
		}
		return sock.Send(d.Remote, d.Data)
	}
	w, err := proxy.New(p)
	if err != nil {
		return err
	}
	if err := notifyReady(); err != nil {
		slog.Warn("telling systemd that the worker is ready failed", "error", err)
	}
	slog.Info("worker running", "name", cfg.Name, "listen", cfg.Listen)
	return w.Run(ctx)
}
