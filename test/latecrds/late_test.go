// SPDX-License-Identifier: Apache-2.0

// Package latecrds_test starts daprise in a cluster that has neither Gateway API nor Cilium's nor Dapr's kinds, and installs them later.
package latecrds_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
)

const service = `apiVersion: v1
kind: Service
metadata: {name: whoami, namespace: default, annotations: {daprise.dev/enabled: "true"}}
spec: {selector: {app: whoami}, ports: [{name: http, port: 80, targetPort: 8080}]}
`

const policies = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: to-whoami, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  ingress:
  - fromEndpoints: [{matchLabels: {dapr.io/app-id: ingress}}]
    toPorts: [{ports: [{port: "50002", protocol: TCP}]}]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: to-ingress, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: ingress}}
  ingress:
  - fromEntities: [ingress]
    toPorts: [{ports: [{port: "3500", protocol: TCP}]}]
`

const gatewayAndRoute = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: default-gateway, namespace: default, annotations: {daprise.dev/enabled: "true", dapr.io/app-id: ingress}}
spec: {gatewayClassName: cilium, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: whoami-route, namespace: default}
spec:
  parentRefs: [{name: default-gateway}]
  rules: [{backendRefs: [{name: whoami, port: 80}]}]
`

// TestLateKinds: without a kind nothing wrong is said or made; with it, everything follows by itself.
func TestLateKinds(t *testing.T) {
	c, err := cluster.Start(t.Context(), cluster.Options{
		ControlPlane: controlplane.Options{CRDs: []controlplane.CRDSet{}, Log: os.Stderr},
		Without:      []cluster.Part{cluster.TrustBundle, cluster.CiliumFacts},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.StopAfter(t)

	// Enrolment works; the companion waits for what it needs, and says so.
	apply(t, c, service)
	await(t, c, "service", "whoami", "Companion=False")
	notExists(t, c, "deployment", "whoami-dapr")

	if err := c.InstallCRDs(t.Context(), controlplane.Dapr, controlplane.Cilium); err != nil {
		t.Fatal(err)
	}
	for _, part := range []cluster.Part{cluster.CiliumFacts, cluster.TrustBundle} {
		if err := c.Add(t.Context(), part); err != nil {
			t.Fatal(err)
		}
	}
	// It is open still, so it is held.
	await(t, c, "service", "whoami", "Companion=False Held")
	notExists(t, c, "deployment", "whoami-dapr")
	// A policy that lets in an ingress companion which does not exist: anybody could take its name.
	apply(t, c, policies)
	await(t, c, "service", "whoami", "Covered=False TooBroad")
	notExists(t, c, "deployment", "whoami-dapr")

	if err := c.InstallCRDs(t.Context(), controlplane.GatewayAPIStandard); err != nil {
		t.Fatal(err)
	}
	// The first writes may meet a daprise that has not seen the new kinds yet: what it admits it must mend by itself.
	apply(t, c, gatewayAndRoute)
	await(t, c, "gateway", "default-gateway", "Companion=True Ready")
	await(t, c, "service", "whoami", "Companion=True Ready")
	cluster.Eventually(t, func() error {
		out, err := c.Kubectl(t.Context(), "get", "httproute", "whoami-route", "-o", "jsonpath={.spec.rules}")
		if err == nil && !strings.Contains(out.Stdout, "/v1.0/invoke/whoami.default/method//") {
			err = fmt.Errorf("not rewritten: %s", out.Stdout)
		}
		return err
	})
}

func apply(t *testing.T, c *cluster.Cluster, documents string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		_, err := c.KubectlIn(t.Context(), []byte(documents), "apply", "-f", "-")
		return err
	})
}

func notExists(t *testing.T, c *cluster.Cluster, kind, name string) {
	t.Helper()
	out, err := c.Kubectl(t.Context(), "get", kind, name, "-o", "name", "--ignore-not-found")
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(out.Stdout) != "" {
		t.Errorf("%s %s exists", kind, name)
	}
}

// await waits for a condition, "Type=Status Reason"; a want without a reason takes any.
func await(t *testing.T, c *cluster.Cluster, kind, name, want string) {
	t.Helper()
	const format = `jsonpath={range .status.conditions[*]}{.type}={.status} {.reason}{"\n"}{end}`
	cluster.Eventually(t, func() error {
		out, err := c.Kubectl(context.Background(), "get", kind, name, "-o", format)
		if err != nil {
			return err
		}
		for line := range strings.Lines(out.Stdout) {
			if strings.HasPrefix(line, want) {
				return nil
			}
		}
		return fmt.Errorf("%s %s has no condition %q but\n%s", kind, name, want, out.Stdout)
	})
}
