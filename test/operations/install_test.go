// SPDX-License-Identifier: Apache-2.0

package operations_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/test/cluster"
)

// documents decodes YAML documents, without empty ones.
func documents(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for document := range strings.SplitSeq("\n"+text, "\n---") {
		object := map[string]any{}
		if err := yaml.Unmarshal([]byte(document), &object); err != nil {
			t.Fatalf("%v in:\n%s", err, document)
		}
		if len(object) > 0 {
			all = append(all, &unstructured.Unstructured{Object: object})
		}
	}
	return all
}

// kustomized is what a folder of deploy/ says.
func kustomized(t *testing.T, folder string) []*unstructured.Unstructured {
	t.Helper()
	return kustomizedIn(t, root, folder)
}

// kustomizedIn is what a folder of deploy/ says in another tree of this repository.
func kustomizedIn(t *testing.T, tree, folder string) []*unstructured.Unstructured {
	t.Helper()
	return built(t, filepath.Join(tree, "deploy", folder))
}

// built is what kustomize makes of a folder.
func built(t *testing.T, dir string) []*unstructured.Unstructured {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return documents(t, string(text))
}

// find is the object of a kind and name, or nil.
func find(objects []*unstructured.Unstructured, kind, name string) *unstructured.Unstructured {
	for _, object := range objects {
		if object.GetKind() == kind && object.GetName() == name {
			return object
		}
	}
	return nil
}

// in puts a manifest into a namespace.
func in(ns, manifest string) string { return strings.ReplaceAll(manifest, "NAMESPACE", ns) }

const gateway = `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: default-gateway, namespace: NAMESPACE, annotations: {daprise.dev/enabled: "true", dapr.io/app-id: ingress}}
spec: {gatewayClassName: cilium, listeners: [{name: http, port: 80, protocol: HTTP}]}
`

const service = `apiVersion: v1
kind: Service
metadata: {name: whoami, namespace: NAMESPACE, annotations: {daprise.dev/enabled: "true"}}
spec: {selector: {app: whoami}, ports: [{name: http, port: 80, targetPort: 8080}]}
`

const policies = `apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: to-whoami, namespace: NAMESPACE}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  ingress:
  - fromEndpoints: [{matchLabels: {dapr.io/app-id: ingress}}]
    toPorts: [{ports: [{port: "50002", protocol: TCP}]}]
---
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: to-ingress, namespace: NAMESPACE}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: ingress}}
  ingress:
  - fromEntities: [ingress]
    toPorts: [{ports: [{port: "3500", protocol: TCP}]}]
`

const route = `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: whoami-route, namespace: NAMESPACE}
spec:
  parentRefs: [{name: default-gateway}]
  rules: [{matches: [{path: {type: PathPrefix, value: /}}], backendRefs: [{name: whoami, port: 80}]}]
`

const rewritten = "/v1.0/invoke/whoami."

// enrol makes a namespace with an enrolled app behind an enrolled Gateway, and waits until its route goes through the companions.
func enrol(t *testing.T, ns string) {
	t.Helper()
	kubectl(t, "create", "namespace", ns)
	t.Cleanup(func() {
		if _, err := shared.Kubectl(context.Background(), "delete", "namespace", ns, "--wait=false", "--ignore-not-found"); err != nil {
			t.Error(err)
		}
	})
	cluster.Eventually(t, func() error {
		text, err := try(t, in(ns, policies), in(ns, gateway), in(ns, service), in(ns, route))
		if err != nil && !strings.Contains(text, "no endpoints available for service") {
			t.Fatalf("%v\n%s", err, text)
		}
		// What was written a moment ago about a replica, the API server hears of by a watch of its own.
		return err
	})
	cluster.Eventually(t, func() error {
		if have := target(t, ns); !strings.Contains(have, rewritten) {
			return fmt.Errorf("the route is not rewritten: %q", have)
		}
		return nil
	})
}

// target is where the stored route rewrites its requests to.
func target(t *testing.T, ns string) string {
	t.Helper()
	return field(t, ".spec.rules[*].filters[*].urlRewrite.path", "httproute", "-n", ns, "whoami-route")
}
