// SPDX-License-Identifier: Apache-2.0

package alerts_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

const dashboard = "../../deploy/helm/daprise/files/dashboard.json"

type board struct {
	UID        string                    `json:"uid"`
	Title      string                    `json:"title"`
	Templating struct{ List []variable } `json:"templating"`
	Panels     []panel                   `json:"panels"`
}

type variable struct{ Name, Type, Query string }

type panel struct {
	ID         int                            `json:"id"`
	Title      string                         `json:"title"`
	Datasource struct{ Type, UID string }     `json:"datasource"`
	GridPos    struct{ H, W, X, Y int }       `json:"gridPos"`
	Targets    []struct{ RefID, Expr string } `json:"targets"`
}

func readBoard(t *testing.T) board {
	t.Helper()
	data, err := os.ReadFile(dashboard)
	if err != nil {
		t.Fatal(err)
	}
	var b board
	if err := json.Unmarshal(data, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDashboard: every panel asks the data source that people choose, by queries that Prometheus understands, and none hides another.
func TestDashboard(t *testing.T) {
	b := readBoard(t)
	if b.UID == "" || b.Title == "" {
		t.Errorf("uid %q, title %q", b.UID, b.Title)
	}
	if !slices.ContainsFunc(b.Templating.List, func(v variable) bool {
		return v.Name == "datasource" && v.Type == "datasource" && v.Query == "prometheus"
	}) {
		t.Errorf("no variable datasource among %+v", b.Templating.List)
	}
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	for _, p := range b.Panels {
		if ids[p.ID] {
			t.Errorf("two panels have the id %d", p.ID)
		}
		ids[p.ID] = true
		if p.Datasource.UID != "${datasource}" || p.Datasource.Type != "prometheus" || len(p.Targets) == 0 {
			t.Errorf("%s asks %+v %d times", p.Title, p.Datasource, len(p.Targets))
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other, ok := taken[[2]int{x, y}]; ok || x >= 24 {
					t.Fatalf("%s lies over %q, or outside of the 24 columns", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

// TestMetricsAreShownAndTold: what the server counts is in the dashboard, in the alerts and in docs/operations.md, and nothing is there that it does not count.
func TestMetricsAreShownAndTold(t *testing.T) {
	counted := counted(t)
	shown := map[string]bool{}
	for _, p := range readBoard(t).Panels {
		for _, target := range p.Targets {
			metricsOf(t, target.Expr, shown)
		}
	}
	alerted := map[string]bool{}
	for _, rule := range read(t) {
		metricsOf(t, rule.Expr, alerted)
	}
	told := map[string]bool{}
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`daprise_[a-z_]+`).FindAllString(string(text), -1) {
		told[name] = true
	}
	for where, found := range map[string]map[string]bool{"the dashboard": shown, "the alerts": alerted, "docs/operations.md": told} {
		for name := range found {
			if !counted[name] {
				t.Errorf("%s: nothing counts %s", where, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(counted)) {
			if !found[name] {
				t.Errorf("%s does not know %s", where, name)
			}
		}
	}
}

// metricsOf adds the metrics of daprise that an expression asks for.
func metricsOf(t *testing.T, expr string, into map[string]bool) {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Errorf("%s: %v", expr, err)
		return
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		for _, m := range selector.LabelMatchers {
			if m.Name == labels.MetricName && strings.HasPrefix(m.Value, "daprise_") {
				into[strings.TrimSuffix(m.Value, "_bucket")] = true
			}
		}
		return nil
	})
}

// counted are the metrics that the server's code names.
func counted(t *testing.T) map[string]bool {
	t.Helper()
	name := regexp.MustCompile(`"(daprise_[a-z_]+)"`)
	all := map[string]bool{}
	for _, folder := range []string{"webhook", "controller", filepath.Join("cmd", "daprise-webhook")} {
		err := filepath.WalkDir(filepath.Join("..", "..", folder), func(file string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
				return err
			}
			data, err := os.ReadFile(file)
			for _, match := range name.FindAllSubmatch(data, -1) {
				all[string(match[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(fmt.Errorf("look for metrics: %w", err))
		}
	}
	if len(all) == 0 {
		t.Fatal("the server counts nothing")
	}
	return all
}
