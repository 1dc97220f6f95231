// SPDX-License-Identifier: Apache-2.0

package config

import "log/slog"

// Worker is the file of `sipsteer worker`, a proxy on a host that shares the
// VIP with the balancer and is named there as an l2 worker.
type Worker struct {
	// Name must be the one the balancer's file uses for this worker.
	Name string `yaml:"name"`
	// Listen are the VIP sockets; this host owns the addresses on its loopback.
	Listen []Listen `yaml:"listen"`
	// SecretFile or Secret is the cluster secret; exactly one is given.
	SecretFile string `yaml:"secret_file,omitempty"`
	Secret     Secret `yaml:"secret,omitempty"`
	// API is the address of /metrics and /healthz; an empty Listen means none.
	API API `yaml:"api,omitempty"`
	Log Log `yaml:"log"`
}

// DefaultWorker returns the values of the keys that may be left out.
func DefaultWorker() *Worker {
	return &Worker{Name: hostName(), Log: Log{Level: "info", Format: "text"}}
}

// Secret is text that must not reach a log: it prints as "(hidden)".
type Secret string

// String hides the secret.
func (Secret) String() string { return "(hidden)" }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return "(hidden)" }

// LogValue hides the secret from slog.
func (Secret) LogValue() slog.Value { return slog.StringValue("(hidden)") }

// Reveal returns the secret itself.
func (s Secret) Reveal() []byte { return []byte(s) }
