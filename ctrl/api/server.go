// SPDX-License-Identifier: Apache-2.0

// Package api is the control interface: REST under /v1 described by
// /openapi.json, a page for browsers, /metrics for Prometheus and /healthz. It holds no state of its
// own and reaches the rest of the daemon through the interfaces of Sources.
package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/sipsteer/sipsteer/ctrl/api/page"
)

// maxBody is far above the largest request, a user with a password.
const maxBody = 16 << 10

// New returns the handler of the whole API. version is shown in the OpenAPI
// document and in sipsteer_build_info. listenHost is the literal address the
// API listens on, or empty for a unix socket.
func New(src Sources, version, listenHost string) http.Handler {
	mux := http.NewServeMux()
	h := humago.New(mux, humaConfig(version))
	registerStatus(h, src)
	registerWorkers(h, src)
	registerDialogs(h, src)
	registerRecords(h, src)
	registerRegistrations(h, src)
	registerUsers(h, src)
	registerAliases(h, src)
	registerDomains(h, src)
	registerDialPlan(h, src)
	registerBans(h, src)
	registerPrefixes(h, src)
	mux.Handle("GET /metrics", metricsHandler(src.Metrics, version))
	mux.Handle("GET /{$}", page.Handler())
	mux.Handle("GET /page/", page.Handler())
	mux.Handle("/", http.HandlerFunc(noSuchEndpoint))
	return guard(mux, listenHost)
}

func humaConfig(version string) huma.Config {
	c := huma.DefaultConfig("sipsteer", version)
	c.Info.Description = "Control interface of sipsteer. Errors are application/problem+json (RFC 9457)."
	c.DocsPath = ""     // its page loads scripts from elsewhere
	c.SchemasPath = ""  // the schemas are in openapi.json
	c.CreateHooks = nil // no $schema in each answer
	c.Transformers = []huma.Transformer{hideValues}
	c.RejectUnknownQueryParameters = true
	return c
}

// hideValues takes the offending values out of validation errors: one of them
// may be a password.
func hideValues(_ huma.Context, _ string, body any) (any, error) {
	if problem, ok := body.(*huma.ErrorModel); ok {
		for _, detail := range problem.Errors {
			detail.Value = nil
		}
	}
	return body, nil
}

// operation describes one endpoint; huma adds the schemas of its answers.
func operation(id, method, path, summary, tag string, status int) huma.Operation {
	return huma.Operation{
		OperationID:   id,
		Method:        method,
		Path:          path,
		Summary:       summary,
		Tags:          []string{tag},
		DefaultStatus: status,
		MaxBodyBytes:  maxBody,
		Errors:        []int{http.StatusForbidden, http.StatusInternalServerError},
	}
}

// problem turns an error of a source into the answer a client gets.
func problem(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNotFound):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, ErrExists):
		return huma.Error409Conflict(err.Error())
	case errors.Is(err, ErrInvalid):
		return huma.Error422UnprocessableEntity(err.Error())
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return huma.Error503ServiceUnavailable(err.Error())
	}
	return huma.Error500InternalServerError(err.Error())
}

// listOf returns list, or an empty one, so that JSON never says null.
func listOf[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// mapOf does the same for counters by name.
func mapOf(m map[string]uint64) map[string]uint64 {
	if m == nil {
		return map[string]uint64{}
	}
	return m
}

func noSuchEndpoint(w http.ResponseWriter, r *http.Request) {
	writeProblem(w, http.StatusNotFound, "there is no "+r.Method+" "+r.URL.Path+"; /openapi.json lists what there is")
}
