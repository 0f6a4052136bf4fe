// SPDX-License-Identifier: Apache-2.0

package rules_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/hack/gen/rules"
	"github.com/daprise/daprise/mesh"
)

var update = flag.Bool("update", false, "write docs/rules.md instead of comparing with it")

// TestPageIsCurrent: docs/rules.md is what the catalogue says today.
func TestPageIsCurrent(t *testing.T) {
	page, err := rules.Render()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("..", "..", "..", filepath.FromSlash(rules.Path))
	if *update {
		if err := os.WriteFile(path, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), string(page)); diff != "" {
		t.Errorf("%s is stale: run go test ./hack/gen/rules -update (-committed +rendered):\n%s", rules.Path, diff)
	}
}

func TestEveryCodeHasItsPlace(t *testing.T) {
	page, err := rules.Render()
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range mesh.Codes() {
		heading := "\n### " + string(code) + ": "
		row := "| [" + string(code) + "](#" + strings.ToLower(string(code)) + ") |"
		if strings.Count(string(page), heading) != 1 || strings.Count(string(page), row) != 1 {
			t.Errorf("%s has not one section and one row", code)
		}
	}
}
