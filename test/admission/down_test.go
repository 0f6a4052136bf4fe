// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"fmt"
	"strings"
	"testing"
)

const grpcRoute = `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: calls, namespace: NAMESPACE}
spec:
  parentRefs: [{name: default-gateway}]
  rules: [{backendRefs: [{name: whoami, port: 80}]}]
`

const otherPolicies = `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: emergency, namespace: NAMESPACE}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: {name: emergency}
spec: {endpointSelector: {matchLabels: {emergency: "true"}}, ingressDeny: [{fromEntities: [all]}]}
`

const fail = "failed calling webhook"

// TestWhileDown: what is refused and what is admitted while no replica answers, line by line as docs/operations.md says it. The dry runs call webhooks and
// policies as writes do.
func TestWhileDown(t *testing.T) {
	const ns, exempt = "down", "down-exempt"
	mesh(t, ns)
	namespace(t, exempt, "daprise.dev/admission=disabled")
	if err := shared.StopServer(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { startServer(t) })
	annotated := strings.Replace(deployment, "namespace: NAMESPACE", `namespace: NAMESPACE, annotations: {daprise.dev/service: whoami}`, 1)
	tests := []struct {
		name, namespace, documents string
		// refused is what a refusal says; empty is an admission.
		refused string
	}{
		{"an annotated Service", ns, strings.ReplaceAll(service, "whoami", "other"), fail},
		{"an annotated Deployment", ns, annotated, fail},
		{"an annotated Gateway", ns, strings.ReplaceAll(gateway, "default-gateway", "other"), fail},
		{"the same in an exempt namespace", exempt, service + "---\n" + annotated + "---\n" + gateway, ""},
		{"a Service, a Deployment and a Gateway without", ns, strings.ReplaceAll(plainService, "whoami", "other") + "---\n" + deployment + "---\n" +
			strings.ReplaceAll(strings.ReplaceAll(gateway, "default-gateway", "other"), `daprise.dev/enabled: "true", `, ""), ""},
		{"an HTTPRoute", ns, strings.ReplaceAll(route, "whoami-route", "other"), fail},
		{"a GRPCRoute", ns, grpcRoute, fail},
		{"routes in an exempt namespace", exempt, route + "---\n" + grpcRoute, ""},
		{"policies of every kind", ns, strings.ReplaceAll(policies, "50002", "50001") + "---\n" + otherPolicies, ""},
		{"a namespace's labels", ns, "apiVersion: v1\nkind: Namespace\nmetadata: {name: NAMESPACE, labels: {daprise.dev/coverage: warn}}\n", ""},
		{"a pod that says it is a companion", ns, impostor, "daprise-companion-label"},
		{"the same in an exempt namespace", exempt, impostor, "daprise-companion-label"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := shared.KubectlIn(t.Context(), []byte(in(tt.namespace, tt.documents)), "apply", "--dry-run=server", "-f", "-")
			if text := out.Stdout + out.Stderr; (err != nil) != (tt.refused != "") || !strings.Contains(text, tt.refused) {
				t.Errorf("want %q, got %v\n%s", tt.refused, err, text)
			}
		})
	}
	for _, object := range []string{"ciliumnetworkpolicy/to-whoami", "httproute/whoami-route", "service/whoami", "gateway/default-gateway"} {
		t.Run(fmt.Sprintf("deleting %s", object), func(t *testing.T) {
			if _, err := shared.Kubectl(t.Context(), "delete", "--dry-run=server", "-n", ns, object); err != nil {
				t.Error(err)
			}
		})
	}
}
