// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/sipsteer/sipsteer/ctrl/config"
)

const defaultAPI = "http://127.0.0.1:8060"

// client asks one daemon.
type client struct {
	shown string // how messages call the daemon's address
	base  string
	http  *http.Client
}

// newClient finds the daemon by --api, -c, $SIPSTEER_API or the default, in
// this order.
func newClient(o *options) (*client, error) {
	switch {
	case o.api != "":
		return dialer(o.api)
	case o.config != "":
		cfg, err := config.Load(o.config)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(cfg.API.Listen, "unix://") {
			return dialer(cfg.API.Listen)
		}
		return dialer("http://" + cfg.API.Listen)
	case os.Getenv("SIPSTEER_API") != "":
		return dialer(os.Getenv("SIPSTEER_API"))
	}
	return dialer(defaultAPI)
}

func dialer(address string) (*client, error) {
	u, err := url.Parse(address)
	if err != nil || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, usagef("%q is not the URL of an API; allowed: http://HOST:PORT, unix:///PATH", address)
	}
	transport := &http.Transport{Proxy: nil} // never send passwords through a proxy
	c := &client{shown: address, http: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
	switch {
	case u.Scheme == "http" && u.Host != "" && (u.Path == "" || u.Path == "/"):
		c.base = "http://" + u.Host
	case u.Scheme == "unix" && u.Host == "" && u.Path != "":
		c.base = "http://localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", u.Path)
		}
	default:
		return nil, usagef("%q is not the URL of an API; allowed: http://HOST:PORT, unix:///PATH", address)
	}
	return c, nil
}

// do sends one request and decodes the answer into out, which may be nil. It
// returns the answer's header. doing names the request in errors.
func (c *client) do(ctx context.Context, doing, method, path string, in, out any) (http.Header, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", doing, err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, c.unreachable(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s: %w", doing, refusal(resp, doing))
	}
	if out == nil {
		return resp.Header, nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return nil, fmt.Errorf("%s: reading the answer of %s: %w; is it sipsteer's API?", doing, c.shown, err)
	}
	return resp.Header, nil
}

// unreachable words the usual reasons why nobody answers, with the way out.
func (c *client) unreachable(err error) error {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("nobody listens on %s; is sipsteer running? start it with `sipsteer run`, or name its API with --api", c.shown)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s may be opened by the daemon's user only; run this as that user", c.shown)
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("asking %s: %w", c.shown, err)
}

// refusal reads why the daemon said no, without what it was doing if that is what
// it was asked for.
func refusal(resp *http.Response, doing string) error {
	var p struct {
		Detail string `json:"detail"`
		Errors []struct {
			Message  string `json:"message"`
			Location string `json:"location"`
		} `json:"errors"`
	}
	const enough = 64 << 10
	if err := json.NewDecoder(io.LimitReader(resp.Body, enough)).Decode(&p); err != nil || p.Detail == "" {
		return fmt.Errorf("the daemon answered %s", resp.Status)
	}
	parts := []string{strings.TrimPrefix(strings.TrimPrefix(p.Detail, "invalid: "), doing+": ")}
	for _, e := range p.Errors {
		parts = append(parts, strings.TrimSpace(e.Location+" "+e.Message))
	}
	return errors.New(strings.Join(parts, "; "))
}
