// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

func TestWatchdogIntervalIsSystemds(t *testing.T) {
	for _, c := range []struct {
		usec, pid string
		want      time.Duration
	}{
		{"", "", 0},
		{"30000000", "", 30 * time.Second},
		{"30000000", "42", 30 * time.Second},
		{"30000000", "43", 0},
		{"soon", "", 0},
		{"-1", "", 0},
	} {
		env := map[string]string{"WATCHDOG_USEC": c.usec, "WATCHDOG_PID": c.pid}
		if got := watchdogInterval(func(k string) string { return env[k] }, 42); got != c.want {
			t.Errorf("%v: %s, want %s", env, got, c.want)
		}
	}
}

func TestOnlyALivingDaemonGivesSignsOfLife(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	var stuck atomic.Bool
	go watchdog(t.Context(), 30*time.Millisecond, func(context.Context) error {
		if stuck.Load() {
			return errors.New("stuck")
		}
		return nil
	}, slog.New(slog.DiscardHandler))

	buf := make([]byte, 64)
	if n, err := conn.Read(buf); err != nil || string(buf[:n]) != "WATCHDOG=1" {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	stuck.Store(true)
	signs := 0
	_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	for {
		if _, err := conn.Read(buf); err != nil {
			break
		}
		signs++
	}
	if signs > 1 { // one may have been on its way
		t.Errorf("%d signs of life of a daemon that is stuck", signs)
	}
}
