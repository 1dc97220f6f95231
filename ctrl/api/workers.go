// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

type workersOutput struct{ Body []WorkerStatus }

type workerOutput struct{ Body WorkerStatus }

type workerInput struct {
	Name string `path:"name" doc:"As in the config"`
}

type weightInput struct {
	Name string `path:"name" doc:"As in the config"`
	Body struct {
		Weight int `json:"weight" doc:"1 to 1000; 0 takes the config's again"`
	}
}

func registerWorkers(h huma.API, src Sources) {
	huma.Register(h, operation("list-workers", http.MethodGet, "/v1/workers", "The workers, in the order of the config", "workers", http.StatusOK),
		func(ctx context.Context, _ *struct{}) (*workersOutput, error) {
			s, err := status(ctx, src.Status)
			if err != nil {
				return nil, problem(err)
			}
			return &workersOutput{Body: s.Workers}, nil
		})
	change := operation("set-worker-weight", http.MethodPut, "/v1/workers/{name}/weight",
		"Change a worker's share of new calls against the others'", "workers", http.StatusOK)
	huma.Register(h, change, func(ctx context.Context, in *weightInput) (*workerOutput, error) {
		if in.Body.Weight < 0 || in.Body.Weight > MaxWeight {
			return nil, problem(Refuse(ErrInvalid, fmt.Errorf("weight %d is not between 1 and %d, nor 0 for that of the config", in.Body.Weight, MaxWeight)))
		}
		return changed(ctx, src, in.Name, func() error { return src.Workers.SetWeight(ctx, in.Name, in.Body.Weight) })
	})
	registerChange(h, src, "drain", "Give a worker no new calls; those it has go on", src.Workers.Drain)
	registerChange(h, src, "undrain", "Give a worker new calls again", src.Workers.Undrain)
}

func registerChange(h huma.API, src Sources, verb, summary string, change func(context.Context, string) error) {
	huma.Register(h, operation(verb+"-worker", http.MethodPost, "/v1/workers/{name}/"+verb, summary, "workers", http.StatusOK),
		func(ctx context.Context, in *workerInput) (*workerOutput, error) {
			return changed(ctx, src, in.Name, func() error { return change(ctx, in.Name) })
		})
}

// changed changes a worker and answers with what it is then.
func changed(ctx context.Context, src Sources, name string, change func() error) (*workerOutput, error) {
	if err := change(); err != nil {
		return nil, problem(err)
	}
	s, err := src.Status.Status(ctx)
	if err != nil {
		return nil, problem(err)
	}
	for _, w := range s.Workers {
		if w.Name == name {
			return &workerOutput{Body: w}, nil
		}
	}
	return nil, problem(fmt.Errorf("worker %q: %w", name, ErrNotFound))
}
