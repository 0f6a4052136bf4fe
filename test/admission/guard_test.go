// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/test/cluster"
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

// TestGuardLetsRestart: kubectl rollout restart replaces a companion's pods and is not undone; with anything beside it, it is refused.
func TestGuardLetsRestart(t *testing.T) {
	const ns = "restarted"
	mesh(t, ns)
	generation := func(kind, name string) int64 { return object(t, ns, kind, name).GetGeneration() }
	before := generation("deployment", "whoami-dapr")
	kubectl(t, "rollout", "restart", "-n", ns, "deployment/whoami-dapr")
	kubectl(t, "rollout", "restart", "-n", ns, "daemonset/ingress-dapr")
	kubectl(t, "rollout", "status", "-n", ns, "deployment/whoami-dapr", "--timeout=2m")
	ready(t, ns)
	if after := generation("deployment", "whoami-dapr"); after != before+1 {
		t.Errorf("the restart changed the Deployment %d times", after-before)
	}
	const restarted = `"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-01-01T00:00:00Z"`
	for name, patch := range map[string]string{
		"another image":        `{"spec":{"template":{` + restarted + `}},"spec":{"containers":[{"name":"daprd","image":"evil.example/daprd:1"}]}}}}`,
		"another identity":     `{"spec":{"template":{` + restarted + `,"dapr.io/app-id":"other"}}}}}`,
		"another annotation":   `{"spec":{"template":{` + restarted + `,"sidecar.example/inject":"true"}}}}}`,
		"no identity":          `{"spec":{"template":{` + restarted + `,"dapr.io/app-id":null}}}}}`,
		"another label":        `{"spec":{"template":{"metadata":{"labels":{"team":"theirs"},"annotations":{"kubectl.kubernetes.io/restartedAt":"2026-01-01T00:00:00Z"}}}}}`,
		"a pause":              `{"spec":{"paused":true,"template":{` + restarted + `}}}}}`,
		"another strategy":     `{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null},"template":{` + restarted + `}}}}}`,
		"a label of the whole": `{"metadata":{"labels":{"daprise.dev/companion":"whoami"}},"spec":{"template":{` + restarted + `}}}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			out, err := shared.Kubectl(t.Context(), "patch", "--dry-run=server", "-n", ns, "deployment/whoami-dapr", "-p", patch)
			if err == nil || !strings.Contains(out.Stderr, "daprise-companion-label") {
				t.Errorf("not refused by the guard: %v\n%s", err, out.Stderr)
			}
		})
	}
}

// TestNobodyEntersCompanions: neither by an ephemeral container nor through the kubelet. Other pods are nobody's business.
func TestNobodyEntersCompanions(t *testing.T) {
	const ns = "entered"
	mesh(t, ns)
	apply(t, strings.ReplaceAll(strings.ReplaceAll(in(ns, impostor), "impostor", "whoami-daprx"), "daprise.dev/companion", "app"))
	// The name of its pods is cut within the companion's own.
	const long = "an-app-id-of-fifty-four-characters-which-is-the-longes"
	apply(t, in(ns, strings.ReplaceAll(policies, "whoami", long)), in(ns, strings.ReplaceAll(service, "whoami", long)))
	cluster.Eventually(t, func() error { return hasCondition(t, object(t, ns, "service", long), "Companion=True Ready") })
	pod := func(id string) string {
		names := strings.Fields(kubectl(t, "get", "pods", "-n", ns, "-l", "daprise.dev/companion="+id, "-o", "jsonpath={.items[*].metadata.name}"))
		if len(names) == 0 {
			t.Fatalf("no pods of %s", id)
		}
		return names[0]
	}
	for _, id := range []string{"whoami", "ingress", long} {
		// kubectl patch knows this subresource since 1.32 only.
		target := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: pod(id)}}
		debug := client.RawPatch(types.StrategicMergePatchType, []byte(`{"spec":{"ephemeralContainers":[{"name":"debug","image":"a.example/a:1"}]}}`))
		if err := shared.Client.SubResource("ephemeralcontainers").Patch(t.Context(), target, debug); err == nil || !strings.Contains(err.Error(), "daprise-companion-label") {
			t.Errorf("an ephemeral container in %s: %v", pod(id), err)
		}
		for _, way := range []string{"exec?command=true&stdout=true", "attach?stdout=true", "portforward?ports=3500"} {
			said := enter(t, ns, pod(id), way)
			if !strings.Contains(said, "daprise-companion-access") || !strings.Contains(said, "acts as app "+id) {
				t.Errorf("%s of %s: %s", way, pod(id), said)
			}
		}
	}
	for _, way := range []string{"exec?command=true&stdout=true", "portforward?ports=3500"} {
		if said := enter(t, ns, "whoami-daprx", way); strings.Contains(said, "daprise") {
			t.Errorf("%s of another pod: %s", way, said)
		}
	}
}

// enter asks for a way into a pod, and returns what the API server says against it: no kubelet would answer here anyway.
func enter(t *testing.T, ns, pod, way string) string {
	t.Helper()
	out, err := shared.KubectlIn(t.Context(), []byte("{}"), "create", "--raw", "/api/v1/namespaces/"+ns+"/pods/"+pod+"/"+way, "-f", "-")
	if err == nil {
		t.Fatalf("entered pod %s", pod)
	}
	return out.Stdout + out.Stderr
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
