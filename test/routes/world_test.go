// SPDX-License-Identifier: Apache-2.0

package routes_test

import (
	"encoding/json"

	kjson "sigs.k8s.io/json"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// worldView is the world of generated routes: apps in the route's namespace and in another that grants access, a Gateway, and
// Services that are not enrolled.
func worldView(implementation string, invoke mesh.Invoke) *mesh.View {
	ready := mesh.CompanionState{Live: true, Ready: true}
	app := func(namespace, id, protocol string, port int32) mesh.App {
		return mesh.App{AppRef: mesh.AppRef{Namespace: namespace, ID: id}, Service: id, Port: port, Protocol: protocol, Companion: ready}
	}
	view := &mesh.View{
		Apps: []mesh.App{
			app("default", "whoami", "http", 80), app("default", "cart", "http", 8000), app("shop", "stock", "http", 8080),
			app("default", "ledger", "grpc", 9000), app("default", "audit", "grpc", 9001),
		},
		Ingresses: []mesh.Ingress{{
			AppRef: mesh.AppRef{Namespace: "default", ID: "ingress"}, Gateway: "default-gateway", Invoke: invoke, Companion: ready, GRPCServed: true,
		}},
	}
	for _, kind := range []string{mesh.KindHTTPRoute, mesh.KindGRPCRoute} {
		view.Grants = append(view.Grants, mesh.Grant{Namespace: "shop", FromKind: kind, FromNamespace: "default"})
	}
	view.Config.Gateway.Implementation = implementation
	return view
}

// admit is the object after mutation, or the refusals. The arguments must be as before.
func admit(t tester, request mutate.Request, view *mesh.View) ([]byte, []mesh.Finding) {
	t.Helper()
	object, old, world := string(request.Object), string(request.OldObject), encoded(t, view)
	result, err := mutate.Route(request, view)
	if err != nil {
		t.Fatalf("%v\n%s", err, object)
	}
	if string(request.Object) != object || string(request.OldObject) != old || string(encoded(t, view)) != string(world) {
		t.Fatal("an argument was modified")
	}
	if mesh.Denied(result.Findings) {
		if len(result.Patch) > 0 {
			t.Errorf("refused and patched: %v", result.Patch)
		}
		return nil, result.Findings
	}
	if len(result.Patch) == 0 {
		return request.Object, result.Findings
	}
	patch, err := jsonpatch.DecodePatch(encoded(t, result.Patch))
	if err != nil {
		t.Fatal(err)
	}
	out, err := patch.Apply(request.Object)
	if err != nil {
		t.Fatal(err)
	}
	return out, result.Findings
}

func encoded(t tester, value any) []byte {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func tree(t tester, data []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := kjson.UnmarshalCaseSensitivePreserveInts(data, &m); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return m
}

func httpRoute(t tester, data []byte) *gatewayv1.HTTPRoute {
	t.Helper()
	route := &gatewayv1.HTTPRoute{}
	if err := json.Unmarshal(data, route); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return route
}

func grpcRoute(t tester, data []byte) *gatewayv1.GRPCRoute {
	t.Helper()
	route := &gatewayv1.GRPCRoute{}
	if err := json.Unmarshal(data, route); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	return route
}
