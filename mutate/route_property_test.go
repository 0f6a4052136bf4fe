// SPDX-License-Identifier: Apache-2.0

package mutate_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

// worldView is the world of generated routes: two apps behind one Gateway, and a Gateway and a Service that are not enrolled.
func worldView(invoke mesh.Invoke) *mesh.View {
	ready := mesh.CompanionState{Live: true, Ready: true}
	app := func(id string, port int32) mesh.App {
		return mesh.App{AppRef: mesh.AppRef{Namespace: "default", ID: id}, Service: id, Port: port, Protocol: "http", Companion: ready}
	}
	return &mesh.View{
		Apps: []mesh.App{app("whoami", 80), app("cart", 8000)},
		Ingresses: []mesh.Ingress{{
			AppRef: mesh.AppRef{Namespace: "default", ID: "ingress"}, Gateway: "default-gateway", Invoke: invoke, Companion: ready,
		}},
	}
}

// anyRoute draws a route that mutate.Route admits: valid by the API, with one app or a plain backend in each rule.
func anyRoute(t *rapid.T) []byte {
	rules := rapid.SliceOfN(rapid.Custom(anyRule), 1, 6).Draw(t, "rules")
	for i, rule := range rules {
		if rapid.Bool().Draw(t, "named") {
			rule["name"] = fmt.Sprintf("rule-%d", i)
		}
	}
	metadata := map[string]any{"name": "r", "namespace": "default"}
	if rapid.Bool().Draw(t, "annotated") {
		metadata["annotations"] = map[string]any{"example.com/owner": "team"}
	}
	return encoded(t, map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": metadata,
		"spec": map[string]any{
			"parentRefs": []any{map[string]any{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "default-gateway"}},
			"rules":      rules,
		},
		"status": map[string]any{"parents": []any{}},
	})
}

func anyRule(t *rapid.T) map[string]any {
	backend := rapid.SampledFrom([]map[string]any{
		{"name": "whoami", "port": 80}, {"name": "cart", "port": 8000}, {"name": "legacy", "port": 8080},
	}).Draw(t, "backend")
	backend = maps.Clone(backend)
	maps.Copy(backend, map[string]any{"group": "", "kind": "Service", "weight": rapid.IntRange(0, 9).Draw(t, "weight")})
	rule := map[string]any{"backendRefs": []any{backend}}
	user := rapid.SampledFrom([]string{"none", "prefix", "full"}).Draw(t, "rewrite")
	types := []string{"PathPrefix", "Exact", "RegularExpression"}
	count := 3
	if user == "prefix" {
		types, count = types[:1], 1 // the API's own rule
	}
	matches := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) any { return anyMatch(t, types) }), 1, count).Draw(t, "matches")
	rule["matches"] = matches
	var filters []any
	switch path := anyPath(t); user {
	case "prefix":
		filters = append(filters, rewriteFilter("ReplacePrefixMatch", "replacePrefixMatch", path))
	case "full":
		filters = append(filters, rewriteFilter("ReplaceFullPath", "replaceFullPath", path))
	}
	if rapid.Bool().Draw(t, "headers") {
		filters = append(filters, map[string]any{"type": "RequestHeaderModifier", "requestHeaderModifier": map[string]any{
			"add":    []any{map[string]any{"name": "X-A", "value": "<&>"}},
			"remove": []any{rapid.SampledFrom([]string{"X-B", "Dapr-App-Id", "dapr-api-token"}).Draw(t, "removed")},
		}})
	}
	if len(filters) > 0 {
		rule["filters"] = filters
	}
	if rapid.Bool().Draw(t, "unknown") {
		rule["unknown"] = map[string]any{"deep": []any{json.Number("9007199254740993"), nil, true}}
	}
	return rule
}

func anyMatch(t *rapid.T, types []string) any {
	match := map[string]any{"path": map[string]any{
		"type": rapid.SampledFrom(types).Draw(t, "type"), "value": anyPath(t),
	}}
	if rapid.Bool().Draw(t, "method") {
		match["method"] = rapid.SampledFrom([]string{"GET", "POST"}).Draw(t, "verb")
	}
	return match
}

func anyPath(t *rapid.T) string {
	return rapid.SampledFrom([]string{"/", "/a", "/a/", "/a/b", "/x%20y", "/v1.0/invoke/cart.default/method/x"}).Draw(t, "path")
}

func rewriteFilter(kind, field, path string) map[string]any {
	return map[string]any{"type": "URLRewrite", "urlRewrite": map[string]any{"path": map[string]any{"type": kind, field: path}}}
}

func encoded(t *rapid.T, value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestRouteProperties draws routes and holds their outcomes against what must be true of every outcome.
func TestRouteProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		view := worldView(rapid.SampledFrom([]mesh.Invoke{mesh.InvokePrefix, mesh.InvokeHeader}).Draw(r, "invoke"))
		in := anyRoute(r)
		out := mutated(r, mutate.Request{Kind: mesh.KindHTTPRoute, Object: in}, view)
		checkRouteProperties(r, mesh.KindHTTPRoute, in, out, view)
		if back := leave(r, mesh.KindHTTPRoute, out, view); !equal(r, back, in) {
			r.Fatalf("leaving does not give the route back (-want +got):\n%s", cmp.Diff(tree(r, in), tree(r, back)))
		}
		if rules := len(rulesOf(r, out)); rules > 16 {
			r.Fatalf("%d rules", rules)
		}
	})
}

// TestRouteEdit reads a rewritten route, changes one rule as kubectl edit would, and writes it back: the edit is new input, and every
// other rule is what it was, in and out of the mesh.
func TestRouteEdit(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		view := worldView(mesh.InvokePrefix)
		in := anyRoute(r)
		out := mutated(r, mutate.Request{Kind: mesh.KindHTTPRoute, Object: in}, view)
		edited := tree(r, out)
		rules := rulesOf(r, out)
		i := rapid.IntRange(0, len(rules)-1).Draw(r, "edited rule")
		rules[i].(map[string]any)["timeouts"] = map[string]any{"request": "7s"}
		edited["spec"].(map[string]any)["rules"] = rules
		stored := mutated(r, mutate.Request{Kind: mesh.KindHTTPRoute, Object: marshal(r, edited), OldObject: out}, view)
		after := rulesOf(r, stored)
		if len(after) != len(rules) {
			r.Fatalf("%d rules became %d", len(rules), len(after))
		}
		for j := range after {
			if j != i && !cmp.Equal(after[j], rules[j]) {
				r.Fatalf("rule %d changed (-before +after):\n%s", j, cmp.Diff(rules[j], after[j]))
			}
		}
		if got := after[i].(map[string]any)["timeouts"]; !cmp.Equal(got, any(map[string]any{"request": "7s"})) {
			r.Fatalf("the edit of rule %d is lost: %v", i, after[i])
		}
		checkRouteProperties(r, mesh.KindHTTPRoute, stored, stored, view)
		back := leave(r, mesh.KindHTTPRoute, stored, view)
		if names := backendNames(r, back); names["ingress-dapr"] {
			r.Fatalf("a rule still names the companion: %s", back)
		}
	})
}

func rulesOf(t tester, object []byte) []any {
	t.Helper()
	rules, _ := tree(t, object)["spec"].(map[string]any)["rules"].([]any)
	return rules
}

func backendNames(t tester, object []byte) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, rule := range rulesOf(t, object) {
		refs, _ := rule.(map[string]any)["backendRefs"].([]any)
		for _, ref := range refs {
			name, _ := ref.(map[string]any)["name"].(string)
			names[name] = true
		}
	}
	return names
}
