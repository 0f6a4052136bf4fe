// SPDX-License-Identifier: Apache-2.0

package admission_test

import "strings"

// in puts a manifest of this file into a namespace.
func in(ns, manifest string) string { return strings.ReplaceAll(manifest, "NAMESPACE", ns) }

// The smallest whole mesh: a Gateway, an app, their policies and a route.
const (
	gateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: default-gateway
  namespace: NAMESPACE
  annotations: {daprise.dev/enabled: "true", dapr.io/app-id: ingress}
spec:
  gatewayClassName: cilium
  listeners: [{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: Same}}}]
`
	service = `apiVersion: v1
kind: Service
metadata:
  name: whoami
  namespace: NAMESPACE
  annotations: {daprise.dev/enabled: "true"}
spec:
  selector: {app: whoami}
  ports: [{name: http, port: 80, targetPort: 8080}]
`
	plainService = `apiVersion: v1
kind: Service
metadata:
  name: whoami
  namespace: NAMESPACE
spec:
  selector: {app: whoami}
  ports: [{name: http, port: 80, targetPort: 8080}]
`
	policies = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: to-ingress, namespace: NAMESPACE}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: ingress}}
  ingress:
  - fromEntities: [ingress]
    toPorts: [{ports: [{port: "3500", protocol: TCP}]}]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: to-whoami, namespace: NAMESPACE}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  ingress:
  - fromEndpoints: [{matchLabels: {dapr.io/app-id: ingress}}]
    toPorts: [{ports: [{port: "50002", protocol: TCP}]}]
`
	route = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: whoami-route, namespace: NAMESPACE}
spec:
  parentRefs: [{name: default-gateway}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /}}]
    backendRefs: [{name: whoami, port: 80}]
`
)
