// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// noopHooks are a mutating and a validating webhook for the same kinds as daprise's, which allow everything.
const noopHooks = `apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: bench-noop}
webhooks:
- name: mutate.noop.example.com
  clientConfig: {url: "URL", caBundle: CA}
  rules: [{apiGroups: [gateway.networking.k8s.io], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [httproutes]}]
  namespaceSelector: {matchLabels: {bench: noop}}
  sideEffects: None
  admissionReviewVersions: [v1]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: bench-noop}
webhooks:
- name: validate.noop.example.com
  clientConfig: {url: "URL", caBundle: CA}
  rules: [{apiGroups: [gateway.networking.k8s.io], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [httproutes]}]
  namespaceSelector: {matchLabels: {bench: noop}}
  sideEffects: None
  admissionReviewVersions: [v1]
`

// inTreePolicies do what CEL can do of it: rewrite a route of one rule and one match to a companion whose name is written into the policy, and
// refuse a route that goes past it. They know no apps, no readiness, no coverage and no undoing.
const inTreePolicies = `apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: bench}
spec:
  failurePolicy: Fail
  reinvocationPolicy: Never
  matchConstraints:
    namespaceSelector: {matchLabels: {bench: policies}}
    resourceRules: [{apiGroups: [gateway.networking.k8s.io], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [httproutes]}]
  matchConditions:
  - {name: direct, expression: "object.spec.rules.exists(r, r.backendRefs.exists(b, !b.name.endsWith('-dapr')))"}
  mutations:
  - patchType: JSONPatch
    jsonPatch:
      expression: >-
        [JSONPatch{op: "replace", path: "/spec/rules/0/backendRefs/0/name", value: "ingress-dapr"},
         JSONPatch{op: "replace", path: "/spec/rules/0/backendRefs/0/port", value: 3500},
         JSONPatch{op: "add", path: "/spec/rules/0/filters", value: [
           {"type": dyn("URLRewrite"), "urlRewrite": dyn({"path": {"type": "ReplacePrefixMatch",
             "replacePrefixMatch": "/v1.0/invoke/whoami.default/method" + object.spec.rules[0].matches[0].path.value}})},
           {"type": dyn("RequestHeaderModifier"), "requestHeaderModifier": dyn({"remove":
             ["dapr-api-token", "dapr-app-id", "dapr-callee-app-id", "dapr-caller-app-id", "dapr-caller-namespace"]})}]}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: bench}
spec: {policyName: bench}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: bench}
spec:
  failurePolicy: Fail
  matchConstraints:
    namespaceSelector: {matchLabels: {bench: policies}}
    resourceRules: [{apiGroups: [gateway.networking.k8s.io], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [httproutes]}]
  validations:
  - expression: "object.spec.rules.all(r, r.backendRefs.all(b, b.name.endsWith('-dapr')))"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: bench}
spec: {policyName: bench, validationActions: [Deny]}
`

// enrolled is the whoami example, enrolled, in the lane of daprise.
const enrolled = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: default-gateway, namespace: NAMESPACE, annotations: {daprise.dev/enabled: "true", dapr.io/app-id: ingress}}
spec: {gatewayClassName: cilium, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: v1
kind: Service
metadata: {name: whoami, namespace: NAMESPACE, annotations: {daprise.dev/enabled: "true"}}
spec: {selector: {app: whoami}, ports: [{name: http, port: 80, targetPort: 8080}]}
`

// plainExample is the whoami example without daprise, in a namespace that daprise looks after.
const plainExample = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: default-gateway, namespace: bench-aside}
spec: {gatewayClassName: cilium, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: v1
kind: Service
metadata: {name: whoami, namespace: bench-aside}
spec: {selector: {app: whoami}, ports: [{name: http, port: 80, targetPort: 8080}]}
`

// exampleOf is the example with its policies for the lane of that name.
func exampleOf(name string, all []*lane) (string, error) {
	policies, err := os.ReadFile(filepath.Join("examples", "whoami", "04-policies.yaml"))
	if err != nil {
		return "", fmt.Errorf("read the example's policies: %w", err)
	}
	for _, l := range all {
		if l.name == name {
			manifest := strings.ReplaceAll(enrolled, "NAMESPACE", l.namespace) + "---\n" + string(policies)
			return strings.ReplaceAll(manifest, "namespace: default", "namespace: "+l.namespace), nil
		}
	}
	return "", fmt.Errorf("no lane %s", name)
}

// gatewayToIngress lets the gateway alone reach an ingress companion.
func gatewayToIngress(namespace, id string) []string {
	return []string{strings.NewReplacer("NAMESPACE", namespace, "ID", id).Replace(`apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: gateway-to-ID, namespace: NAMESPACE}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: ID}}
  ingress: [{fromEntities: [ingress], toPorts: [{ports: [{port: "3500", protocol: TCP}]}]}]
`)}
}

// ingressToApp are the two policies of an app: its companion is for the ingress companion of infra and its own pods, its pods are for its
// companion.
func ingressToApp(namespace, id string) []string {
	fill := strings.NewReplacer("NAMESPACE", namespace, "ID", id, "INFRA", infra)
	return []string{
		fill.Replace(`apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: ingress-to-ID, namespace: NAMESPACE}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: ID}}
  ingress:
  - fromEndpoints: [{matchLabels: {dapr.io/app-id: ingress, "k8s:io.kubernetes.pod.namespace": INFRA}}]
    toPorts: [{ports: [{port: "50002", protocol: TCP}]}]
  - fromEndpoints: [{matchLabels: {app: ID}}]
    toPorts: [{ports: [{port: "3500", protocol: TCP}, {port: "50001", protocol: TCP}]}]
`),
		fill.Replace(`apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: companion-to-ID, namespace: NAMESPACE}
spec:
  endpointSelector: {matchLabels: {app: ID}}
  ingress: [{fromEndpoints: [{matchLabels: {dapr.io/app-id: ID}}], toPorts: [{ports: [{port: "80", protocol: TCP}]}]}]
`),
	}
}
