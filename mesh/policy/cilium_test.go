// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/daprise/daprise/mesh/policy"
)

// answered is a flow and what Cilium's own engine says about it.
type answered struct {
	policy.Flow
	Ingress bool `json:"ingress"`
	Egress  bool `json:"egress"`
	// Unjudged is part of why we give no answer, where Cilium has none or not one alone.
	Unjudged string `json:"unjudged"`
}

// TestCilium holds verdicts to testdata/cilium: what differed from Cilium's engine once, or is easily taken wrong. hack/oracle asks the
// engine for the same files.
func TestCilium(t *testing.T) {
	files, err := filepath.Glob("testdata/cilium/*.yaml")
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
				Flows []answered `json:"flows"`
			}
			decode(t, head, &want)
			set := setOf(t, policies)
			for _, f := range want.Flows {
				got := set.Verdict(f.Flow)
				why := strings.Join(got.Unjudged, "\n")
				if f.Unjudged != "" || why != "" {
					if f.Unjudged == "" || !strings.Contains(why, f.Unjudged) {
						t.Errorf("%s to %s on %d/%s: not judged because of %q, want %q", f.From, f.To, f.Port, f.Protocol, why, f.Unjudged)
					}
					continue
				}
				if got.Ingress != f.Ingress || got.Egress != f.Egress {
					t.Errorf("%s to %s on %d/%s: got ingress %v (%s), egress %v (%s), want %v, %v", f.From, f.To, f.Port, f.Protocol,
						got.Ingress, got.IngressBy.Why, got.Egress, got.EgressBy.Why, f.Ingress, f.Egress)
				}
			}
		})
	}
}

// TestNamesBesideAnotherPolicy holds verdicts on server names and rules for layer 7 of one policy, which Cilium merges alone, to be none with
// those of another for the same port: Cilium meets policies in any order, and in one of the two it cannot merge them.
func TestNamesBesideAnotherPolicy(t *testing.T) {
	const names = `kind: CiliumNetworkPolicy
metadata: {name: names, namespace: default}
spec:
  endpointSelector: {}
  ingress:
  - toPorts:
    - {ports: [{port: "80", protocol: TCP}], serverNames: [example.org]}
    - {ports: [{port: "80", protocol: TCP}], rules: {http: [{method: GET}]}}`
	another := func(toPorts string) string {
		return "kind: CiliumNetworkPolicy\nmetadata: {name: another, namespace: default}\nspec: {endpointSelector: {}, ingress: [{toPorts: [" + toPorts + "]}]}"
	}
	for name, tt := range map[string]struct {
		policies []string
		merged   bool
	}{
		"alone":            {[]string{names}, true},
		"another port":     {[]string{names, another(`{ports: [{port: "81", protocol: TCP}]}`)}, true},
		"the port":         {[]string{names, another(`{ports: [{port: "80", protocol: TCP}]}`)}, false},
		"the port, before": {[]string{another(`{ports: [{port: "80", protocol: TCP}]}`), names}, false},
		"names":            {[]string{another(`{ports: [{port: "80", protocol: TCP}], serverNames: [example.org]}`), names}, false},
		"layer 7":          {[]string{another(`{ports: [{port: "80", protocol: TCP}], rules: {http: [{method: GET}]}}`), names}, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := policy.Endpoint{Namespace: "default", Labels: map[string]string{"app": "a"}}
			got := setOf(t, tt.policies...).Verdict(policy.Flow{From: e, To: e, Port: 80, Protocol: policy.TCP})
			if merged := len(got.Unjudged) == 0; merged != tt.merged {
				t.Errorf("merged: %v (%q), want %v", merged, got.Unjudged, tt.merged)
			}
		})
	}
}
