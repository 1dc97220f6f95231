// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// scrapeTimeout bounds how long a scrape may wait for the status.
const scrapeTimeout = 5 * time.Second

func metricsHandler(src StatusSource, version string) http.Handler {
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

// collector turns one Status into metrics at each scrape, so that the API and
// Prometheus can never disagree and nothing is counted twice.
type collector struct {
	src     StatusSource
	version string
	m       descriptors
}

// descriptors are the metrics of the daemon. Their labels take a bounded set of
// values: names from the config, outcomes and causes named in the code, methods
// of the IANA registry, and status codes.
type descriptors struct {
	build, uptime, mode                              *prometheus.Desc
	steered, passed, dropped, outcomes               *prometheus.Desc
	received, slowPath, answered, handedOver, refuse *prometheus.Desc
	dialogs, registrations                           *prometheus.Desc
	workerSteered, workerDialogs, workerState        *prometheus.Desc
}

func newCollector(src StatusSource, version string) *collector {
	d := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("sipsteer_"+name, help, labels, nil)
	}
	return &collector{src: src, version: version, m: descriptors{
		build:         d("build_info", "Version of sipsteer and name of the node; always 1.", "version", "node"),
		uptime:        d("uptime_seconds", "Time since the daemon started."),
		mode:          d("datapath_mode_info", "Mode of the datapath in effect; always 1.", "mode"),
		steered:       d("datapath_steered_packets_total", "Packets the datapath sent to a pinned worker."),
		passed:        d("datapath_passed_packets_total", "Packets of a service the datapath gave to the control plane."),
		dropped:       d("datapath_dropped_packets_total", "Packets the datapath dropped.", "cause"),
		outcomes:      d("datapath_outcome_packets_total", "Packets by named outcome of the datapath.", "outcome"),
		received:      d("control_received_messages_total", "Messages that reached the control plane.", "method"),
		slowPath:      d("control_steered_messages_total", "Messages of pinned calls that user space forwarded."),
		answered:      d("control_responses_total", "Responses the control plane sent.", "code"),
		handedOver:    d("control_handed_over_requests_total", "Initial requests given to a worker."),
		refuse:        d("control_dropped_messages_total", "Messages the control plane dropped.", "cause"),
		dialogs:       d("dialogs", "Live dialogs.", "state"),
		registrations: d("registrations", "Bindings that have not expired."),
		workerSteered: d("worker_steered_packets_total", "Packets steered to a worker.", "worker"),
		workerDialogs: d("worker_dialogs", "Live dialogs of a worker.", "worker"),
		workerState:   d("worker_state", "1 for the state a worker is in, else 0.", "worker", "state"),
	}}
}

// Describe sends every metric the collector may have.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	m := &c.m
	for _, d := range []*prometheus.Desc{
		m.build, m.uptime, m.mode, m.steered, m.passed, m.dropped, m.outcomes,
		m.received, m.slowPath, m.answered, m.handedOver, m.refuse,
		m.dialogs, m.registrations, m.workerSteered, m.workerDialogs, m.workerState,
	} {
		ch <- d
	}
}

// Collect asks for the status once.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	s, err := c.src.Status(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.m.uptime, err)
		return
	}
	out := sink{ch}
	out.gauge(c.m.build, 1, c.version, s.Node)
	out.gauge(c.m.uptime, s.UptimeSeconds)
	c.collectDatapath(out, &s.Datapath)
	c.collectControl(out, &s.Control)
	out.gauge(c.m.dialogs, float64(s.Dialogs.Early), "early")
	out.gauge(c.m.dialogs, float64(s.Dialogs.Confirmed), "confirmed")
	out.gauge(c.m.dialogs, float64(s.Dialogs.Ended), "ended")
	out.gauge(c.m.registrations, float64(s.Registrations))
	for _, w := range s.Workers {
		c.collectWorker(out, w)
	}
}

func (c *collector) collectDatapath(out sink, d *DatapathStatus) {
	out.gauge(c.m.mode, 1, d.Mode)
	out.counter(c.m.steered, d.Steered)
	out.counter(c.m.passed, d.Passed)
	out.counters(c.m.dropped, d.Dropped)
	out.counters(c.m.outcomes, d.Outcomes)
}

func (c *collector) collectControl(out sink, s *ControlStatus) {
	out.counters(c.m.received, knownMethods(s.Received))
	out.counter(c.m.slowPath, s.Steered)
	out.counters(c.m.answered, s.Answered)
	out.counter(c.m.handedOver, s.HandedOver)
	out.counters(c.m.refuse, s.Dropped)
}

func (c *collector) collectWorker(out sink, w WorkerStatus) {
	out.counter(c.m.workerSteered, w.Steered, w.Name)
	out.gauge(c.m.workerDialogs, float64(w.Dialogs), w.Name)
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

func (s sink) gauge(d *prometheus.Desc, v float64, labels ...string) {
	s.send(d, prometheus.GaugeValue, v, labels)
}

func (s sink) counter(d *prometheus.Desc, v uint64, labels ...string) {
	s.send(d, prometheus.CounterValue, float64(v), labels)
}

func (s sink) counters(d *prometheus.Desc, values map[string]uint64) {
	for label, v := range values {
		s.counter(d, v, label)
	}
}
