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
		newProxyCollector(name, version, stats),
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

// proxyCollector turns ProxyStats into metrics at each scrape.
type proxyCollector struct {
	name, version string
	stats         func() ProxyStats

	build, received, forwarded, absorbed, timedOut *prometheus.Desc
	answered, refused, dropped                     *prometheus.Desc
	transactions, dialogs                          *prometheus.Desc
}

func newProxyCollector(name, version string, stats func() ProxyStats) *proxyCollector {
	d := func(metric, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("sipsteer_"+metric, help, labels, nil)
	}
	return &proxyCollector{
		name: name, version: version, stats: stats,
		build:        d("build_info", "Version of sipsteer and name of the node; always 1.", "version", "node"),
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

// Describe sends every metric the collector may have.
func (c *proxyCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		c.build, c.received, c.forwarded, c.absorbed, c.timedOut,
		c.answered, c.refused, c.dropped, c.transactions, c.dialogs,
	} {
		ch <- d
	}
}

// Collect asks for the counters once.
func (c *proxyCollector) Collect(ch chan<- prometheus.Metric) {
	s, out := c.stats(), sink{ch}
	out.gauge(c.build, 1, c.version, c.name)
	out.counter(c.received, s.Received)
	out.counter(c.forwarded, s.Requests, "request")
	out.counter(c.forwarded, s.Responses, "response")
	out.counter(c.absorbed, s.Retransmissions)
	out.counter(c.timedOut, s.TimedOut)
	out.counters(c.answered, s.Answered)
	out.counters(c.refused, s.Refused)
	out.counters(c.dropped, s.Dropped)
	out.gauge(c.transactions, float64(s.Transactions))
	out.gauge(c.dialogs, float64(s.Dialogs))
}
