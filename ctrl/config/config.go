// SPDX-License-Identifier: Apache-2.0

// Package config reads the daemon's and the worker's YAML files. Each file is
// bound to a plain struct, checked once as a whole, and either accepted or
// refused with every mistake named by line and key.
package config

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// Config is the file of `sipsteer run`. A Config returned by Parse or Load has
// been checked: consumers may rely on the ranges stated here.
type Config struct {
	// Node names this host in status, metrics and logs. Default: the host name.
	Node      string         `yaml:"node"`
	Datapath  Datapath       `yaml:"datapath"`
	Services  []Service      `yaml:"services"`
	Workers   []WorkerSpec   `yaml:"workers"`
	Health    Health         `yaml:"health"`
	Registrar Registrar      `yaml:"registrar"`
	Auth      Auth           `yaml:"auth"`
	Dialogs   DialogTimeouts `yaml:"dialogs"`
	Forking   Forking        `yaml:"forking"`
	Gateways  []Gateway      `yaml:"gateways,omitempty"`
	Routes    []Route        `yaml:"routes,omitempty"`
	Records   Records        `yaml:"records"`
	// Policy says whom the node hears, and how often; Trunks are peers that are
	// known by their addresses and always heard.
	Policy SourcePolicy `yaml:"policy"`
	Trunks []Trunk      `yaml:"trunks,omitempty"`
	// Store is where users and bindings live: sqlite:///ABSOLUTE/PATH.
	Store string `yaml:"store"`
	// Location says where bindings are looked up: memory, journaled to Store.
	Location string `yaml:"location"`
	// SecretFile holds the cluster secret that workers on other hosts share.
	// Empty: a secret is made at the first start and kept in the store.
	SecretFile string `yaml:"secret_file,omitempty"`
	API        API    `yaml:"api"`
	Log        Log    `yaml:"log"`
}

// Datapath says where and how the kernel program runs.
type Datapath struct {
	// Interfaces are the NICs the XDP program is attached to; needed unless
	// Mode is off.
	Interfaces []string `yaml:"interfaces,omitempty"`
	Mode       string   `yaml:"mode"` // one of the Mode constants
	// MaxPins is the size of the pin table, which is allocated in full when the
	// datapath starts: 1024 to 16777216 live dialogs.
	MaxPins int `yaml:"max_pins"`
	// BPFFS is the directory on a bpf file system, of this daemon alone, that
	// keeps maps and links across restarts. Empty: one below
	// /sys/fs/bpf/sipsteer, by node name and network namespace.
	BPFFS string `yaml:"bpffs"`
}

// Modes of the datapath.
const (
	ModeAuto    = "auto"    // native where the driver can, else generic
	ModeNative  = "native"  // in the driver, or refuse to start
	ModeGeneric = "generic" // in the kernel's generic hook, on any interface
	ModeOff     = "off"     // user space only
)

// Service is one public SIP address (a VIP) and what happens behind it.
type Service struct {
	// Name is used in status and metrics: letters, digits, ".", "_" and "-".
	Name string `yaml:"name"`
	// Listen are the VIP sockets, at least one.
	Listen []Listen `yaml:"listen"`
	Policy string   `yaml:"policy"` // one of the Policy constants
	// Domains are the host parts this service is responsible for, in lower
	// case; an IPv6 literal is kept as "[2001:db8::1]", as in a SIP URI. None with
	// PolicyDirect.
	Domains []string `yaml:"domains,omitempty"`
	// Workers are the names of the workers that serve it; empty means all.
	Workers []string `yaml:"workers,omitempty"`
	// NewPinsPerSource is, with PolicyDirect, how many new dialogs a second of one
	// source get a pin, 1 to 1000000; ten seconds' worth may come at once.
	NewPinsPerSource int `yaml:"new_pins_per_source"`
	// MaglevSize is the number of slots of the table that spreads new calls over
	// the workers: a prime from 251 to 1048573.
	MaglevSize int `yaml:"maglev_size"`
}

// Serves tells whether a worker serves the service.
func (s *Service) Serves(worker string) bool {
	return len(s.Workers) == 0 || slices.Contains(s.Workers, worker)
}

// What becomes of a request: authenticated and routed first, but with
// PolicyDirect.
const (
	PolicyProxy    = "proxy"    // it is handed to a worker
	PolicyRedirect = "redirect" // the caller is told the contacts (302)
	// PolicyDirect gives everything to workers that authenticate their callers
	// themselves; the control plane is not on the path.
	PolicyDirect = "direct"
)

// WorkerSpec is one worker as the control plane sees it.
type WorkerSpec struct {
	Name    string `yaml:"name"`
	Forward string `yaml:"forward"` // one of the Forward constants
	// Address is the worker's host: in this layer 2 segment for l2, where the
	// tunnel ends for ipip and gue, empty for local.
	Address netip.Addr `yaml:"address"`
	// Port is where a gue tunnel ends; 0 for the others.
	Port int `yaml:"port,omitempty"`
	// Source is the outer source address of an ipip or gue tunnel, or a range in
	// which it differs by call. Empty: the address that the route gives.
	Source Source `yaml:"source"`
	// Weight is the worker's share of new calls against the others': 1 to 1000.
	Weight int `yaml:"weight"`
	// Health says how the worker is watched: one of the Health constants.
	Health string `yaml:"health"`
}

// Ways to watch a worker.
const (
	HealthOptions = "options" // it is asked by OPTIONS
	HealthOff     = "off"     // it is up as long as there is a way to it
)

// Health says when a worker that is asked by OPTIONS counts as gone.
type Health struct {
	Interval time.Duration `yaml:"interval"` // between two questions: 100ms to 1h
	Timeout  time.Duration `yaml:"timeout"`  // for each answer: 50ms to 1m
	Down     int           `yaml:"down"`     // failures in a row until a worker is down, 1 to 100
	Up       int           `yaml:"up"`       // good answers in a row until it is up again, 1 to 100
}

// Ways to bring a packet to a worker.
const (
	ForwardLocal = "local" // a proxy inside this process
	ForwardL2    = "l2"    // a host in the same segment that owns the VIP
	ForwardIPIP  = "ipip"  // a host anywhere that owns the VIP: IP in IP
	ForwardGUE   = "gue"   // the same: IP in UDP
)

// Registrar bounds what a REGISTER may ask for (RFC 3261 section 10.3).
type Registrar struct {
	DefaultExpires int `yaml:"default_expires"` // seconds, when none is asked for
	MinExpires     int `yaml:"min_expires"`     // seconds; less is answered 423
	MaxExpires     int `yaml:"max_expires"`     // seconds; more is cut to this
	MaxContacts    int `yaml:"max_contacts"`    // bindings of one user, 1 to 100
	// ServiceRoute are the URIs that a phone is told to send its requests through
	// (RFC 3608), first hop first; empty tells it nothing.
	ServiceRoute []string `yaml:"service_route,omitempty"`
}

// Auth configures digest authentication (RFC 8760).
type Auth struct {
	// Algorithms are offered in this order. MD5 comes first by default: many
	// phones look at the first challenge alone and give up on one they do not know.
	Algorithms []string `yaml:"algorithms"`
	// NonceLifetime is how long a challenge can be answered, 10s to 24h.
	NonceLifetime time.Duration `yaml:"nonce_lifetime"`
}

// DialogTimeouts say how long a pin lives after its last message, by state.
type DialogTimeouts struct {
	Early     time.Duration `yaml:"early"`
	Confirmed time.Duration `yaml:"confirmed"`
	// Ended pins linger so that retransmissions still find their worker.
	Ended time.Duration `yaml:"ended"`
}

// Forking bounds the search for a user with several contacts (RFC 3261 section
// 16.6): those of the same q at once, those of a lower q in their turn.
type Forking struct {
	MaxTargets int           `yaml:"max_targets"` // contacts tried, 1 to 16
	Ring       time.Duration `yaml:"ring"`        // before those of a lower q are tried, 1s to 3m
}

// Records says how call records are kept.
type Records struct {
	// File gets each record as a line of JSON too; empty: none.
	File string `yaml:"file"`
	// Keep is how long the store has them, an hour to ten years.
	Keep time.Duration `yaml:"keep"`
}

// API is the control interface.
type API struct {
	// Listen is a loopback HOST:PORT or unix:///ABSOLUTE/PATH.
	Listen string `yaml:"listen"`
}

// Log configures the daemon's log on standard error.
type Log struct {
	Level  string `yaml:"level"`  // debug, info, warn or error
	Format string `yaml:"format"` // text or json
}

// Default returns the values of every key that may be left out. Services and
// Workers are empty: there is no sensible default for them.
func Default() *Config {
	return &Config{
		Node: hostName(),
		Datapath: Datapath{
			Mode:    ModeAuto,
			MaxPins: 262144,
		},
		Health:    Health{Interval: 2 * time.Second, Timeout: 2 * time.Second, Down: 3, Up: 2},
		Registrar: Registrar{DefaultExpires: 3600, MinExpires: 60, MaxExpires: 7200, MaxContacts: 10},
		Auth:      Auth{Algorithms: []string{"MD5", "SHA-256"}, NonceLifetime: 5 * time.Minute},
		Dialogs:   DialogTimeouts{Early: 200 * time.Second, Confirmed: 12 * time.Hour, Ended: 40 * time.Second},
		Forking:   Forking{MaxTargets: 8, Ring: 20 * time.Second},
		Records:   Records{Keep: 90 * 24 * time.Hour},
		Policy:    SourcePolicy{Ban: Ban{Failures: 20, Within: time.Minute, For: 10 * time.Minute, AtMost: 24 * time.Hour}},
		Store:     "sqlite:///var/lib/sipsteer/sipsteer.db",
		Location:  "memory",
		API:       API{Listen: "127.0.0.1:8060"},
		Log:       Log{Level: "info", Format: "text"},
	}
}

func (s *Service) setDefaults() {
	s.Policy = PolicyProxy
	s.MaglevSize = 65537
	s.NewPinsPerSource = 100
}

func (w *WorkerSpec) setDefaults() {
	w.Weight = 1
	w.Health = HealthOptions
}

// hostName is the host's name without its domain, reduced to what a node name
// may contain.
func hostName() string {
	host, err := os.Hostname()
	if err != nil {
		return "sipsteer"
	}
	host, _, _ = strings.Cut(host, ".")
	if !validName(host) {
		return "sipsteer"
	}
	return host
}
