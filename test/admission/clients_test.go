// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/daprise/daprise/test/cluster"
)

// mesh makes a namespace with a whole, ready mesh in it.
func mesh(t *testing.T, ns string, labels ...string) {
	t.Helper()
	namespace(t, ns, labels...)
	apply(t, in(ns, gateway), in(ns, service), in(ns, policies), in(ns, route))
	ready(t, ns)
	if have := rules(t, ns, "whoami-route"); !strings.Contains(have, rewritten) {
		t.Fatalf("not rewritten: %s", have)
	}
}

func resourceVersions(t *testing.T, ns string) string {
	t.Helper()
	var all []string
	for _, o := range [][2]string{{"gateway", "default-gateway"}, {"service", "whoami"}, {"httproute", "whoami-route"}} {
		all = append(all, o[1]+"="+object(t, ns, o[0], o[1]).GetResourceVersion())
	}
	return strings.Join(all, " ")
}

// TestApplyTwice: re-applying the user's manifests stores nothing new, whichever way they are applied.
func TestApplyTwice(t *testing.T) {
	for _, way := range []struct {
		name string
		args []string
	}{
		{"client-side", []string{"apply", "-f", "-"}},
		{"server-side", []string{"apply", "--server-side", "-f", "-"}},
		{"server-side as flux", []string{"apply", "--server-side", "--field-manager=kustomize-controller", "--force-conflicts", "-f", "-"}},
	} {
		t.Run(way.name, func(t *testing.T) {
			ns := "twice-" + strings.ReplaceAll(way.name, " ", "-")
			namespace(t, ns)
			bundle := []byte(strings.Join([]string{in(ns, gateway), in(ns, service), in(ns, policies), in(ns, route)}, "---\n"))
			once := func() {
				t.Helper()
				if _, err := shared.KubectlIn(t.Context(), bundle, way.args...); err != nil {
					t.Fatal(err)
				}
			}
			once()
			ready(t, ns)
			once()
			settled(t, ns)
			before := resourceVersions(t, ns)
			once()
			if after := resourceVersions(t, ns); before != after {
				t.Errorf("resourceVersions changed from %s to %s", before, after)
			}
		})
	}
}

// settled waits until the conditions of the mesh's objects are final.
func settled(t *testing.T, ns string) {
	t.Helper()
	cluster.Eventually(t, func() error { return hasCondition(t, object(t, ns, "service", "whoami"), "Meshed=True Meshed") })
	cluster.Eventually(t, func() error { return hasCondition(t, object(t, ns, "service", "whoami"), "Covered=True Covered") })
	cluster.Eventually(t, func() error {
		return hasCondition(t, object(t, ns, "gateway", "default-gateway"), "Covered=True Covered")
	})
}

// TestReadModifyWrite edits a rewritten route as kubectl edit does: what is read is written back with a change.
func TestReadModifyWrite(t *testing.T) {
	const ns = "edit"
	mesh(t, ns)
	u := object(t, ns, "httproute", "whoami-route")
	before := rules(t, ns, "whoami-route")
	if err := unstructured.SetNestedStringSlice(u.Object, []string{"whoami.example"}, "spec", "hostnames"); err != nil {
		t.Fatal(err)
	}
	replace(t, u)
	if after := rules(t, ns, "whoami-route"); before != after {
		t.Errorf("an edit of hostnames changed the rules from\n%s\nto\n%s", before, after)
	}

	u = object(t, ns, "httproute", "whoami-route")
	list, _, _ := unstructured.NestedSlice(u.Object, "spec", "rules")
	edited := map[string]any{
		"matches":     []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/api"}}},
		"backendRefs": []any{map[string]any{"name": "whoami", "port": int64(80)}},
	}
	if err := unstructured.SetNestedSlice(u.Object, append(list, edited), "spec", "rules"); err != nil {
		t.Fatal(err)
	}
	replace(t, u)
	after := rules(t, ns, "whoami-route")
	for _, want := range []string{rewritten + ns + "/method//", rewritten + ns + "/method/api"} {
		if !strings.Contains(after, want) {
			t.Errorf("%q is missing in %s", want, after)
		}
	}

	// Leaving gives back both rules as the user wrote them.
	kubectl(t, "annotate", "-n", ns, "service", "whoami", "daprise.dev/enabled-")
	cluster.Eventually(t, func() error {
		have := rules(t, ns, "whoami-route")
		if strings.Contains(have, "invoke") || strings.Count(have, `"name":"whoami"`) != 2 {
			return fmt.Errorf("not restored: %s", have)
		}
		return nil
	})
}

func replace(t *testing.T, u *unstructured.Unstructured) {
	t.Helper()
	data, err := u.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := shared.KubectlIn(t.Context(), data, "replace", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// TestDryRun: a dry run shows what would be stored, and nothing happens.
func TestDryRun(t *testing.T) {
	const ns = "dry"
	namespace(t, ns)
	apply(t, in(ns, plainService))
	out := kubectl(t, "annotate", "-n", ns, "service", "whoami", "daprise.dev/enabled=true", "--dry-run=server", "-o", "yaml")
	if !strings.Contains(out, "daprise.dev/app-id: whoami") {
		t.Errorf("the dry run shows no label:\n%s", out)
	}
	dry, err := shared.KubectlIn(t.Context(), []byte(in(ns, service)+"---\n"+in(ns, gateway)+"---\n"+in(ns, policies)), "apply", "--dry-run=server", "-f", "-")
	if err != nil {
		t.Fatalf("%v\n%s", err, dry.Stderr)
	}
	// Something after it that is real, so that a late side effect would have shown.
	mesh(t, "dry-after")
	if u := object(t, ns, "service", "whoami"); len(u.GetLabels()) != 0 {
		t.Errorf("the dry run left labels: %v", u.GetLabels())
	}
	if out := kubectl(t, "get", "-n", ns, "all,serviceaccounts,gateways,ciliumnetworkpolicies", "-l", "app.kubernetes.io/managed-by=daprise", "-o", "name"); strings.TrimSpace(out) != "" {
		t.Errorf("the dry run left objects: %s", out)
	}
}
