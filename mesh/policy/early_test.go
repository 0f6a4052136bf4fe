// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// The policy for a GRPCRoute comes before the route, so the gateway may be let in to the ingress companion's gRPC port before one needs it;
// nobody else may.
func TestGRPCPortMayBeOpenedToTheGatewayEarly(t *testing.T) {
	open := func(entity string) string {
		return `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: calls, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: ingress}}
  ingress:
  - fromEntities: [` + entity + `]
    toPorts:
    - ports: [{port: "50001", protocol: TCP}]
`
	}
	for _, c := range []struct {
		name, entity string
		grpc         bool
		want         []mesh.Code
	}{
		{name: "before a GRPCRoute", entity: "ingress"},
		{name: "with one", entity: "ingress", grpc: true},
		{name: "for everybody in the cluster", entity: "cluster", want: []mesh.Code{mesh.CodeTooBroad}},
	} {
		t.Run(c.name, func(t *testing.T) {
			view := world(func(v *mesh.View) { v.Ingresses[0].GRPC = c.grpc })
			var got []mesh.Code
			for _, f := range policy.Ingress(view, setOf(t, allowGatewayToIngress, open(c.entity)), view.Ingresses[0]) {
				got = append(got, f.Code)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("codes (-want +got):\n%s", diff)
			}
		})
	}
}
