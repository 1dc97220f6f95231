// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type statusOutput struct{ Body Status }

type healthOutput struct {
	Body struct {
		Status string `json:"status" enum:"ok"`
	}
}

func registerStatus(h huma.API, src Sources) {
	huma.Register(h, operation("get-status", http.MethodGet, "/v1/status", "What the daemon does, in one look", "status", http.StatusOK),
		func(ctx context.Context, _ *struct{}) (*statusOutput, error) {
			s, err := status(ctx, src.Status)
			if err != nil {
				return nil, problem(err)
			}
			return &statusOutput{Body: s}, nil
		})
	huma.Register(h, operation("get-health", http.MethodGet, "/healthz", "200 when the daemon can report on itself, else 503", "status", http.StatusOK),
		func(ctx context.Context, _ *struct{}) (*healthOutput, error) {
			if _, err := src.Status.Status(ctx); err != nil {
				return nil, huma.Error503ServiceUnavailable(err.Error())
			}
			out := &healthOutput{}
			out.Body.Status = "ok"
			return out, nil
		})
}

// status asks the source and fills in empty lists and maps.
func status(ctx context.Context, src StatusSource) (Status, error) {
	s, err := src.Status(ctx)
	if err != nil {
		return Status{}, err
	}
	s.Workers = listOf(s.Workers)
	s.Services = append([]ServiceStatus{}, s.Services...)
	for i := range s.Services {
		s.Services[i].Listen = listOf(s.Services[i].Listen)
		s.Services[i].Domains = listOf(s.Services[i].Domains)
		s.Services[i].Workers = listOf(s.Services[i].Workers)
	}
	s.Datapath.Interfaces = listOf(s.Datapath.Interfaces)
	s.Datapath.Dropped = mapOf(s.Datapath.Dropped)
	s.Datapath.Outcomes = mapOf(s.Datapath.Outcomes)
	s.Datapath.Direct = mapOf(s.Datapath.Direct)
	s.Control.Received = mapOf(s.Control.Received)
	s.Control.Answered = mapOf(s.Control.Answered)
	s.Control.Dropped = mapOf(s.Control.Dropped)
	return s, nil
}
