// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrapeTimeout bounds how long a scrape may wait for the status.
const scrapeTimeout = 5 * time.Second

func metricsHandler(src MetricsSource, version string) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newCollector(src, version),
	)
	return promHandler(r)
}

func promHandler(r *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4})
}

// collector turns one Metrics, which holds a Status, into metrics at each scrape,
// so that the API and Prometheus can never disagree and nothing is counted twice.
type collector struct {
	src     MetricsSource
	version string
	m       descriptors
}

// descriptors are the metrics of the daemon. Their labels take a bounded set of
// values: names from the config, outcomes and causes named in the code, methods
// of the IANA registry, and status codes.
type descriptors struct {
	build, uptime, mode, capacity, steps             *prometheus.Desc
	steered, passed, dropped, outcomes, direct       *prometheus.Desc
	received, slowPath, answered, handedOver, refuse *prometheus.Desc
	dialogs, registrations                           *prometheus.Desc
	bans, prefixes                                   *prometheus.Desc
	workerSteered, workerDialogs, workerState        *prometheus.Desc
	workerProbes                                     *prometheus.Desc
	proxy                                            proxyDescriptors
}

// buildInfo has the same form for the daemon and for a worker on its own.
func buildInfo() *prometheus.Desc {
	return prometheus.NewDesc("sipsteer_build_info", "Version of sipsteer and name of the node; always 1.", []string{"version", "node"}, nil)
}

func newCollector(src MetricsSource, version string) *collector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("sipsteer_"+name, help, labels, nil)
	}
	return &collector{src: src, version: version, m: descriptors{
		build:         buildInfo(),
		uptime:        d("uptime_seconds", "Time since the daemon started."),
		mode:          d("datapath_mode_info", "Mode of the datapath in effect; always 1.", "mode", "configured"),
		capacity:      d("pins_capacity", "How many pins the table has room for; the dialogs of all states are what it holds."),
		steered:       d("datapath_steered_packets_total", "Packets the datapath sent to a pinned worker."),
		passed:        d("datapath_passed_packets_total", "Packets of a service the datapath gave to the control plane."),
		dropped:       d("datapath_dropped_packets_total", "Packets the datapath dropped.", "cause"),
		outcomes:      d("datapath_outcome_packets_total", "Packets by named outcome of the datapath.", "outcome"),
		direct:        d("datapath_direct_events_total", "Pins that policy direct made or moved, and new dialogs that got none.", "event"),
		received:      d("control_received_messages_total", "Messages that reached the control plane.", "service", "method"),
		slowPath:      d("control_steered_messages_total", "Messages of pinned calls that user space forwarded.", "service"),
		answered:      d("control_responses_total", "Responses the control plane sent.", "service", "code"),
		handedOver:    d("control_handed_over_requests_total", "Initial requests given to a worker.", "service"),
		refuse:        d("control_dropped_messages_total", "Messages the control plane dropped.", "service", "cause"),
		steps:         d("control_step_seconds", "How long a step of the control plane took for a request.", "service", "step"),
		dialogs:       d("dialogs", "Live dialogs.", "state"),
		bans:          d("bans", "Sources that are banned."),
		prefixes:      d("prefixes", "Prefixes with a rule."),
		registrations: d("registrations", "Bindings that have not expired."),
		workerSteered: d("worker_steered_packets_total", "Packets steered to a worker.", "worker", "service"),
		workerDialogs: d("worker_dialogs", "Live dialogs of a worker that have not ended.", "worker", "service"),
		workerProbes:  d("worker_probes_total", "OPTIONS that a worker was asked by, by result.", "worker", "result"),
		workerState:   d("worker_state", "1 for the state a worker is in, else 0.", "worker", "state"),
		proxy:         newProxyDescriptors(),
	}}
}

// Describe sends every metric the collector may have.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	m := &c.m
	for _, d := range []*prometheus.Desc{
		m.build, m.uptime, m.mode, m.capacity, m.steps, m.steered, m.passed, m.dropped, m.outcomes, m.direct,
		m.received, m.slowPath, m.answered, m.handedOver, m.refuse,
		m.dialogs, m.registrations, m.bans, m.prefixes, m.workerSteered, m.workerDialogs, m.workerState, m.workerProbes,
	} {
		ch <- d
	}
	m.proxy.describe(ch)
}

// Collect asks for the metrics once.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	s, err := c.src.Metrics(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.m.uptime, err)
		return
	}
	out := sink{ch}
	out.gauge(c.m.build, 1, c.version, s.Node)
	out.gauge(c.m.uptime, s.UptimeSeconds)
	out.gauge(c.m.mode, 1, s.Datapath.Mode, s.ConfiguredMode)
	out.gauge(c.m.capacity, float64(s.MaxPins))
	c.collectDatapath(out, &s.Datapath)
	for i := range s.ByService {
		c.collectService(out, &s.ByService[i])
	}
	out.gauge(c.m.dialogs, float64(s.Dialogs.Early), "early")
	out.gauge(c.m.dialogs, float64(s.Dialogs.Confirmed), "confirmed")
	out.gauge(c.m.dialogs, float64(s.Dialogs.Ended), "ended")
	out.gauge(c.m.registrations, float64(s.Registrations))
	out.gauge(c.m.bans, float64(s.Policy.Bans))
	out.gauge(c.m.prefixes, float64(s.Policy.Prefixes))
	for _, w := range s.Workers {
		c.collectState(out, w)
	}
	for _, p := range s.Parts {
		out.counter(c.m.workerSteered, p.Steered, p.Worker, p.Service)
		out.gauge(c.m.workerDialogs, float64(p.Dialogs), p.Worker, p.Service)
		if p.Proxy != nil {
			c.m.proxy.collect(out, p.Proxy, p.Worker, p.Service)
		}
	}
}

func (c *collector) collectDatapath(out sink, d *DatapathStatus) {
	out.counter(c.m.steered, d.Steered)
	out.counter(c.m.passed, d.Passed)
	out.counters(c.m.dropped, d.Dropped)
	out.counters(c.m.outcomes, d.Outcomes)
	out.counters(c.m.direct, d.Direct)
}

func (c *collector) collectService(out sink, s *ServiceMetrics) {
	out.counters(c.m.received, knownMethods(s.Control.Received), s.Name)
	out.counter(c.m.slowPath, s.Control.Steered, s.Name)
	out.counters(c.m.answered, s.Control.Answered, s.Name)
	out.counter(c.m.handedOver, s.Control.HandedOver, s.Name)
	out.counters(c.m.refuse, s.Control.Dropped, s.Name)
	for step, h := range s.Steps {
		out.histogram(c.m.steps, h, s.Name, step)
	}
}

func (c *collector) collectState(out sink, w WorkerStatus) {
	out.counter(c.m.workerProbes, w.Probes.Answered, w.Name, "answered")
	out.counter(c.m.workerProbes, w.Probes.Refused, w.Name, "refused")
	out.counter(c.m.workerProbes, w.Probes.Lost, w.Name, "lost")
	for _, state := range []string{WorkerUp, WorkerDraining, WorkerDrained, WorkerDown} {
		value := 0.0
		if w.State == state {
			value = 1
		}
		out.gauge(c.m.workerState, value, w.Name, state)
	}
}

// knownMethods gathers methods that are not registered with IANA under "other",
// since a sender can invent as many as it likes.
func knownMethods(received map[string]uint64) map[string]uint64 {
	out := make(map[string]uint64, len(received))
	for method, n := range received {
		switch method {
		case "INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "INFO", "PRACK", "UPDATE",
			"SUBSCRIBE", "NOTIFY", "REFER", "MESSAGE", "PUBLISH", "response":
			out[method] += n
		default:
			out["other"] += n
		}
	}
	return out
}

// sink sends metrics to Prometheus. A value that does not fit its description
// shows up as a failed scrape instead of a panic.
type sink struct{ ch chan<- prometheus.Metric }

func (s sink) send(d *prometheus.Desc, t prometheus.ValueType, v float64, labels []string) {
	m, err := prometheus.NewConstMetric(d, t, v, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	s.ch <- m
}

func (s sink) histogram(d *prometheus.Desc, h Histogram, labels ...string) {
	m, err := prometheus.NewConstHistogram(d, h.Count, h.Sum, h.Buckets, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	s.ch <- m
}

func (s sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s.send(d, prometheus.GaugeValue, v, labels)
}

func (s sink) counter(d *prometheus.Desc, v uint64, labels ...string) {
	s.send(d, prometheus.CounterValue, float64(v), labels)
}

// counters sends one counter a label, which comes behind those given.
func (s sink) counters(d *prometheus.Desc, values map[string]uint64, before ...string) {
	for label, v := range values {
		s.counter(d, v, append(slices.Clone(before), label)...)
	}
}
