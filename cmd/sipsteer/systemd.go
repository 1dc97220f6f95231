// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"
)

// notifyReady tells systemd (Type=notify) that the daemon serves; it does
// nothing when systemd did not start it.
func notifyReady() error { return notify("READY=1") }

func notify(state string) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	// A leading @ means an abstract socket, which net understands.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	_, err = conn.Write([]byte(state))
	return errors.Join(err, conn.Close())
}

// watchdogInterval is how long systemd waits for a sign of life (WatchdogSec);
// 0 when it does not wait for one, or not for one of this process.
func watchdogInterval(getenv func(string) string, pid int) time.Duration {
	if p := getenv("WATCHDOG_PID"); p != "" && p != strconv.Itoa(pid) {
		return 0
	}
	usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64)
	if err != nil || usec <= 0 {
		return 0
	}
	return time.Duration(usec) * time.Microsecond
}

// watchdog gives systemd signs of life until ctx ends, each after a proof of
// it. A daemon that is stuck gives none, and is started again.
func watchdog(ctx context.Context, every time.Duration, alive func(context.Context) error, log *slog.Logger) {
	tick := time.NewTicker(every / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		limited, cancel := context.WithTimeout(ctx, every/3)
		err := alive(limited)
		cancel()
		if err == nil {
			err = notify("WATCHDOG=1")
		}
		if err != nil && ctx.Err() == nil {
			log.Error("no sign of life for systemd's watchdog", "cause", err)
		}
	}
}
