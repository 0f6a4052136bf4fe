// SPDX-License-Identifier: Apache-2.0

package oracle_test

import (
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/hack/oracle"
	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// TestDifferentialScenario compares the flows of the scenario under its hand-written policies, under a rule that allows nothing, and
// under the policies that daprise generates; want is what must pass.
func TestDifferentialScenario(t *testing.T) {
	gateway := policy.Endpoint{Entity: policy.EntityIngress}
	pod := func(id string, component mesh.Component) policy.Endpoint {
		return policy.Endpoint{Namespace: "default", Labels: mesh.PodLabels(id, component)}
	}
	ingress, whoami := pod("ingress", mesh.ComponentIngress), pod("whoami", mesh.ComponentApp)
	other := policy.Endpoint{Namespace: "default", Labels: map[string]string{"app": "other"}}
	own := policy.Endpoint{Namespace: "default", Labels: map[string]string{"app": "a"}}
	flows := map[string]policy.Flow{
		"F1":               {From: gateway, To: ingress, Port: 3500, Protocol: policy.TCP},
		"F1 on 50001":      {From: gateway, To: ingress, Port: 50001, Protocol: policy.TCP},
		"F2":               {From: ingress, To: whoami, Port: 50002, Protocol: policy.TCP},
		"F4":               {From: own, To: whoami, Port: 3500, Protocol: policy.TCP},
		"other to ingress": {From: other, To: ingress, Port: 3500, Protocol: policy.TCP},
		"other to whoami":  {From: other, To: whoami, Port: 50002, Protocol: policy.TCP},
		"gateway past":     {From: gateway, To: whoami, Port: 50002, Protocol: policy.TCP},
	}
	handWritten := []any{parsed(t, `
metadata: {name: allow-ingress-shared-to-whoami, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  ingress:
  - fromEndpoints: [{matchLabels: {dapr.io/app-id: ingress}}]
    toPorts: [{ports: [{port: "50002", protocol: TCP}]}]
`), parsed(t, `
metadata: {name: allow-ingress-to-ingress-shared, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: ingress}}
  ingress:
  - fromEntities: [ingress]
    toPorts: [{ports: [{port: "3500", protocol: TCP}]}]
`)}
	nothing := []any{parsed(t, `
metadata: {name: nothing, namespace: default}
spec: {endpointSelector: {}, ingress: [{}]}
`)}
	for name, tt := range map[string]struct {
		objects []any
		want    []string
	}{
		"hand-written": {handWritten, []string{"F1", "F2"}},
		"nothing":      {nothing, nil},
		"generated":    {covering(), []string{"F1", "F1 on 50001", "F2", "F4"}},
		"no policy":    {nil, []string{"F1", "F1 on 50001", "F2", "F4", "other to ingress", "other to whoami", "gateway past"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := newTally(t)
			set, engine := compare(t, tt.objects, n)
			pass := map[string]bool{}
			for _, flow := range tt.want {
				pass[flow] = true
			}
			for flow, f := range flows {
				one(t, tt.objects, set, engine, f, n)
				if got := verdict(t, engine, f); got != pass[flow] {
					t.Errorf("%s: Cilium says %v, want %v", flow, got, pass[flow])
				}
			}
		})
	}
}

func verdict(t *testing.T, engine *oracle.Engine, f policy.Flow) bool {
	t.Helper()
	ingress, egress, err := engine.Verdict(f)
	if err != nil {
		t.Fatal(err)
	}
	return ingress && egress
}

func parsed(t *testing.T, doc string) *ciliumv2.CiliumNetworkPolicy {
	t.Helper()
	p := &ciliumv2.CiliumNetworkPolicy{}
	if err := yaml.Unmarshal([]byte(doc), p); err != nil {
		t.Fatal(err)
	}
	return p
}
