// SPDX-License-Identifier: Apache-2.0

package api

import (
	"encoding/json"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// guard refuses what a web page in the operator's browser could send here. The
// API asks nobody who they are, so being reachable on loopback must not be
// enough: a page elsewhere may neither change anything (its Origin or
// Sec-Fetch-Site gives it away) nor read anything by giving its own name this
// host's address (its Host gives it away). Clients that are no browsers send
// none of these headers. listenHost is empty for a unix socket, which no page
// can reach.
func guard(next http.Handler, listenHost string) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if listenHost != "" && !knownHost(r.Host, listenHost) {
			writeProblem(w, http.StatusForbidden, "the Host of the request is neither localhost nor the address the API listens on")
			return
		}
		if err := crossOrigin.Check(r); err != nil {
			writeProblem(w, http.StatusForbidden, "a page of another site may not change anything here")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// knownHost compares without the port, which differs behind an ssh tunnel.
func knownHost(host, listenHost string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if strings.EqualFold(name, "localhost") || name == listenHost {
		return true
	}
	a, err := netip.ParseAddr(name)
	return err == nil && a.IsLoopback()
}

// writeProblem answers as huma does, for requests that do not reach it.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	// The client may be gone; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(huma.ErrorModel{
		Title:  http.StatusText(status),
		Status: status,
		Detail: detail,
	})
}
