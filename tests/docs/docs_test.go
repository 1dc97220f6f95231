// SPDX-License-Identifier: Apache-2.0

// Package docs holds the pages under docs/ to what the code does.
package docs

import (
	"encoding"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/sipsteer/sipsteer/ctrl/config"
)

const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// keys lists the leaf keys of a config struct as docs/config.md writes them.
func keys(t reflect.Type, prefix string) []string {
	var out []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case f.Type.Kind() == reflect.Slice && f.Type.Elem().Kind() == reflect.Struct && !isText(f.Type.Elem()):
			out = append(out, prefix+name)
			out = append(out, keys(f.Type.Elem(), prefix+name+"[].")...)
		case f.Type.Kind() == reflect.Struct && !isText(f.Type) && f.Type.PkgPath() == reflect.TypeFor[config.Config]().PkgPath():
			out = append(out, keys(f.Type, prefix+name+".")...)
		default:
			out = append(out, prefix+name)
		}
	}
	return out
}

// isText tells a struct that stands as one text in the file.
func isText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func TestEveryConfigKeyIsDocumentedAndNoOther(t *testing.T) {
	daemon, worker, found := strings.Cut(read(t, "docs/config.md"), "## A worker of its own")
	if !found {
		t.Fatal("docs/config.md has no section for the worker's file")
	}
	check(t, "sipsteer run", daemon, keys(reflect.TypeFor[config.Config](), ""))
	worker, _, _ = strings.Cut(worker, "## Signals")
	check(t, "sipsteer worker", worker, keys(reflect.TypeFor[config.Worker](), ""))
}

func check(t *testing.T, file, page string, want []string) {
	t.Helper()
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(page, -1) {
		documented[m[1]] = true
	}
	for _, key := range want {
		if !documented[key] {
			t.Errorf("%s: key %s is not in docs/config.md", file, key)
		}
		delete(documented, key)
	}
	for key := range documented {
		t.Errorf("%s: docs/config.md has the key %s, which does not exist", file, key)
	}
}

func TestDocumentedDefaultsAreTheDefaults(t *testing.T) {
	d, page := config.Default(), read(t, "docs/config.md")
	for key, want := range map[string]string{
		"datapath.mode": d.Datapath.Mode, "datapath.max_pins": "262144",
		"registrar.default_expires": "3600", "registrar.min_expires": "60", "registrar.max_expires": "7200", "registrar.max_contacts": "10",
		"auth.algorithms": "[" + strings.Join(d.Auth.Algorithms, ", ") + "]",
		"store":           d.Store, "location": d.Location, "api.listen": d.API.Listen, "log.level": d.Log.Level, "log.format": d.Log.Format,
	} {
		if !strings.Contains(page, "| `"+key+"` | `"+want+"` |") {
			t.Errorf("the default of %s is %s, and docs/config.md says something else", key, want)
		}
	}
}

func TestDependenciesPageIsWhatGoModRequires(t *testing.T) {
	direct := directModules(read(t, "go.mod"))
	if len(direct) == 0 {
		t.Fatal("go.mod has no direct requirement: is it tidy?")
	}
	page := read(t, "docs/dependencies.md")
	for module := range direct {
		if !strings.Contains(page, "| `"+module+"` |") {
			t.Errorf("docs/dependencies.md does not say why %s is there", module)
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(page, -1) {
		if !direct[m[1]] {
			t.Errorf("docs/dependencies.md names %s, which go.mod does not require directly", m[1])
		}
	}
}

// directModules are the modules of go.mod without an "// indirect" behind them.
func directModules(gomod string) map[string]bool {
	line := regexp.MustCompile(`(?m)^(?:require )?\s*([^\s/]+\.[^\s/]+/\S+) v\S+$`)
	modules := map[string]bool{}
	for _, m := range line.FindAllStringSubmatch(gomod, -1) {
		modules[m[1]] = true
	}
	return modules
}

func TestDirectModulesAreToldFromIndirectOnes(t *testing.T) {
	got := directModules("module m.org/x/y\n\ngo 1.26.0\n\nrequire a.org/b v1.0.0\n\nrequire (\n\tc.org/d/v2 v2.1.0\n\te.org/f v0.1.0 // indirect\n)\n\ntool c.org/d/v2/cmd/t\n")
	if len(got) != 2 || !got["a.org/b"] || !got["c.org/d/v2"] {
		t.Errorf("got %v", got)
	}
}

func TestLinksLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, filepath.Join(root, "README.md"))
	for _, page := range pages {
		data, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`).FindAllStringSubmatch(string(data), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
			}
		}
	}
}

func TestMakeTargetsInThePagesExist(t *testing.T) {
	makefile := read(t, "Makefile")
	for _, page := range []string{"README.md", "docs/testing.md"} {
		for _, m := range regexp.MustCompile(`make ([a-z-]+)`).FindAllStringSubmatch(read(t, page), -1) {
			if m[1] == "and" {
				continue
			}
			if !strings.Contains(makefile, "\n"+m[1]+":") {
				t.Errorf("%s says make %s, and there is no such target", page, m[1])
			}
		}
	}
}

func TestMetricsPageNamesEveryMetric(t *testing.T) {
	page := read(t, "docs/control-plane-api.md")
	source := read(t, "ctrl/api/metrics.go") + read(t, "ctrl/api/proxymetrics.go")
	names := regexp.MustCompile(`d\("([a-z_]+)",`).FindAllStringSubmatch(source, -1)
	if len(names) < 20 {
		t.Fatalf("found %d metrics in the source", len(names))
	}
	for _, m := range names {
		if !strings.Contains(page, "`sipsteer_"+m[1]+"`") {
			t.Errorf("docs/control-plane-api.md lacks sipsteer_%s", m[1])
		}
	}
}
