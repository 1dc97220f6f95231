// SPDX-License-Identifier: Apache-2.0

package prometheus

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	rules      = "../../deploy/prometheus"
	dashboards = "../../deploy/grafana"
)

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// promtool runs Debian's promtool in the folder of the rules.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("promtool is not installed")
		}
		t.Skip("promtool is not installed")
	}
	cmd := exec.Command("promtool", args...)
	cmd.Dir = rules
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestRulesAndExampleAreValid(t *testing.T) { promtool(t, "check", "config", "prometheus.yml") }

func TestAlertsFireWhenTheyShall(t *testing.T) { promtool(t, "test", "rules", "tests.yml") }

func TestEachAlertIsExplainedAndTested(t *testing.T) {
	page, tests := read(t, "../../docs/alerts.md"), read(t, filepath.Join(rules, "tests.yml"))
	alerts := regexp.MustCompile(`- alert: (\S+)`).FindAllStringSubmatch(read(t, filepath.Join(rules, "alerts.yml")), -1)
	if len(alerts) < 10 {
		t.Fatalf("only %d alerts were found", len(alerts))
	}
	known := map[string]bool{}
	for _, m := range alerts {
		known[m[1]] = true
		if !strings.Contains(page, "\n## "+m[1]+"\n") {
			t.Errorf("docs/alerts.md has no heading %s", m[1])
		}
		if !strings.Contains(tests, "alertname: "+m[1]+"}") || !strings.Contains(tests, "alertname: "+m[1]+"\n") {
			t.Errorf("tests.yml does not show %s both silent and firing", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^## (\S+)$`).FindAllStringSubmatch(page, -1) {
		if !known[m[1]] {
			t.Errorf("docs/alerts.md explains %s, which is no alert", m[1])
		}
	}
}

func TestDashboardsAreWellFormed(t *testing.T) {
	list, err := Dashboards(dashboards)
	if err != nil {
		t.Fatal(err)
	}
	uids := map[string]bool{}
	for _, d := range list {
		if d.UID == "" || uids[d.UID] || d.Title == "" || d.SchemaVersion < 38 {
			t.Errorf("%s: uid %q, title %q, schema %d", d.File, d.UID, d.Title, d.SchemaVersion)
		}
		uids[d.UID] = true
		checkVariables(t, d)
		checkPanels(t, d)
	}
	for _, want := range []string{"overview", "workers", "security", "control-plane"} {
		if !uids["sipsteer-"+want] {
			t.Errorf("there is no dashboard sipsteer-%s", want)
		}
	}
}

func checkVariables(t *testing.T, d Dashboard) {
	types := map[string]string{}
	for _, v := range d.Templating.List {
		types[v.Name] = v.Type
	}
	if types["datasource"] != "datasource" || types["instance"] != "query" {
		t.Errorf("%s: variables %v", d.File, types)
	}
}

// checkPanels finds panels that could not be drawn, or lie over one another.
func checkPanels(t *testing.T, d Dashboard) {
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 || p.Datasource.UID != "${datasource}" {
			t.Errorf("%s: panel %d %q: id, title, targets or data source", d.File, p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.GridPos.W == 0 || p.GridPos.H == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("%s: %q has its place at %+v", d.File, p.Title, p.GridPos)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if other, taken := cells[at]; taken {
					t.Fatalf("%s: %q lies over %q", d.File, p.Title, other)
				}
				cells[at] = p.Title
			}
		}
		for _, target := range p.Targets {
			if target.RefID == "" || !strings.Contains(target.Expr, `instance=~"$instance"`) {
				t.Errorf("%s: %q asks %q", d.File, p.Title, target.Expr)
			}
		}
	}
}
