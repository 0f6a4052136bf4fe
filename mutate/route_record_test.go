// SPDX-License-Identifier: Apache-2.0

package mutate_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

func goldenRoute(t testing.TB, folder string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/route/" + folder + "/in.yaml")
	if err != nil {
		t.Fatal(err)
	}
	data, err = yaml.YAMLToJSONStrict(data)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// recordOf is the record on a route.
func recordOf(t testing.TB, object []byte) string {
	t.Helper()
	annotations, _ := tree(t, object)["metadata"].(map[string]any)["annotations"].(map[string]any)
	record, _ := annotations[mesh.AnnotationOriginal].(string)
	return record
}

func withRecord(t testing.TB, object []byte, record string) []byte {
	t.Helper()
	o := tree(t, object)
	annotations := o["metadata"].(map[string]any)["annotations"].(map[string]any)
	if annotations[mesh.AnnotationOriginal] = record; record == "" {
		delete(annotations, mesh.AnnotationOriginal)
	}
	return marshal(t, o)
}

// TestRouteForgedRecord edits the record of a rewritten route. A record that does not lead to what is stored changes nothing: the rule is
// read for what it means, as if the record were lost.
func TestRouteForgedRecord(t *testing.T) {
	tests := []struct{ name, old, new string }{
		{"another app", `"name":"whoami","port":80`, `"name":"cart","port":8000`},
		{"a plain Service", `"name":"whoami"`, `"name":"legacy"`},
		{"a Service of another namespace", `"name":"whoami"`, `"name":"whoami","namespace":"shop"`},
		{"another kind", `"kind":"Service"`, `"kind":"ServiceImport"`},
		{"the companion itself", `"name":"whoami","port":80`, `"name":"ingress-dapr","port":3500`},
		{"another match", `"value":"/"`, `"value":"/other"`},
		{"another weight", `"weight":1`, `"weight":2`},
		{"a field more", `{"original":{`, `{"original":{"timeouts":{"request":"1s"},`},
		{"a header more", `{"original":{`, `{"original":{"filters":[{"type":"RequestHeaderModifier","requestHeaderModifier":{"set":[{"name":"dapr-app-id","value":"cart.default"}]}}],`},
		{"another version", `"version":1`, `"version":2`},
		{"another hash", `"rewritten":["`, `"rewritten":["0`},
		{"no JSON", `{"version"`, `{version`},
		{"no original", `{"original":{`, `{"originals":{`},
	}
	view := worldView(mesh.InvokePrefix)
	in := goldenRoute(t, "prefix-root")
	stored := mutated(t, mutate.Request{Kind: mesh.KindHTTPRoute, Object: in}, view)
	record := recordOf(t, stored)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			forged := strings.Replace(record, test.old, test.new, 1)
			if forged == record {
				t.Fatalf("%s is not in %s", test.old, record)
			}
			got := mutated(t, mutate.Request{Kind: mesh.KindHTTPRoute, Object: withRecord(t, stored, forged), OldObject: stored}, view)
			if diff := cmp.Diff(tree(t, stored), tree(t, got)); diff != "" {
				t.Errorf("the forged record had an effect (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRouteLostRecord drops the record as clients do that own all annotations. In the mesh the meaning stays.
func TestRouteLostRecord(t *testing.T) {
	view := worldView(mesh.InvokePrefix)
	for _, folder := range []string{"prefix-root", "prefix-path", "exact", "user-strips-prefix", "user-replaces-prefix", "user-prefixes-root",
		"user-replaces-full-path", "header-form-on-route", "several-matches", "several-rules", "regular-expression"} {
		t.Run(folder, func(t *testing.T) {
			stored := mutated(t, mutate.Request{Kind: mesh.KindHTTPRoute, Object: goldenRoute(t, folder)}, view)
			got := mutated(t, mutate.Request{Kind: mesh.KindHTTPRoute, Object: withRecord(t, stored, ""), OldObject: stored}, view)
			if diff := cmp.Diff(rulesOf(t, stored), rulesOf(t, got)); diff != "" {
				t.Errorf("the meaning changed (-want +got):\n%s", diff)
			}
			if recordOf(t, got) == "" {
				t.Error("no record was written")
			}
			if names := backendNames(t, leave(t, mesh.KindHTTPRoute, got, view)); names["ingress-dapr"] {
				t.Error("the companion is still named after leaving")
			}
		})
	}
}

// TestRouteNeverFallsBack wants a rule that goes through its companion to stay so while the companions are not ready, whatever the client
// sends.
func TestRouteNeverFallsBack(t *testing.T) {
	view := worldView(mesh.InvokePrefix)
	in := goldenRoute(t, "prefix-root")
	stored := mutated(t, mutate.Request{Kind: mesh.KindHTTPRoute, Object: in}, view)
	for i := range view.Apps {
		view.Apps[i].Companion.Ready = false
	}
	view.Ingresses[0].Companion.Ready = false
	for name, object := range map[string][]byte{
		"written back": stored, "applied again": withAnnotationsOf(t, in, stored), "replaced": in, "without the record": withRecord(t, stored, ""),
	} {
		t.Run(name, func(t *testing.T) {
			got := mutated(t, mutate.Request{Kind: mesh.KindHTTPRoute, Object: object, OldObject: stored}, view)
			if diff := cmp.Diff(rulesOf(t, stored), rulesOf(t, got)); diff != "" {
				t.Errorf("rules (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRouteGrantRevoked wants a rule to be restored whose ReferenceGrant is gone, so that the gateway treats it as the Gateway API says,
// and the update that reveals it to be admitted.
func TestRouteGrantRevoked(t *testing.T) {
	view := worldView(mesh.InvokePrefix)
	view.Grants = []mesh.Grant{{Namespace: "default", FromKind: mesh.KindHTTPRoute, FromNamespace: "shop"}}
	in := goldenRoute(t, "other-namespace-granted")
	stored := mutated(t, mutate.Request{Kind: mesh.KindHTTPRoute, Object: in}, view)
	if names := backendNames(t, stored); !names["ingress-dapr"] {
		t.Fatalf("not rewritten: %s", stored)
	}
	view.Grants = nil
	got := mutated(t, mutate.Request{Kind: mesh.KindHTTPRoute, Object: stored, OldObject: stored}, view)
	if diff := cmp.Diff(tree(t, in), tree(t, got)); diff != "" {
		t.Errorf("not restored (-want +got):\n%s", diff)
	}
	result, err := mutate.Route(mutate.Request{Kind: mesh.KindHTTPRoute, Object: in, OldObject: stored}, view)
	if err != nil {
		t.Fatal(err)
	}
	if !mesh.Denied(result.Findings) {
		t.Error("new input without a grant is admitted")
	}
}

// TestRouteRatchet wants an update that changes nothing to be admitted, whatever became of the world.
func TestRouteRatchet(t *testing.T) {
	view := worldView(mesh.InvokePrefix)
	in := goldenRoute(t, "prefix-root")
	stored := mutated(t, mutate.Request{Kind: mesh.KindHTTPRoute, Object: in}, view)
	view.Apps[0].Port = 8080
	result, err := mutate.Route(mutate.Request{Kind: mesh.KindHTTPRoute, Object: stored, OldObject: stored}, view)
	if err != nil {
		t.Fatal(err)
	}
	want := "HTTPRoute default/whoami-route admitted with a warning: spec.rules[0].backendRefs[0].port: app \"whoami.default\" is called on port 8080, and the backendRef names port 80. Use port 8080, or name another port of the Service with the annotation dapr.io/app-port on the enrolled object. [DPR203]\n"
	if diff := cmp.Diff(want, texts(result.Findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if len(result.Patch) > 0 {
		t.Errorf("patch: %v", result.Patch)
	}
}
