// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// TestNoDriftForGitOps: what Flux, and Argo CD with ServerSideDiff and IncludeMutationWebhook, compare is what is stored with what a dry run of a
// server-side apply of the manifest would store. Both are the same, for whoever applied and whoever looks.
func TestNoDriftForGitOps(t *testing.T) {
	for _, manager := range []string{"kustomize-controller", "argocd-controller"} {
		t.Run(manager, func(t *testing.T) {
			ns := "drift-" + strings.TrimSuffix(manager, "-controller")
			namespace(t, ns)
			manifests := map[string]string{"gateway default-gateway": in(ns, gateway), "service whoami": in(ns, service), "httproute whoami-route": in(ns, route)}
			args := []string{"apply", "--server-side", "--force-conflicts", "--field-manager=" + manager, "-f", "-"}
			bundle := strings.Join([]string{in(ns, policies), in(ns, gateway), in(ns, service), in(ns, route)}, "---\n")
			for range 2 {
				if _, err := shared.KubectlIn(t.Context(), []byte(bundle), args...); err != nil {
					t.Fatal(err)
				}
				ready(t, ns)
			}
			settled(t, ns)
			for name, manifest := range manifests {
				kind, object, _ := strings.Cut(name, " ")
				out, err := shared.KubectlIn(t.Context(), []byte(manifest), append(args, "--dry-run=server", "-o", "json")...)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(compared(t, objectJSON(t, ns, kind, object)), compared(t, out.Stdout)); diff != "" {
					t.Errorf("%s drifts (-stored +predicted):\n%s", name, diff)
				}
			}
		})
	}
}

func objectJSON(t *testing.T, ns, kind, name string) string {
	t.Helper()
	return kubectl(t, "get", "-n", ns, kind, name, "-o", "json")
}

// compared is what such tools look at: all but the status and what the API server counts.
func compared(t *testing.T, text string) map[string]any {
	t.Helper()
	object := map[string]any{}
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	for _, field := range [][]string{{"status"}, {"metadata", "managedFields"}, {"metadata", "resourceVersion"}, {"metadata", "generation"}} {
		unstructured.RemoveNestedField(object, field...)
	}
	return object
}
