// SPDX-License-Identifier: Apache-2.0

package api_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/sipsteer/sipsteer/ctrl/api"
	"github.com/sipsteer/sipsteer/ctrl/api/apitest"
)

func TestMetricsSayWhatTheStatusSays(t *testing.T) {
	w := ask(t, apitest.New(), "GET", "/metrics", "")
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	text := w.Body.String()
	for _, want := range []string{
		`sipsteer_build_info{node="lb1",version="1.2.3"} 1`,
		`sipsteer_datapath_mode_info{configured="auto",mode="native"} 1`,
		`sipsteer_pins_capacity 1000`,
		`sipsteer_control_step_seconds_bucket{service="edge",step="pin",le="0.1"} 2`,
		`sipsteer_control_step_seconds_count{service="edge",step="pin"} 3`,
		`sipsteer_datapath_steered_packets_total 1200`,
		`sipsteer_datapath_passed_packets_total 30`,
		`sipsteer_datapath_dropped_packets_total{cause="not_sip"} 7`,
		`sipsteer_datapath_outcome_packets_total{outcome="initial"} 30`,
		`sipsteer_control_received_messages_total{method="INVITE",service="edge"} 20`,
		`sipsteer_control_received_messages_total{method="other",service="edge"} 5`,
		`sipsteer_control_responses_total{code="401",service="edge"} 12`,
		`sipsteer_control_handed_over_requests_total{service="edge"} 19`,
		`sipsteer_dialogs{state="early"} 1`,
		`sipsteer_registrations 1`,
		`sipsteer_worker_steered_packets_total{service="edge",worker="w1"} 600`,
		`sipsteer_worker_probes_total{result="answered",worker="w1"} 9`,
		`sipsteer_worker_probes_total{result="refused",worker="w1"} 2`,
		`sipsteer_worker_probes_total{result="lost",worker="w1"} 1`,
		`sipsteer_worker_state{state="up",worker="w2"} 1`,
		`sipsteer_proxy_received_messages_total{service="edge",worker="w2"} 9`,
		`sipsteer_proxy_refused_requests_total{cause="loop",service="edge",worker="w2"} 2`,
		`sipsteer_worker_state{state="down",worker="w2"} 0`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	if strings.Contains(text, `sipsteer_proxy_received_messages_total{service="edge",worker="w1"}`) {
		t.Error("a worker on another host has metrics of a proxy here")
	}
	if strings.Contains(text, "XYZZY") {
		t.Error("a method that a sender invented became a label")
	}
}

func TestMetricsPassPromlint(t *testing.T) {
	w := ask(t, apitest.New(), "GET", "/metrics", "")
	problems, err := promlint.New(w.Body).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "sipsteer_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

func TestAFailedStatusFailsTheScrape(t *testing.T) {
	d := apitest.New()
	d.Err = errors.New("reading the counters: gone")
	if w := ask(t, d, "GET", "/metrics", ""); w.Code != 500 {
		t.Errorf("%d, want 500", w.Code)
	}
}

func TestALabelThatIsNoTextDoesNotPanic(t *testing.T) {
	d := apitest.New()
	d.Report.Datapath.Dropped = map[string]uint64{"\xff": 1}
	w := httptest.NewRecorder()
	api.New(d.Sources(), "v", "").ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 500 {
		t.Errorf("%d, want 500", w.Code)
	}
}

func TestWorkerOnItsOwnHasMetricsAndHealth(t *testing.T) {
	h := api.NewWorker("w1", "1.2.3", "127.0.0.1", func() api.ProxyStats {
		return api.ProxyStats{
			Received: 10, Requests: 4, Responses: 5, Retransmissions: 1, TimedOut: 2, Transactions: 3, Dialogs: 6,
			Answered: map[string]uint64{"4xx": 7}, Refused: map[string]uint64{"loop": 8}, Dropped: map[string]uint64{"not_sip": 9},
		}
	})
	get := func(path, host string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", path, nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	w := get("/metrics", "127.0.0.1:8061")
	text := w.Body.String()
	for _, want := range []string{
		`sipsteer_build_info{node="w1",version="1.2.3"} 1`,
		`sipsteer_proxy_received_messages_total{service="",worker="w1"} 10`,
		`sipsteer_proxy_forwarded_messages_total{kind="request",service="",worker="w1"} 4`,
		`sipsteer_proxy_forwarded_messages_total{kind="response",service="",worker="w1"} 5`,
		`sipsteer_proxy_absorbed_messages_total{service="",worker="w1"} 1`,
		`sipsteer_proxy_timed_out_transactions_total{service="",worker="w1"} 2`,
		`sipsteer_proxy_responses_total{class="4xx",service="",worker="w1"} 7`,
		`sipsteer_proxy_refused_requests_total{cause="loop",service="",worker="w1"} 8`,
		`sipsteer_proxy_dropped_messages_total{cause="not_sip",service="",worker="w1"} 9`,
		`sipsteer_proxy_transactions{service="",worker="w1"} 3`,
		`sipsteer_proxy_dialogs{service="",worker="w1"} 6`,
	} {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no line %s", want)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "sipsteer_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	if w := get("/healthz", "localhost"); w.Code != 200 {
		t.Errorf("health: %d", w.Code)
	}
	if w := get("/metrics", "evil.example"); w.Code != 403 {
		t.Errorf("a rebound name reads the metrics: %d", w.Code)
	}
}
