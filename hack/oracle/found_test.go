// SPDX-License-Identifier: Apache-2.0

package oracle_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/hack/oracle"
	"github.com/daprise/daprise/mesh/policy"
)

// TestDifferentialFound asks Cilium's engine for the flows of mesh/policy/testdata/cilium, which has what was found to differ once.
func TestDifferentialFound(t *testing.T) {
	files, err := filepath.Glob("../../mesh/policy/testdata/cilium/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, policies, _ := strings.Cut(string(data), "\n---\n")
			var want struct {
				Flows []struct {
					policy.Flow
					Ingress  bool   `json:"ingress"`
					Egress   bool   `json:"egress"`
					Unjudged string `json:"unjudged"`
				} `json:"flows"`
			}
			if err := yaml.Unmarshal([]byte(head), &want); err != nil {
				t.Fatal(err)
			}
			n := newTally(t)
			objects := groupsIn(t, policies)
			for _, tree := range policiesIn(policies) {
				name, _ := tree["metadata"].(map[string]any)["name"].(string)
				object, ok := typed(tree, name)
				if !ok {
					t.Fatalf("cannot decode %s", name)
				}
				objects = append(objects, object)
			}
			set, engine := compare(t, objects, n)
			for _, f := range want.Flows {
				one(t, objects, set, engine, f.Flow, n)
				ingress, egress, err := engine.Verdict(f.Flow)
				if err != nil && !errors.Is(err, oracle.ErrConflict) {
					t.Fatal(err)
				}
				if f.Unjudged == "" && (err != nil || ingress != f.Ingress || egress != f.Egress) {
					t.Errorf("%s to %s on %d/%s: Cilium says ingress %v, egress %v (%v), want %v, %v",
						f.From, f.To, f.Port, f.Protocol, ingress, egress, err, f.Ingress, f.Egress)
				}
			}
		})
	}
}

// groupsIn are the CiliumCIDRGroups of a file.
func groupsIn(t *testing.T, file string) []any {
	t.Helper()
	var groups []any
	for _, part := range strings.Split(file, "\n---\n") {
		if !strings.Contains(part, "kind: CiliumCIDRGroup\n") {
			continue
		}
		group := &ciliumv2.CiliumCIDRGroup{}
		if err := yaml.Unmarshal([]byte(part), group); err != nil {
			t.Fatal(err)
		}
		groups = append(groups, group)
	}
	return groups
}
