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

func registerWorkers(h huma.API, src Sources) {
	huma.Register(h, operation("list-workers", http.MethodGet, "/v1/workers", "The workers, in the order of the config", "workers", http.StatusOK),
		func(ctx context.Context, _ *struct{}) (*workersOutput, error) {
			s, err := status(ctx, src.Status)
			if err != nil {
				return nil, problem(err)
			}
			return &workersOutput{Body: s.Workers}, nil
		})
	registerChange(h, src, "drain", "Give a worker no new calls; those it has go on", src.Workers.Drain)
	registerChange(h, src, "undrain", "Give a worker new calls again", src.Workers.Undrain)
}

func registerChange(h huma.API, src Sources, verb, summary string, change func(context.Context, string) error) {
	huma.Register(h, operation(verb+"-worker", http.MethodPost, "/v1/workers/{name}/"+verb, summary, "workers", http.StatusOK),
		func(ctx context.Context, in *workerInput) (*workerOutput, error) {
			if err := change(ctx, in.Name); err != nil {
				return nil, problem(err)
			}
			s, err := src.Status.Status(ctx)
			if err != nil {
				return nil, problem(err)
			}
			for _, w := range s.Workers {
				if w.Name == in.Name {
					return &workerOutput{Body: w}, nil
				}
			}
			return nil, problem(fmt.Errorf("worker %q: %w", in.Name, ErrNotFound))
		})
}
