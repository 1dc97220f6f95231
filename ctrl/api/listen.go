// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

// Listen opens the socket of the API. network is tcp or unix. A unix socket is
// for its owner only; one that a dead daemon left behind is replaced.
func Listen(network, address string) (net.Listener, error) {
	if network == "unix" {
		if err := removeStale(address); err != nil {
			return nil, fmt.Errorf("listening for the API on unix://%s: %w", address, err)
		}
	}
	ln, err := net.Listen(network, address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listening for the API on %s: the address is in use, perhaps by another sipsteer; stop that or change api.listen", address)
	}
	if err != nil {
		return nil, fmt.Errorf("listening for the API: %w", err)
	}
	if network == "unix" {
		if err := os.Chmod(address, 0o600); err != nil {
			return nil, errors.Join(fmt.Errorf("listening for the API: %w", err), ln.Close())
		}
	}
	return ln, nil
}

// removeStale removes a socket on which nobody answers.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return errors.New("the file is there and is not a socket")
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		return errors.Join(errors.New("another process answers there; stop it or change api.listen"), conn.Close())
	}
	return os.Remove(path)
}

// Serve answers on ln until ctx ends, then waits a moment for requests under
// way. It closes ln.
func Serve(ctx context.Context, ln net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close() // a client that holds on does not stop the daemon
		}
	})
	err := srv.Serve(ln)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving the API: %w", err)
}
