// SPDX-License-Identifier: Apache-2.0

// Package deb builds the Debian package, installs, upgrades and removes it on this machine. It needs root, and leaves a
// machine alone on which sipsteer is installed already.
package deb

import (
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/netns"
)

const (
	configDir  = "/etc/sipsteer"
	configFile = configDir + "/sipsteer.yaml"
	unit       = "/lib/systemd/system/sipsteer.service"
)

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// needs fails in CI and skips elsewhere when a tool is missing or the machine is not the test's to change.
func needs(t *testing.T) {
	t.Helper()
	why := ""
	if _, err := exec.LookPath("dpkg-deb"); err != nil || os.Geteuid() != 0 {
		why = "not supported here: it takes dpkg and root"
	} else if _, err := os.Stat(configDir); err == nil {
		why = "not supported here: sipsteer is configured on this machine"
	}
	switch {
	case why == "":
	case os.Getenv("CI") != "":
		t.Fatal(why)
	default:
		t.Skip(why)
	}
}

// build makes the package in a version and returns its path.
func build(t *testing.T, version string) string {
	t.Helper()
	cmd := exec.Command("make", "-s", "-C", "../..", "deb")
	cmd.Env = append(os.Environ(), "DEB_VERSION="+version)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("make deb: %v\n%s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	path := filepath.Join("..", "..", lines[len(lines)-1])
	t.Cleanup(func() { _ = os.Remove(path) })
	return path
}

const config = `node: packaged
datapath: {interfaces: [eth0], mode: native}
services:
  - name: edge
    listen: ["udp://192.0.2.10:5060"]
    domains: [example.com]
workers:
  - {name: w1, forward: local}
store: sqlite:///var/lib/sipsteer/sipsteer.db
api: {listen: "unix:///run/sipsteer-test.sock"}
`

func TestInstallUpgradeRemove(t *testing.T) {
	needs(t)
	first, second := build(t, "0~test1"), build(t, "0~test2")
	farm, err := netns.NewFarm(netip.MustParseAddr("192.0.2.10"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = exec.Command("dpkg", "--purge", "sipsteer").Run() })
	t.Cleanup(farm.Close)

	run(t, "dpkg", "-i", first)
	installed(t, "0~test1")
	daemon := startInstalled(t, farm.Balancer)

	// Without systemd an upgrade starts nothing anew: the daemon that runs goes on with its calls.
	run(t, "dpkg", "-i", second)
	installed(t, "0~test2")
	if !daemon.Running() || !attached(t, farm.Balancer) {
		t.Fatalf("the upgrade ended the daemon or its datapath\n%s", daemon.Output())
	}
	if err := daemon.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := daemon.Wait(15 * time.Second); err != nil {
		t.Fatal(err)
	}
	if !attached(t, farm.Balancer) {
		t.Fatal("SIGTERM took the datapath off")
	}
	if out, err := farm.Balancer.Run(netns.Command{Path: "dpkg", Args: []string{"--purge", "sipsteer"}}, time.Minute); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if attached(t, farm.Balancer) {
		t.Error("XDP is still attached after the package is gone")
	}
	for _, path := range []string{"/usr/bin/sipsteer", unit, configDir, "/var/lib/sipsteer"} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is left behind", path)
		}
	}
	if _, err := user.Lookup("sipsteer"); err == nil {
		t.Error("the user is left behind")
	}
}

// installed holds the package to its parts.
func installed(t *testing.T, version string) {
	t.Helper()
	if got := run(t, "dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", "sipsteer"); got != version+" installed" {
		t.Errorf("dpkg says %q", got)
	}
	if _, err := user.Lookup("sipsteer"); err != nil {
		t.Error(err)
	}
	for _, path := range []string{
		unit, "/usr/share/man/man1/sipsteer.1.gz", "/usr/share/man/man1/sipsteer-run.1.gz",
		"/usr/share/bash-completion/completions/sipsteer", "/usr/share/doc/sipsteer/examples/sipsteer.yaml",
	} {
		if info, err := os.Stat(path); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := exec.LookPath("systemd-analyze"); err == nil {
		run(t, "systemd-analyze", "verify", unit)
	}
	run(t, "/usr/bin/sipsteer", "config", "check", "-c", "/usr/share/doc/sipsteer/examples/sipsteer.yaml")
}

// startInstalled runs what the package installed, on its own config.
func startInstalled(t *testing.T, h *netns.Host) *netns.Process {
	t.Helper()
	if err := os.MkdirAll("/var/lib/sipsteer", 0o700); err != nil { // StateDirectory of the unit
		t.Fatal(err)
	}
	if err := os.WriteFile(configFile, []byte(config), 0o640); err != nil {
		t.Fatal(err)
	}
	p, err := h.Start(netns.Command{Path: "/usr/bin/sipsteer", Args: []string{"run", "-c", configFile}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if err := p.WaitOutput("msg=running", 20*time.Second); err != nil {
		t.Fatal(err)
	}
	if !attached(t, h) {
		t.Fatal("XDP is not attached")
	}
	return p
}

func attached(t *testing.T, h *netns.Host) bool {
	t.Helper()
	on, err := h.XDPAttached("eth0")
	if err != nil {
		t.Fatal(err)
	}
	return on
}
