// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/sipsteer/sipsteer/tests/netns"
)

const listen = "127.0.0.1:9090"

// Server is Debian's Prometheus on a host of the lab, with the example configuration and the rules of a folder, but
// scraping each second.
type Server struct {
	proc *netns.Process
	http *http.Client
}

// Start starts it with its data under dir and waits until it answers. Its first scrape comes about five seconds later.
func Start(h *netns.Host, rules, dir string) (*Server, error) {
	work, err := os.MkdirTemp(dir, "prometheus-")
	if err != nil {
		return nil, fmt.Errorf("making the folder of Prometheus: %w", err)
	}
	for _, name := range []string{"prometheus.yml", "recording.yml", "alerts.yml"} {
		text, err := os.ReadFile(filepath.Join(rules, name))
		if err != nil {
			return nil, fmt.Errorf("configuring Prometheus: %w", err)
		}
		fast := strings.ReplaceAll(string(text), "_interval: 15s", "_interval: 1s")
		if err := os.WriteFile(filepath.Join(work, name), []byte(fast), 0o600); err != nil {
			return nil, fmt.Errorf("configuring Prometheus: %w", err)
		}
	}
	proc, err := h.Start(netns.Command{Path: "prometheus", Dir: work, Args: []string{
		"--config.file=prometheus.yml", "--storage.tsdb.path=data", "--web.listen-address=" + listen, "--log.level=warn",
	}})
	if err != nil {
		return nil, err
	}
	s := &Server{proc: proc, http: Client(h)}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if _, err = s.get("/-/ready", nil); err == nil {
			return s, nil
		}
		if !proc.Running() || time.Now().After(deadline) {
			return nil, fmt.Errorf("starting Prometheus: it does not come up (%s): %w\n%s", proc.State(), err, proc.Output())
		}
	}
}

// Client makes requests as from a host.
func Client(h *netns.Host) *http.Client {
	dial := func(_ context.Context, network, addr string) (conn net.Conn, err error) {
		if inside := h.Do(func() error { conn, err = net.Dial(network, addr); return nil }); inside != nil {
			return nil, inside
		}
		return conn, err
	}
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DialContext: dial}}
}

// Stop ends it.
func (s *Server) Stop() {
	s.http.CloseIdleConnections()
	s.proc.Kill()
}

func (s *Server) get(path string, query url.Values) ([]byte, error) {
	resp, err := s.http.Get("http://" + listen + path + "?" + query.Encode())
	if err != nil {
		return nil, fmt.Errorf("asking Prometheus: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	if err != nil {
		return nil, fmt.Errorf("asking Prometheus: %w", err)
	}
	return body, nil
}

// WaitScraped waits until there are two scrapes of a target, as rates need them.
func (s *Server) WaitScraped() error {
	for range 150 {
		got, err := s.Query("count_over_time(up[1m]) > 1")
		if err != nil || len(got) > 0 {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("waiting for a scrape: Prometheus makes none (%s)\n%s", s.proc.State(), s.proc.Output())
}

// Sample is one element of an instant vector.
type Sample struct {
	Metric map[string]string
	Value  float64
}

// Query evaluates an expression now; samples that are no number (0/0) are left out.
func (s *Server) Query(expr string) ([]Sample, error) {
	body, err := s.get("/api/v1/query", url.Values{"query": {expr}})
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any // time, text
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("reading what Prometheus answered: %w", err)
	}
	var list []Sample
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, fmt.Errorf("reading the sample %q: %w", text, err)
		}
		if !math.IsNaN(v) {
			list = append(list, Sample{r.Metric, v})
		}
	}
	return list, nil
}

// Rule is what Prometheus says of a rule that it evaluates.
type Rule struct{ Name, Health, State, LastError string }

// Rules lists the rules.
func (s *Server) Rules() ([]Rule, error) {
	body, err := s.get("/api/v1/rules", nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct{ Groups []struct{ Rules []Rule } }
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, fmt.Errorf("reading the rules: %w", err)
	}
	var list []Rule
	for _, g := range answer.Data.Groups {
		list = append(list, g.Rules...)
	}
	return list, nil
}
