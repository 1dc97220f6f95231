// SPDX-License-Identifier: Apache-2.0

// Package prometheus reads the dashboards and rules under deploy, so that tests can hold them to what sipsteer says of
// itself.
package prometheus

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Dashboard is the part of Grafana's model that the dashboards use.
type Dashboard struct {
	File          string `json:"-"`
	UID           string
	Title         string
	SchemaVersion int
	Templating    struct{ List []Variable }
	Panels        []Panel
}

// Variable is a choice at the top of a dashboard.
type Variable struct {
	Name, Type string
	Query      any // a text, or an object with one; its shape depends on the type
}

// Panel is one panel; a row has no targets.
type Panel struct {
	ID          int
	Type, Title string
	Description string
	Datasource  Datasource
	GridPos     struct{ X, Y, W, H int }
	Targets     []Target
}

// Datasource names where a panel asks.
type Datasource struct{ Type, UID string }

// Target is one query of a panel.
type Target struct{ Expr, RefID, LegendFormat string }

// Dashboards reads every dashboard in a folder.
func Dashboards(dir string) ([]Dashboard, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("reading dashboards: none in %s: %w", dir, err)
	}
	var list []Dashboard
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading dashboards: %w", err)
		}
		d := Dashboard{File: filepath.Base(file)}
		if err := json.Unmarshal(data, &d); err != nil {
			return nil, fmt.Errorf("reading dashboard %s: %w", file, err)
		}
		list = append(list, d)
	}
	return list, nil
}

// Query is a panel's question as Prometheus gets it.
type Query struct{ Dashboard, Panel, Expr string }

// Queries are those of all panels. Variables take their widest value, and rates the range.
func Queries(dashboards []Dashboard, rate string) []Query {
	fill := strings.NewReplacer("$__rate_interval", rate, "$instance", ".+")
	var list []Query
	for _, d := range dashboards {
		for _, p := range d.Panels {
			for _, t := range p.Targets {
				list = append(list, Query{d.File, p.Title, fill.Replace(t.Expr)})
			}
		}
	}
	return list
}
