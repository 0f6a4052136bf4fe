// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"strings"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

const noEgress = `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: no-egress, namespace: default}
spec:
  podSelector: {}
  policyTypes: [Egress]
`

func generated(v *mesh.View) { v.Namespaces["default"][mesh.LabelPolicies] = "generate" }

// TestOpenings: an opening is there only where a direction is closed already, lets pass the flows, and closes nothing.
func TestOpenings(t *testing.T) {
	ingress, whoami := mesh.AppRef{Namespace: "default", ID: "ingress"}, mesh.AppRef{Namespace: "default", ID: "whoami"}
	for name, tt := range map[string]struct {
		policies []string
		ref      mesh.AppRef
		want     []string
	}{
		"nothing is closed":                     {ref: whoami, policies: []string{allowIngressToWhoami, allowGatewayToIngress}},
		"the app's pods are closed":             {ref: whoami, policies: []string{closedApp}, want: []string{"whoami-dapr-to-whoami: in 8080 8081"}},
		"egress is closed":                      {ref: whoami, policies: []string{noEgress}, want: []string{"whoami-dapr-out: out 53 53 50001 6500 50005 50006 8080 8081 9000"}},
		"egress of an ingress companion":        {ref: ingress, policies: []string{noEgress}, want: []string{"ingress-dapr-out: out 53 53 50001 6500 50005 50006 50002"}},
		"the pods of another namespace":         {ref: whoami, policies: []string{strings.NewReplacer("{app: whoami}", "{app: canary}", "namespace: default", "namespace: shop").Replace(closedApp)}},
		"an app ID that nobody is enrolled as":  {ref: mesh.AppRef{Namespace: "default", ID: "x"}, policies: []string{noEgress}},
		"a closed direction that is open again": {ref: whoami, policies: []string{strings.Replace(closedApp, "from: [{podSelector: {matchLabels: {app: frontend}}}]", "ports: []", 1)}, want: []string{"whoami-dapr-to-whoami: in 8080 8081"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, p := range policy.Openings(world(whoamiPods, generated), setOf(t, tt.policies...), tt.ref) {
				got = append(got, brief(p))
				if *p.Spec.EnableDefaultDeny.Ingress || *p.Spec.EnableDefaultDeny.Egress || len(p.OwnerReferences) != 1 || p.Labels[mesh.LabelInstance] != tt.ref.ID {
					t.Errorf("%s closes, or is nobody's: %+v", p.Name, p)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// brief is a policy's name and the ports of its rules.
func brief(p *ciliumv2.CiliumNetworkPolicy) string {
	words := []string{p.Name + ":"}
	for i, r := range p.Spec.Egress {
		if i == 0 {
			words = append(words, "out")
		}
		for _, port := range r.ToPorts[0].Ports {
			words = append(words, port.Port)
		}
	}
	for _, r := range p.Spec.Ingress {
		words = append(words, "in")
		for _, port := range r.ToPorts[0].Ports {
			words = append(words, port.Port)
		}
	}
	return strings.Join(words, " ")
}

// TestGeneratedPoliciesCover: in a namespace where everything is closed, what daprise writes covers both companions, and lets nobody else in.
func TestGeneratedPoliciesCover(t *testing.T) {
	view := world(whoamiPods, generated)
	set := setOf(t, closedApp, noEgress)
	for _, ref := range []mesh.AppRef{view.Ingresses[0].AppRef, view.Apps[0].AppRef} {
		expected := set.Expected(view, ref)
		findings := policy.App(view, expected, view.Apps[0])
		if ref.ID == "ingress" {
			findings = policy.Ingress(view, expected, view.Ingresses[0])
		}
		if diff := cmp.Diff([]string(nil), texts(findings)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", ref, diff)
		}
	}
	// The app's pods are open to the companion, and to no pod that they were not open to before.
	expected := set.Expected(view, view.Apps[0].AppRef)
	pods := policy.Endpoint{Namespace: "default", Labels: map[string]string{"app": "whoami", "version": "v1"}, Ports: map[string]int32{"http": 8080}}
	allowed := []policy.Source{{Namespace: "default", Labels: map[string]string{"app": "frontend"}}, {Namespace: "default", Labels: map[string]string{mesh.LabelCompanion: "whoami"}}}
	if leaks := expected.Exposure(pods, 8080, allowed, view.Namespaces).Leaks; len(leaks) > 0 {
		t.Errorf("others get in: %v", leaks)
	}
	for _, p := range policy.Openings(view, set, view.Apps[0].AppRef) {
		data, err := yaml.Marshal(p)
		if reason, void := policy.CompileCNP(p).Void(); err != nil || void {
			t.Errorf("Cilium would not take it: %s %v\n%s", reason, err, data)
		}
	}
}
