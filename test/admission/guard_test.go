// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/daprise/daprise/test/controlplane"
)

const impostor = `apiVersion: v1
kind: Pod
metadata: {name: impostor, namespace: NAMESPACE, labels: {daprise.dev/companion: whoami}}
spec: {containers: [{name: a, image: "a.example/a:1"}]}
`

// TestGuard: nobody but daprise puts the companions' label on a pod, directly or through a template.
func TestGuard(t *testing.T) {
	const ns = "guard"
	mesh(t, ns)
	refused(t, []string{"daprise.dev/companion"}, in(ns, impostor))
	refused(t, []string{"daprise.dev/companion"}, strings.ReplaceAll(strings.ReplaceAll(in(ns, deployment), "app: whoami", "daprise.dev/companion: whoami"), "name: whoami,", "name: impostor,"))
	if out, err := shared.Kubectl(t.Context(), "set", "image", "-n", ns, "deployment/whoami-dapr", "daprd=evil.example/daprd:1"); err == nil {
		t.Errorf("a companion's image was changed:\n%s", out.Stdout)
	}
	// What needs no identity goes on: metadata, scaling.
	kubectl(t, "annotate", "-n", ns, "deployment", "whoami-dapr", "note=theirs")
}

// TestOwnServiceAccount: daprise's ServiceAccount can make companions and nothing else.
func TestOwnServiceAccount(t *testing.T) {
	const ns = "own"
	namespace(t, ns)
	config, err := shared.ServiceAccountConfig(t.Context(), "daprise-system", "daprise-webhook")
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := controlplane.WriteKubeconfig(kubeconfig, config); err != nil {
		t.Fatal(err)
	}
	for name, manifest := range map[string]string{
		"somebody's image": strings.ReplaceAll(in(ns, deployment), "name: whoami, namespace", "name: a, namespace"),
		"an external IP":   "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: " + ns + "}\nspec: {selector: {a: b}, ports: [{port: 80}], externalIPs: [192.0.2.1]}\n",
		"a load balancer":  "apiVersion: v1\nkind: Service\nmetadata: {name: b, namespace: " + ns + "}\nspec: {type: LoadBalancer, selector: {a: b}, ports: [{port: 80}]}\n",
		"a pod of its own": strings.ReplaceAll(in(ns, impostor), "impostor", "c"),
		"another's Secret": "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: " + ns + "}\n",
		"a grant of everything": "apiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {name: a, namespace: " + ns + ", labels: {app.kubernetes.io/managed-by: daprise, app.kubernetes.io/instance: whoami}}\n" +
			"spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{group: \"\", kind: Service}]}\n",
		"a token for itself": strings.ReplaceAll(strings.ReplaceAll(in(ns, deployment), "name: whoami, namespace", "name: d, namespace"), "containers: [{name: whoami,", "automountServiceAccountToken: true\n      containers: [{name: daprd,"),
	} {
		t.Run(name, func(t *testing.T) {
			out, err := shared.KubectlIn(t.Context(), []byte(manifest), "--kubeconfig="+kubeconfig, "create", "-f", "-")
			if err == nil {
				t.Errorf("admitted:\n%s", out.Stdout)
			} else if !strings.Contains(out.Stderr, "orbidden") && !strings.Contains(out.Stderr, "denied") && !strings.Contains(out.Stderr, "ValidatingAdmissionPolicy") {
				t.Errorf("refused, but by whom?\n%s", out.Stderr)
			}
		})
	}
}
