// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"net/netip"
	"path/filepath"
)

// Embedded returns the config of `sipsteer run` without a file: a service on
// this host's loopback with two local workers and its database in stateDir,
// which is absolute.
func Embedded(stateDir string) *Config {
	c := Default()
	c.Datapath.Interfaces = []string{"lo"}
	c.Services = []Service{{
		Name:       "edge",
		Listen:     []Listen{{Addr: netip.MustParseAddrPort("127.0.0.1:5060")}},
		Policy:     PolicyProxy,
		Domains:    []string{"127.0.0.1"},
		MaglevSize: 65537, NewPinsPerSource: 100,
	}}
	c.Workers = []WorkerSpec{
		{Name: "w1", Forward: ForwardLocal, Weight: 1, Health: HealthOptions},
		{Name: "w2", Forward: ForwardLocal, Weight: 1, Health: HealthOptions},
	}
	c.Store = "sqlite://" + filepath.Join(stateDir, "sipsteer.db")
	return c
}

// StateDir returns the directory that holds the embedded config's database by
// the XDG rules: $XDG_STATE_HOME/sipsteer, or .local/state/sipsteer in the home
// directory. getenv is os.Getenv.
func StateDir(getenv func(string) string) (string, error) {
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "sipsteer"), nil
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "sipsteer"), nil
	}
	return "", errors.New("finding a directory for the database: neither XDG_STATE_HOME nor HOME is set; set one, or give a config with -c")
}
