// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/daprise/daprise/test/controlplane"
)

// TestPowers: with daprise's own token, a companion cannot be made anything else, and a user's object not anything at all. Each patch
// differs from what is stored in one thing.
func TestPowers(t *testing.T) {
	const ns = "powers"
	mesh(t, ns)
	apply(t, in(ns, deployment))
	config, err := shared.ServiceAccountConfig(t.Context(), "daprise-system", "daprise-webhook")
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := controlplane.WriteKubeconfig(kubeconfig, config); err != nil {
		t.Fatal(err)
	}
	patch := func(object, patch string) (string, error) {
		out, err := shared.Kubectl(t.Context(), "--kubeconfig="+kubeconfig, "patch", "--dry-run=server", "-n", ns, object, "--type=json", "-p", patch)
		return out.Stderr, err
	}
	const pod = "/spec/template/spec"
	const theirs = "daprise may not change what objects without the label app.kubernetes.io/managed-by=daprise specify"
	for _, tt := range []struct{ name, object, patch, want string }{
		{"image", "deployment/whoami-dapr", `{"op":"replace","path":"` + pod + `/containers/0/image","value":"a.example/a:1"}`, "the image is not in the list of ConfigMap daprise-config, key images"},
		{"host network", "deployment/whoami-dapr", `{"op":"add","path":"` + pod + `/hostNetwork","value":true}`, "a companion shares nothing with its node"},
		{"a Secret's volume", "deployment/whoami-dapr", `{"op":"add","path":"` + pod + `/volumes/-","value":{"name":"s","secret":{"secretName":"s"}}}`, "a companion's only volume is its token for Dapr's sentry"},
		{"another audience", "deployment/whoami-dapr", `{"op":"replace","path":"` + pod + `/volumes/0/projected/sources/0/serviceAccountToken/audience","value":"spiffe://other/ns/dapr-system/dapr-sentry"}`, "the audience of a companion's token is not that of ConfigMap daprise-config, key audience"},
		{"another ServiceAccount", "deployment/whoami-dapr", `{"op":"replace","path":"` + pod + `/serviceAccountName","value":"default"}`, "a companion runs as its own ServiceAccount, without its token"},
		{"its token", "deployment/whoami-dapr", `{"op":"replace","path":"` + pod + `/automountServiceAccountToken","value":true}`, "a companion runs as its own ServiceAccount, without its token"},
		{"a second container", "deployment/whoami-dapr", `{"op":"add","path":"` + pod + `/containers/-","value":{"name":"b","image":"ghcr.io/dapr/daprd:1.18.2"}}`, "a companion has one container, daprd"},
		{"an init container", "deployment/whoami-dapr", `{"op":"add","path":"` + pod + `/initContainers","value":[{"name":"b","image":"ghcr.io/dapr/daprd:1.18.2"}]}`, "a companion has no other containers"},
		{"a command", "deployment/whoami-dapr", `{"op":"add","path":"` + pod + `/containers/0/command","value":["sh"]}`, "a companion has no privileges and no command of its own"},
		{"privileges", "deployment/whoami-dapr", `{"op":"replace","path":"` + pod + `/containers/0/securityContext","value":{"privileged":true}}`, "a companion has no privileges and no command of its own"},
		{"a Secret's value", "deployment/whoami-dapr", `{"op":"add","path":"` + pod + `/containers/0/env/-","value":{"name":"A","valueFrom":{"secretKeyRef":{"name":"s","key":"k"}}}}`, "a companion's environment reads no Secret and no ConfigMap"},
		{"a node of its choice", "deployment/whoami-dapr", `{"op":"add","path":"` + pod + `/nodeName","value":"node-1"}`, "a companion is placed by the scheduler"},
		{"an external address", "service/ingress-dapr", `{"op":"add","path":"/spec/externalIPs","value":["192.0.2.1"]}`, "daprise may make ClusterIP Services of companions alone"},
		{"a load balancer", "service/ingress-dapr", `{"op":"replace","path":"/spec/type","value":"LoadBalancer"}`, "daprise may make ClusterIP Services of companions alone"},
		{"somebody's pods", "service/ingress-dapr", `{"op":"replace","path":"/spec/selector","value":{"app":"whoami"}}`, "daprise may make ClusterIP Services of companions alone"},
		{"a ServiceAccount's token", "serviceaccount/whoami-dapr", `{"op":"replace","path":"/automountServiceAccountToken","value":true}`, "daprise may make ServiceAccounts without token and Secrets alone"},
		{"a user's image", "deployment/whoami", `{"op":"replace","path":"` + pod + `/containers/0/image","value":"a.example/a:1"}`, theirs},
		{"a user's selector", "service/whoami", `{"op":"replace","path":"/spec/selector","value":{"a":"b"}}`, theirs},
		{"a user's object, claimed", "service/whoami", `{"op":"add","path":"/metadata/labels/app.kubernetes.io~1managed-by","value":"daprise"}`, theirs},
		{"a user's Gateway", "gateway/default-gateway", `{"op":"replace","path":"/spec/gatewayClassName","value":"other"}`, theirs},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stderr, err := patch(tt.object, "["+tt.patch+"]")
			if err == nil {
				t.Fatal("admitted")
			}
			if !strings.Contains(stderr, "'daprise-powers") || !strings.Contains(stderr, "denied request: "+tt.want) {
				t.Errorf("want %q in:\n%s", tt.want, stderr)
			}
		})
	}
	// What it is for: having objects admitted that were annotated before there was a daprise, and bringing its own up to date.
	for _, tt := range []struct{ name, object, patch string }{
		{"a user's metadata", "service/whoami", `{"op":"add","path":"/metadata/labels/note","value":"a"}`},
		{"a user's Gateway's metadata", "gateway/default-gateway", `{"op":"add","path":"/metadata/labels/note","value":"a"}`},
		{"its own argument", "deployment/whoami-dapr", `{"op":"add","path":"` + pod + `/containers/0/args/-","value":"--log-level=debug"}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if stderr, err := patch(tt.object, "["+tt.patch+"]"); err != nil {
				t.Errorf("refused:\n%s", stderr)
			}
		})
	}
}
