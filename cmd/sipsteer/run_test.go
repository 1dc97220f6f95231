// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/sipsteer/sipsteer/ctrl/config"
)

func TestSignalsDecideWhetherTheDatapathStays(t *testing.T) {
	tests := map[string]struct {
		signals  []os.Signal
		embedded bool
		keep     bool
		exits    int
	}{
		"SIGTERM":                  {[]os.Signal{syscall.SIGTERM}, false, true, 0},
		"SIGTERM, embedded":        {[]os.Signal{syscall.SIGTERM}, true, true, 0},
		"SIGINT":                   {[]os.Signal{syscall.SIGINT}, false, false, 0},
		"SIGHUP":                   {[]os.Signal{syscall.SIGHUP}, false, true, 0},
		"terminal closes":          {[]os.Signal{syscall.SIGHUP}, true, false, 0},
		"second signal":            {[]os.Signal{syscall.SIGTERM, syscall.SIGINT}, false, true, 1},
		"stopped without a signal": {nil, false, false, 0},
	}
	for name, tt := range tests {
		signals := make(chan os.Signal, len(tt.signals))
		for _, s := range tt.signals {
			signals <- s
		}
		close(signals)
		ctx, cancel := context.WithCancelCause(t.Context())
		exits := 0
		watchSignals(signals, tt.embedded, cancel, func(int) { exits++ })
		if keepAttached(ctx) != tt.keep || exits != tt.exits || (ctx.Err() != nil) != (len(tt.signals) > 0) {
			t.Errorf("%s: keep %v, exits %d, ended %v", name, keepAttached(ctx), exits, ctx.Err())
		}
	}
}

func TestDemoPasswordsStayTheSame(t *testing.T) {
	dir := t.TempDir()
	first, err := demoUsers(dir, "127.0.0.1", "alice", "bob")
	if err != nil {
		t.Fatal(err)
	}
	second, err := demoUsers(dir, "127.0.0.1", "alice", "bob")
	if err != nil {
		t.Fatal(err)
	}
	if first[0] != second[0] || first[1] != second[1] {
		t.Errorf("%v became %v", first, second)
	}
	if first[0].AOR != "alice@127.0.0.1" || len(first[0].Password) != 12 || first[0].Password == first[1].Password {
		t.Errorf("got %v", first)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
	info, err := entries[0].Info()
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestEmbeddedStateIsPrivate(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	t.Setenv("XDG_STATE_HOME", state)
	cfg, users, err := daemonConfig("")
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(state, "sipsteer"))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if len(users) != 2 || !strings.HasPrefix(cfg.Store, "sqlite://"+state) {
		t.Errorf("%v, %s", users, cfg.Store)
	}
	t.Setenv("XDG_STATE_HOME", "/proc/none")
	if _, _, err := daemonConfig(""); err == nil || !strings.Contains(err.Error(), "set XDG_STATE_HOME") {
		t.Errorf("got %v", err)
	}
}

func TestBannerTellsWhatToPointASoftphoneAt(t *testing.T) {
	cfg := config.Embedded("/s")
	users := []demoUser{{"alice@127.0.0.1", "pw-a"}, {"bob@127.0.0.1", "pw-b"}}
	for mode, want := range map[readyInfo]string{
		{Mode: "generic"}: "generic XDP on lo",
		{Mode: "off", Why: "not started as root; be root"}: "XDP is not available (not started as root); using the user-space twin",
		{Mode: "off"}: "user-space twin, without XDP",
	} {
		var b strings.Builder
		printBanner(&b, bannerInfo(cfg, users, mode))
		for _, w := range []string{
			want, "127.0.0.1:5060 over UDP", "sip:alice@127.0.0.1 user alice, password pw-a", "user bob, password pw-b",
			"http://127.0.0.1:8060/v1/status", "http://127.0.0.1:8060/metrics", "Ctrl-C",
		} {
			if !strings.Contains(b.String(), w) {
				t.Errorf("mode %s: no %q in%s", mode.Mode, w, b.String())
			}
		}
	}
}

func TestReadinessReachesSystemd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	if err := notifyReady(); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	if n, err := conn.Read(buf); err != nil || string(buf[:n]) != "READY=1" {
		t.Errorf("%q, %v", buf[:n], err)
	}
	t.Setenv("NOTIFY_SOCKET", "")
	if err := notifyReady(); err != nil {
		t.Errorf("without systemd: %v", err)
	}
}
