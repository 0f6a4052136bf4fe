// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/validate/catalog"
)

// declared are the codes of mesh/codes.go, by constant, as the compiler sees them.
func declared(t *testing.T) map[string]mesh.Code {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../mesh/codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string]mesh.Code{}
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			codes[spec.Names[0].Name] = mesh.Code(value)
		}
		return true
	})
	return codes
}

// TestComplete: every code has exactly one rule, which says everything, and mesh.Codes lists each once, in order.
func TestComplete(t *testing.T) {
	var want, have []mesh.Code
	for _, code := range declared(t) {
		want = append(want, code)
	}
	slices.Sort(want)
	for _, r := range catalog.Rules() {
		have = append(have, r.Code)
		for name, text := range map[string]string{"title": r.Title, "means": r.Means, "why": r.Why, "mend": r.Mend} {
			if text == "" || text != strings.TrimSpace(text) || strings.Contains(text, "\n") {
				t.Errorf("%s: %s is %q", r.Code, name, text)
			}
		}
		if strings.HasSuffix(r.Title, ".") || !strings.HasSuffix(r.Means, ".") || !strings.HasSuffix(r.Why, ".") {
			t.Errorf("%s: a title has no full stop, a sentence has one", r.Code)
		}
	}
	if len(want) < 39 {
		t.Errorf("only %d codes found in mesh/codes.go", len(want))
	}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("codes of the catalogue (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, mesh.Codes()); diff != "" {
		t.Errorf("mesh.Codes (-want +got):\n%s", diff)
	}
}

// TestSeverity: what warns can be suppressed, and what is not able to warn refuses.
func TestSeverity(t *testing.T) {
	for _, r := range catalog.Rules() {
		switch {
		case r.Severity == mesh.Warn && !r.Code.Warns():
			t.Errorf("%s warns, and mesh says that it never does", r.Code)
		case r.Severity != mesh.Warn && r.Severity != mesh.Deny:
			t.Errorf("%s has severity %q", r.Code, r.Severity)
		}
	}
}

// TestExamplesWhereThereIsARule: a code has an example if and only if something that decides gives it.
func TestExamplesWhereThereIsARule(t *testing.T) {
	var source strings.Builder
	for _, pattern := range []string{"../../mesh/*.go", "../../mesh/policy/*.go", "../../mesh/companion/*.go", "../../mutate/*.go", "../*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, "mesh/codes.go") || strings.HasSuffix(file, "enrolment_coverage.go") {
				continue
			}
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(data)
		}
	}
	for constant, code := range declared(t) {
		rule, _ := catalog.Find(code)
		if given := strings.Contains(source.String(), constant); given != (rule.Example != "") {
			t.Errorf("%s: given by a rule %t, example %q", code, given, rule.Example)
		}
	}
}

func TestFind(t *testing.T) {
	if r, ok := catalog.Find("DPR304"); !ok || r.Title != "App ID is taken" {
		t.Errorf("got %+v, %t", r, ok)
	}
	if r, ok := catalog.Find("DPR999"); ok {
		t.Errorf("got %+v", r)
	}
}
