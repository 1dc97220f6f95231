// SPDX-License-Identifier: Apache-2.0

package api

import "context"

// MetricsSource reports what a scrape shows. Metrics is called at once from
// several goroutines and takes no lock that packets need, nor time that grows
// with the number of calls or users.
type MetricsSource interface {
	Metrics(ctx context.Context) (Metrics, error)
}

// Metrics is the status, with pins and bindings as they were counted within the
// last seconds, and what is too fine for the status.
type Metrics struct {
	Status
	ConfiguredMode string // datapath.mode of the config
	MaxPins        int    // size of the pin table
	ByService      []ServiceMetrics
	Parts          []WorkerPart
}

// ServiceMetrics is what the control plane did for one service.
type ServiceMetrics struct {
	Name    string
	Control ControlStatus
	Steps   map[string]Histogram // durations, by step
}

// WorkerPart is what a worker does for one service.
type WorkerPart struct {
	Worker, Service  string
	Steered, Dialogs uint64
	Proxy            *ProxyStats // nil for a worker on another host
}

// Histogram is how often something took how long. Buckets give, by upper bound in
// seconds, how many took no longer; Sum is in seconds.
type Histogram struct {
	Count   uint64
	Sum     float64
	Buckets map[float64]uint64
}
