// SPDX-License-Identifier: Apache-2.0

package mutate_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

// TestRouteGoldensComplete wants a golden for every code about routes, and no file that no test reads.
func TestRouteGoldensComplete(t *testing.T) {
	said := map[mesh.Code]bool{}
	for _, c := range routeCases(t) {
		result, err := mutate.Route(c.request, c.view)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range result.Findings {
			said[f.Code] = true
		}
		entries, err := os.ReadDir(c.folder)
		if err != nil {
			t.Fatal(err)
		}
		known := []string{"in.yaml", "view.yaml", "old.yaml", "out.yaml", "error.txt", "warnings.txt", "restored.yaml"}
		for _, entry := range entries {
			if !slices.Contains(known, entry.Name()) {
				t.Errorf("no test reads %s", filepath.Join(c.folder, entry.Name()))
			}
		}
	}
	for _, code := range mesh.Codes() {
		if strings.HasPrefix(string(code), "DPR2") && !said[code] {
			t.Errorf("no golden says %s", code)
		}
	}
}

// TestRouteRefusedRatchet wants what is refused of a new route to be admitted, with a warning and unchanged in its rules, where it is
// stored already and an update does not touch it: nobody must be kept from changing a label.
func TestRouteRefusedRatchet(t *testing.T) {
	for _, c := range routeCases(t) {
		before, err := mutate.Route(c.request, c.view)
		if err != nil {
			t.Fatal(err)
		}
		if !mesh.Denied(before.Findings) {
			continue
		}
		t.Run(filepath.Base(c.folder), func(t *testing.T) {
			result, err := mutate.Route(mutate.Request{Kind: c.request.Kind, Object: c.request.Object, OldObject: c.request.Object}, c.view)
			if err != nil {
				t.Fatal(err)
			}
			if mesh.Denied(result.Findings) {
				t.Fatalf("refused: %v", texts(result.Findings))
			}
			if len(result.Findings) == 0 {
				t.Error("admitted without a warning")
			}
			stored := applied(t, c.request.Object, result)
			if diff := cmp.Diff(rulesOf(t, c.request.Object), rulesOf(t, stored)); diff != "" && judgesRules(before.Findings) {
				t.Errorf("the rules changed (-before +after):\n%s", diff)
			}
		})
	}
}

// judgesRules says whether refusals are about the rules: those about annotations mean that the annotation means nothing, and rules whose
// ReferenceGrant is missing are restored.
func judgesRules(findings []mesh.Finding) bool {
	return slices.ContainsFunc(findings, func(f mesh.Finding) bool {
		return f.Severity == mesh.Deny && f.Code != mesh.CodeGrantMissing && f.Code != mesh.CodeUnknownKey && f.Code != mesh.CodeBadValue
	})
}
