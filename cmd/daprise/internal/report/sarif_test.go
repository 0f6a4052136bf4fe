// SPDX-License-Identifier: Apache-2.0

package report_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/cmd/daprise/internal/document"
	"github.com/daprise/daprise/cmd/daprise/internal/report"
	"github.com/daprise/daprise/mesh"
)

// TestSARIFPlaces: a place in SARIF is a URI reference and a region that counts from 1; what is in a cluster has none. hack/sarif holds the
// whole against the schema.
func TestSARIFPlaces(t *testing.T) {
	for _, test := range []struct {
		name, file   string
		line, column int
		want         string
	}{
		{"a file", "deploy/app.yaml", 3, 5, `[{"physicalLocation":{"artifactLocation":{"uri":"deploy/app.yaml"},"region":{"startLine":3,"startColumn":5}}}]`},
		{"a line alone", "app.yaml", 3, 0, `[{"physicalLocation":{"artifactLocation":{"uri":"app.yaml"},"region":{"startLine":3}}}]`},
		{"no line", "app.yaml", 0, 0, `[{"physicalLocation":{"artifactLocation":{"uri":"app.yaml"}}}]`},
		{"a space", "my apps/50%.yaml", 1, 1, `[{"physicalLocation":{"artifactLocation":{"uri":"my%20apps/50%25.yaml"},"region":{"startLine":1,"startColumn":1}}}]`},
		{"a colon", "a:b.yaml", 1, 1, `[{"physicalLocation":{"artifactLocation":{"uri":"./a:b.yaml"},"region":{"startLine":1,"startColumn":1}}}]`},
		{"a URL", "https://example.com/a%20b.yaml", 1, 1, `[{"physicalLocation":{"artifactLocation":{"uri":"https://example.com/a%20b.yaml"},"region":{"startLine":1,"startColumn":1}}}]`},
		{"standard input", "-", 1, 1, `[{"physicalLocation":{"artifactLocation":{"uri":"-"},"region":{"startLine":1,"startColumn":1}}}]`},
		{"a cluster", "", 0, 0, `null`},
	} {
		t.Run(test.name, func(t *testing.T) {
			problem := document.Problem{File: test.file, Line: test.line, Column: test.column, Document: "document 1", Message: "x"}
			finding := report.Finding{Finding: mesh.Finding{Code: mesh.CodeNotIsolated, Severity: mesh.Deny}, File: test.file, Line: test.line, Column: test.column}
			var out bytes.Buffer
			r := report.Report{Problems: []document.Problem{problem}, Findings: []report.Finding{finding}}
			if err := report.Write(&out, r, report.SARIF, report.Plain); err != nil {
				t.Fatal(err)
			}
			var log struct {
				Runs []struct {
					Results     []struct{ Locations []map[string]any }
					Invocations []struct {
						ToolExecutionNotifications []struct{ Locations json.RawMessage }
					}
				}
			}
			if err := json.Unmarshal(out.Bytes(), &log); err != nil {
				t.Fatal(err)
			}
			got := bytes.Buffer{}
			if told := log.Runs[0].Invocations[0].ToolExecutionNotifications[0].Locations; told == nil {
				got.WriteString("null")
			} else if err := json.Compact(&got, told); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if result := log.Runs[0].Results[0].Locations; (len(result) > 0) != (test.file != "") {
				t.Errorf("the finding's place is %v", result)
			}
		})
	}
}
