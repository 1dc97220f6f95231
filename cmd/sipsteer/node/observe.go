// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strings"

	"github.com/sipsteer/sipsteer/ctrl/config"
	"github.com/sipsteer/sipsteer/ctrl/store"
	"github.com/sipsteer/sipsteer/userspace/datapath"
	"github.com/sipsteer/sipsteer/userspace/explain"
	"github.com/sipsteer/sipsteer/userspace/steer"
)

// Observe finds what there is to know of the site of a config without changing anything: services and keys from the
// config and its secret, pins and workers from the kernel where a daemon runs. Notes say in plain words what is missing.
func Observe(cfg *config.Config) (s explain.System, notes []string, closeIt func() error) {
	s.Default = cfg.Services[0].Listen[0].Addr
	secret, names, err := peekSecret(cfg)
	if err != nil {
		notes = append(notes, err.Error())
	}
	s.Services, s.Keyed = configured(cfg, secret), secret != nil
	if cfg.Datapath.Mode == config.ModeOff {
		return s, append(notes, "datapath.mode is off: the pins are in the daemon's memory and are not looked up"), func() error { return nil }
	}
	o, err := datapath.Observe(PinPath(cfg))
	if err == nil {
		var running map[netip.AddrPort]steer.Service
		if running, err = o.Services(); err == nil {
			s.Services, s.Keyed, s.Pin = running, true, o.Pin
			s.Worker = workersOf(cfg, o, names)
			return s, notes, o.Close
		}
		err = errors.Join(err, o.Close())
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("no sipsteer runs with this config (nothing is pinned in %s)", PinPath(cfg))
	}
	return s, append(notes, "pins are not looked up: "+err.Error()), func() error { return nil }
}

// configured are the services as the config has them; without a secret their keys mean nothing.
func configured(cfg *config.Config, secret []byte) map[netip.AddrPort]steer.Service {
	services := map[netip.AddrPort]steer.Service{}
	for i, s := range cfg.Services {
		v := steer.Service{ID: uint16(i + 1), Kind: steer.ServiceVIP}
		if secret != nil {
			v.Secret = splitSecret(secret).pins.Service(s.Name)
		}
		for _, l := range s.Listen {
			services[l.Addr] = v
		}
	}
	return services
}

// peekSecret reads the cluster's secret and the workers' names from where the daemon has them.
func peekSecret(cfg *config.Config) (secret []byte, names map[uint32]string, err error) {
	kept, names, storeErr := store.Peek(cfg.Store, "cluster")
	if cfg.SecretFile != "" {
		secret, err = config.ReadSecret(cfg.SecretFile)
		return secret, names, err
	}
	if storeErr != nil {
		return nil, nil, fmt.Errorf("keys are not shown: %w", storeErr)
	}
	return kept, names, nil
}

// workersOf finds ways and names. A worker behind the interface that packets are taken to come in by is one to send
// back to; for a test run that interface is the loopback.
func workersOf(cfg *config.Config, o *datapath.Observer, names map[uint32]string) func(uint32) (steer.Worker, string) {
	ingress := uint32(0)
	if len(cfg.Datapath.Interfaces) > 0 {
		if i, err := net.InterfaceByName(cfg.Datapath.Interfaces[0]); err == nil {
			ingress = uint32(i.Index)
		}
	}
	return func(id uint32) (steer.Worker, string) {
		w := o.Worker(id)
		if w.IfIndex != 0 && w.IfIndex == ingress {
			w.IfIndex = explain.Ingress
		}
		name, _, ok := strings.Cut(names[id], "@")
		if !ok {
			name = fmt.Sprintf("number %d", id)
		}
		return w, name
	}
}
