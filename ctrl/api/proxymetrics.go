// SPDX-License-Identifier: Apache-2.0

package api

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// ProxyStats are the counters of one worker proxy since its start, and what it
// holds now.
type ProxyStats struct {
	Received        uint64            // datagrams
	Requests        uint64            // forwarded downstream
	Responses       uint64            // forwarded upstream
	Retransmissions uint64            // absorbed by a transaction
	TimedOut        uint64            // client transactions without an answer
	Answered        map[string]uint64 // own answers by class, such as 4xx
	Refused         map[string]uint64 // requests by cause
	Dropped         map[string]uint64 // datagrams by cause
	Transactions    int               // now
	Dialogs         int               // remembered now
}

// NewWorker returns the handler of a worker on a host of its own: /metrics from
// stats, which several goroutines may call at once, and /healthz. version and
// listenHost are as in New.
func NewWorker(name, version, listenHost string, stats func() ProxyStats) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newWorkerCollector(name, version, stats),
	)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promHandler(r))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"status":"ok"}` + "\n")) // the client may be gone
	})
	mux.Handle("/", http.HandlerFunc(noSuchEndpoint))
	return guard(mux, listenHost)
}

// workerCollector turns the ProxyStats of a worker on its own into metrics at each
// scrape.
type workerCollector struct {
	name, version string
	stats         func() ProxyStats
	build         *prometheus.Desc
	proxy         proxyDescriptors
}

func newWorkerCollector(name, version string, stats func() ProxyStats) *workerCollector {
	return &workerCollector{name: name, version: version, stats: stats, build: buildInfo(), proxy: newProxyDescriptors()}
}

// Describe sends every metric the collector may have.
func (c *workerCollector) Describe(ch chan<- *prometheus.Desc) {
	ch <- c.build
	c.proxy.describe(ch)
}

// Collect asks for the counters once. One proxy serves all services of its host.
func (c *workerCollector) Collect(ch chan<- prometheus.Metric) {
	s, out := c.stats(), sink{ch}
	out.gauge(c.build, 1, c.version, c.name)
	c.proxy.collect(out, &s, c.name, "")
}

// proxyDescriptors are the metrics of worker proxies, wherever they run.
type proxyDescriptors struct {
	received, forwarded, absorbed, timedOut *prometheus.Desc
	answered, refused, dropped              *prometheus.Desc
	transactions, dialogs                   *prometheus.Desc
}

func newProxyDescriptors() proxyDescriptors {
	d := func(metric, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("sipsteer_"+metric, help, append([]string{"worker", "service"}, labels...), nil)
	}
	return proxyDescriptors{
		received:     d("proxy_received_messages_total", "Datagrams the proxy received."),
		forwarded:    d("proxy_forwarded_messages_total", "Messages the proxy sent on.", "kind"),
		absorbed:     d("proxy_absorbed_messages_total", "Retransmissions a transaction absorbed."),
		timedOut:     d("proxy_timed_out_transactions_total", "Client transactions that nobody answered."),
		answered:     d("proxy_responses_total", "Responses of the proxy's own.", "class"),
		refused:      d("proxy_refused_requests_total", "Requests the proxy turned away.", "cause"),
		dropped:      d("proxy_dropped_messages_total", "Datagrams the proxy dropped.", "cause"),
		transactions: d("proxy_transactions", "Live transactions."),
		dialogs:      d("proxy_dialogs", "Dialogs remembered because a party's target has changed."),
	}
}

func (p *proxyDescriptors) describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		p.received, p.forwarded, p.absorbed, p.timedOut, p.answered, p.refused, p.dropped, p.transactions, p.dialogs,
	} {
		ch <- d
	}
}

func (p *proxyDescriptors) collect(out sink, s *ProxyStats, worker, service string) {
	out.counter(p.received, s.Received, worker, service)
	out.counter(p.forwarded, s.Requests, worker, service, "request")
	out.counter(p.forwarded, s.Responses, worker, service, "response")
	out.counter(p.absorbed, s.Retransmissions, worker, service)
	out.counter(p.timedOut, s.TimedOut, worker, service)
	out.counters(p.answered, s.Answered, worker, service)
	out.counters(p.refused, s.Refused, worker, service)
	out.counters(p.dropped, s.Dropped, worker, service)
	out.gauge(p.transactions, float64(s.Transactions), worker, service)
	out.gauge(p.dialogs, float64(s.Dialogs), worker, service)
}
