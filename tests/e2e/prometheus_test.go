// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os/exec"
	"testing"
	"time"

	"github.com/sipsteer/sipsteer/tests/daemon"
	"github.com/sipsteer/sipsteer/tests/prometheus"
)

// TestEveryPanelHasData runs Debian's Prometheus with the example configuration beside a balancer under load, and asks
// it what the dashboards ask.
func TestEveryPanelHasData(t *testing.T) {
	s := newSite(t)
	s.needs("prometheus")
	b := s.balance(daemon.Settings{})
	b.addUsers("alice", "bob")
	server, err := prometheus.Start(s.lb, "../../deploy/prometheus", s.dir)
	s.must(err)
	t.Cleanup(server.Stop)
	s.register(s.ua, vip4, "alice")
	s.register(s.ub, vip4, "bob")
	s.must(server.WaitScraped())
	s.call(vip4, calls{call: "call", answer: "answer", n: 90, rate: 30, length: 300 * time.Millisecond, rings: 50 * time.Millisecond})

	s.lintsClean()
	s.prometheusSaysWhatTheStatusSays(server, b)
	s.panelsHaveData(server)
	s.rulesWork(server)
}

// lintsClean gives the daemon's metrics to promtool.
func (s *site) lintsClean() {
	s.Helper()
	resp, err := prometheus.Client(s.lb).Get("http://127.0.0.1:8060/metrics")
	s.must(err)
	defer resp.Body.Close()
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = resp.Body
	if out, err := cmd.CombinedOutput(); err != nil {
		s.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

func (s *site) prometheusSaysWhatTheStatusSays(server *prometheus.Server, b *balancer) {
	s.Helper()
	want := b.settled().Datapath.Steered
	if want < 90*4 {
		s.Fatalf("only %d packets were steered", want)
	}
	var got []prometheus.Sample
	for range 50 {
		var err error
		got, err = server.Query("sum(sipsteer_datapath_steered_packets_total)")
		s.must(err)
		if len(got) == 1 && got[0].Value == float64(want) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.Errorf("Prometheus has %+v steered packets, the status %d", got, want)
}

func (s *site) panelsHaveData(server *prometheus.Server) {
	s.Helper()
	dashboards, err := prometheus.Dashboards("../../deploy/grafana")
	s.must(err)
	queries := prometheus.Queries(dashboards, "1m")
	for _, q := range queries {
		samples, err := server.Query(q.Expr)
		switch {
		case err != nil:
			s.Errorf("%s, %s: %v", q.Dashboard, q.Panel, err)
		case len(samples) == 0:
			s.Errorf("%s, %s: no data for %s", q.Dashboard, q.Panel, q.Expr)
		}
	}
	s.Logf("%d queries of %d dashboards", len(queries), len(dashboards))
}

// rulesWork expects every rule to be evaluated and no alert on a healthy system.
func (s *site) rulesWork(server *prometheus.Server) {
	s.Helper()
	rules, err := server.Rules()
	s.must(err)
	for _, r := range rules {
		if r.Health != "ok" || r.State == "firing" || r.State == "pending" {
			s.Errorf("rule %s: health %s %s, state %s", r.Name, r.Health, r.LastError, r.State)
		}
	}
	if len(rules) < 20 {
		s.Errorf("only %d rules", len(rules))
	}
}
