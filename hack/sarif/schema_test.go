// SPDX-License-Identifier: Apache-2.0

package sarif

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	// What it is here for is its source: it keeps the schema to itself.
	_ "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/xeipuuv/gojsonschema"
)

const library = "github.com/owenrumney/go-sarif/v3"

// schema is that of SARIF 2.1.0, errata 01.
func schema(t *testing.T) *gojsonschema.Schema {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", library).Output()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(strings.TrimSpace(string(dir)), "pkg", "report", "v210", "sarif", "schema.go")
	syntax, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	ast.Inspect(syntax, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && spec.Names[0].Name == "schema" {
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
				text, err = strconv.Unquote(literal.Value)
			}
		}
		return true
	})
	if err != nil || !strings.Contains(text, "SARIF) Version 2.1.0") {
		t.Fatalf("no schema of SARIF 2.1.0 in %s: %v", file, err)
	}
	s, err := gojsonschema.NewSchema(gojsonschema.NewStringLoader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// faults are what a schema says against a document.
func faults(t *testing.T, s *gojsonschema.Schema, document []byte) []string {
	t.Helper()
	result, err := s.Validate(gojsonschema.NewBytesLoader(document))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, e := range result.Errors() {
		found = append(found, e.String())
	}
	return found
}

// written are SARIF logs that daprise writes: of a golden of the CLI with findings, and of inputs with unreadable documents and with none.
func written(t *testing.T) map[string][]byte {
	t.Helper()
	golden, err := os.ReadFile("../../cmd/daprise/testdata/analyze-sarif/stdout")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{"with findings": golden}
	for name, input := range map[string]string{
		"with problems":    "kind: Service\n a: b: c\n---\n- a\n",
		"without anything": "",
		"a suppression":    "apiVersion: v1\nkind: Service\nmetadata: {name: a, annotations: {daprise.dev/suppress: x}}\n",
	} {
		var out, errs bytes.Buffer
		run := exec.CommandContext(t.Context(), "go", "run", "./cmd/daprise", "analyze", "-o", "sarif", "-f", "-", "--suppress", "DPR110=probes until 2020-01-31")
		run.Dir, run.Stdin, run.Stdout, run.Stderr = "../..", strings.NewReader(input), &out, &errs
		// Its exit status tells what was found, and is not of interest here.
		if err := run.Run(); err != nil && out.Len() == 0 {
			t.Fatalf("%v: %s", err, errs.String())
		}
		all[name] = out.Bytes()
	}
	return all
}

func TestWhatIsWrittenIsSARIF(t *testing.T) {
	s := schema(t)
	for name, log := range written(t) {
		for _, fault := range faults(t, s, log) {
			t.Errorf("%s: %s", name, fault)
		}
	}
}

// TestTheSchemaRefuses: what is not SARIF is told.
func TestTheSchemaRefuses(t *testing.T) {
	golden, err := os.ReadFile("../../cmd/daprise/testdata/analyze-sarif/stdout")
	if err != nil {
		t.Fatal(err)
	}
	s := schema(t)
	for _, test := range []struct {
		name  string
		tweak func(run map[string]any)
	}{
		{"another level", func(run map[string]any) { run["results"].([]any)[0].(map[string]any)["level"] = "deny" }},
		{"a key of ours", func(run map[string]any) { run["findings"] = []any{} }},
		{"no message", func(run map[string]any) { delete(run["results"].([]any)[0].(map[string]any), "message") }},
		{"line 0", func(run map[string]any) {
			location := run["results"].([]any)[0].(map[string]any)["locations"].([]any)[0].(map[string]any)
			location["physicalLocation"].(map[string]any)["region"].(map[string]any)["startLine"] = 0
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var log map[string]any
			if err := json.Unmarshal(golden, &log); err != nil {
				t.Fatal(err)
			}
			test.tweak(log["runs"].([]any)[0].(map[string]any))
			data, err := json.Marshal(log)
			if err != nil {
				t.Fatal(err)
			}
			if len(faults(t, s, data)) == 0 {
				t.Error("the schema has nothing against it")
			}
		})
	}
}
