// SPDX-License-Identifier: Apache-2.0

// Package surroundings_test runs daprise beside a Dapr of another version and leaves encryption to Cilium (dapr.encryption: cilium), on a
// real API server.
package surroundings_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/policy/api"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/test/cluster"
	"github.com/daprise/daprise/test/controlplane"
)

const config = `apiVersion: config.daprise.dev/v1alpha1
kind: DapriseConfiguration
dapr: {encryption: cilium}
`

// operator is all that is looked at of Dapr's control plane.
const operator = `apiVersion: apps/v1
kind: Deployment
metadata: {name: dapr-operator, namespace: dapr-system}
spec:
  selector: {matchLabels: {app: dapr-operator}}
  template:
    metadata: {labels: {app: dapr-operator}}
    spec: {containers: [{name: dapr-operator, image: "ghcr.io/dapr/operator:1.17.4"}]}
`

const mesh = `apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {daprise.dev/policies: generate}}
---
apiVersion: v1
kind: Service
metadata: {name: whoami, namespace: shop, annotations: {daprise.dev/enabled: "true", daprise.dev/callers: cart}}
spec: {selector: {app: whoami}, ports: [{name: http, port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: default-gateway, namespace: shop, annotations: {daprise.dev/enabled: "true", dapr.io/app-id: ingress}}
spec: {gatewayClassName: cilium, listeners: [{name: http, port: 80, protocol: HTTP}]}
`

// TestSurroundings: without Dapr's mTLS companions start only where cilium-config shows that Cilium encrypts and authenticates; then
// policies ask for authentication between companions, and never of a reserved peer.
func TestSurroundings(t *testing.T) {
	c, err := cluster.Start(t.Context(), cluster.Options{ControlPlane: controlplane.Options{Log: os.Stderr}, Config: config, NoDaprise: true})
	if err != nil {
		t.Fatal(err)
	}
	c.StopAfter(t)
	if err := c.Apply(t.Context(), []byte(operator)); err != nil {
		t.Fatal(err)
	}
	if err := c.Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(c.ServerLog())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(log), "Cilium deprecates mutual authentication") {
		t.Errorf("the server does not say what the setting means:\n%s", log)
	}
	out, err := c.KubectlIn(t.Context(), []byte(mesh), "apply", "-f", "-")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.Stderr, "Warning") || !strings.Contains(out.Stderr, "DPR403") {
		t.Errorf("nothing is said of encryption:\n%s", out.Stderr)
	}
	await(t, c, "service/whoami", "Companion=False Held")
	settings(t, c, `"enable-wireguard":"true"`)
	await(t, c, "service/whoami", "mesh-auth-mutual-enabled")
	if found := workload(t, c); found != nil {
		t.Fatalf("a companion runs without mTLS and without encryption: %v", found.Name)
	}
	settings(t, c, `"mesh-auth-enabled":"true","mesh-auth-mutual-enabled":"true"`)
	await(t, c, "service/whoami", "Companion=True Ready")
	await(t, c, "gateway/default-gateway", "Companion=True Ready")
	// What is told of Dapr's version stops nothing.
	await(t, c, "service/whoami", "Dapr's control plane runs 1.17.4, and companions are made for 1.18.2")
	if slices.Contains(workload(t, c).Spec.Template.Spec.Containers[0].Args, "--enable-mtls") {
		t.Error("the companion runs with Dapr's mTLS")
	}
	if asked := authenticated(t, c, "whoami-dapr"); !asked[false] || asked[true] {
		t.Errorf("authentication on whoami-dapr: of companions %v, of reserved peers %v", asked[false], asked[true])
	}
	if asked := authenticated(t, c, "ingress-dapr"); asked[true] {
		t.Error("the gateway, which is a reserved peer, is asked for authentication")
	}

	// What runs goes on if Cilium's settings change, and nothing new starts.
	settings(t, c, `"enable-wireguard":"false"`)
	if _, err := c.KubectlIn(t.Context(), []byte(strings.ReplaceAll(service, "whoami", "late")), "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	await(t, c, "service/late", "Companion=False Held")
	await(t, c, "service/whoami", "Companion=True Ready")
}

const service = `apiVersion: v1
kind: Service
metadata: {name: whoami, namespace: shop, annotations: {daprise.dev/enabled: "true"}}
spec: {selector: {app: whoami}, ports: [{name: http, port: 80}]}
`

// settings changes cilium-config.
func settings(t *testing.T, c *cluster.Cluster, data string) {
	t.Helper()
	if _, err := c.Kubectl(t.Context(), "patch", "-n", "kube-system", "configmap", "cilium-config", "--type=merge", "-p", `{"data":{`+data+`}}`); err != nil {
		t.Fatal(err)
	}
}

// await waits until a line "Type=Status Reason: message" of an object's conditions contains a text.
func await(t *testing.T, c *cluster.Cluster, object, want string) {
	t.Helper()
	const format = `jsonpath={range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\n"}{end}`
	cluster.Eventually(t, func() error {
		out, err := c.Kubectl(t.Context(), "get", "-n", "shop", object, "-o", format)
		if err == nil && !strings.Contains(out.Stdout, want) {
			err = fmt.Errorf("%s has no condition with %q but\n%s", object, want, out.Stdout)
		}
		return err
	})
}

func workload(t *testing.T, c *cluster.Cluster) *appsv1.Deployment {
	t.Helper()
	d := &appsv1.Deployment{}
	err := c.Client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: "whoami-dapr"}, d)
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	if err != nil {
		return nil
	}
	return d
}

// authenticated tells of whom a generated policy asks authentication: of reserved peers (true), of others (false).
func authenticated(t *testing.T, c *cluster.Cluster, name string) map[bool]bool {
	t.Helper()
	p := &ciliumv2.CiliumNetworkPolicy{}
	if err := c.Client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: name}, p); err != nil {
		t.Fatal(err)
	}
	asked := map[bool]bool{}
	for _, rule := range p.Spec.Ingress {
		if rule.Authentication != nil && rule.Authentication.Mode == api.AuthenticationModeRequired {
			asked[len(rule.FromEntities) > 0] = true
		}
	}
	return asked
}
