// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"

	"github.com/sipsteer/sipsteer/ctrl/api"
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
	return runBoth(ctx, w.Run, func(ctx context.Context) error { return serveWorkerAPI(ctx, cfg, w) })
}

// runBoth runs two parts until ctx ends or one fails, which ends the other.
func runBoth(ctx context.Context, parts ...func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan error, len(parts))
	for _, part := range parts {
		go func() { results <- part(ctx) }()
	}
	var errs []error
	for range parts {
		err := <-results
		errs = append(errs, err)
		if err != nil {
			cancel()
		}
	}
	return errors.Join(errs...)
}

// serveWorkerAPI serves the worker's metrics, if it is to have any.
func serveWorkerAPI(ctx context.Context, cfg *config.Worker, w *proxy.Worker) error {
	if cfg.API.Listen == "" {
		return nil
	}
	network, address, err := config.SplitListen(cfg.API.Listen)
	if err != nil {
		return err
	}
	ln, err := api.Listen(network, address)
	if err != nil {
		return err
	}
	host, _, _ := net.SplitHostPort(address)
	return api.Serve(ctx, ln, api.NewWorker(cfg.Name, version, host, func() api.ProxyStats { return api.ProxyStats(w.Stats()) }))
}
