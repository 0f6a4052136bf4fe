// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
)

func TestRuleInvocation(t *testing.T) {
	prefix := func(value string) string {
		return "[{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: '" + value + "'}}}]"
	}
	whoami := mesh.AppRef{Namespace: "default", ID: "whoami"}
	tests := []struct {
		name    string
		filters string
		want    mesh.Invocation
		ok      bool
	}{
		{name: "nothing", filters: "[]"},
		{name: "the seed's", filters: prefix("/v1.0/invoke/whoami.default/method//"), want: mesh.Invocation{App: whoami, Form: mesh.InvokePrefix, Path: "//"}, ok: true},
		{name: "a path", filters: prefix("/v1.0/invoke/whoami.default/method/api"), want: mesh.Invocation{App: whoami, Form: mesh.InvokePrefix, Path: "/api"}, ok: true},
		{name: "no path", filters: prefix("/v1.0/invoke/whoami.default/method"), want: mesh.Invocation{App: whoami, Form: mesh.InvokePrefix}, ok: true},
		{name: "a full path", filters: "[{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /v1.0/invoke/whoami.default/method/a}}}]",
			want: mesh.Invocation{App: whoami, Form: mesh.InvokePrefix, Path: "/a"}, ok: true},
		{name: "a header", filters: "[{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: Dapr-App-Id, value: whoami.default}]}}]",
			want: mesh.Invocation{App: whoami, Form: mesh.InvokeHeader}, ok: true},
		{name: "another API of Dapr", filters: prefix("/v1.0/state/whoami.default/method/")},
		{name: "no method", filters: prefix("/v1.0/invoke/whoami.default")},
		{name: "a longer method", filters: prefix("/v1.0/invoke/whoami.default/methods/a")},
		{name: "no namespace", filters: prefix("/v1.0/invoke/whoami/method/a")},
		{name: "an escaped app", filters: prefix("/v1.0/invoke/whoami%2Fx.default/method/a")},
		{name: "three labels", filters: prefix("/v1.0/invoke/whoami.default.svc/method/a")},
		{name: "dot segments", filters: prefix("/v1.0/invoke/whoami.default/method/../../cart.default/method/")},
		{name: "encoded dot segments", filters: prefix("/v1.0/invoke/whoami.default/method/%2E./x")},
		{name: "a header added", filters: "[{requestHeaderModifier: {add: [{name: dapr-app-id, value: whoami.default}]}}]"},
		{name: "a header set twice", filters: "[{requestHeaderModifier: {set: [{name: dapr-app-id, value: whoami.default}, {name: DAPR-APP-ID, value: cart.default}]}}]"},
		{name: "a header set and removed", filters: "[{requestHeaderModifier: {set: [{name: dapr-app-id, value: whoami.default}], remove: [Dapr-App-ID]}}]"},
		{name: "a URL as the header", filters: "[{requestHeaderModifier: {set: [{name: dapr-app-id, value: 'http://example.com'}]}}]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var filters []gatewayv1.HTTPRouteFilter
			if err := yaml.Unmarshal([]byte(test.filters), &filters); err != nil {
				t.Fatal(err)
			}
			got, ok := mesh.RuleInvocation(filters)
			if ok != test.ok {
				t.Fatalf("ok = %v, want %v", ok, test.ok)
			}
			if diff := cmp.Diff(test.want, got); ok && diff != "" {
				t.Errorf("invocation (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRouteTargets(t *testing.T) {
	var route gatewayv1.HTTPRoute
	if err := yaml.UnmarshalStrict([]byte(`
metadata: {name: r, namespace: shop}
spec:
  rules:
  - backendRefs: [{name: cart, port: 8000}]
  - filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /v1.0/invoke/whoami.default/method//}}}]
    backendRefs: [{name: ingress-dapr, namespace: default, port: 3500}]
  - filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: dapr-app-id, value: cart.shop}]}}]
    backendRefs: [{name: ingress-dapr, namespace: default, port: 3500}, {name: ingress-dapr, namespace: default, port: 3500}]
  - filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: dapr-app-id, value: cart.shop}]}}]
    backendRefs: [{name: ingress-dapr, port: 3500}]
  - backendRefs: [{name: ingress-dapr, namespace: default, port: 3500}]
`), &route); err != nil {
		t.Fatal(err)
	}
	before := route.DeepCopy()
	ingress := mesh.AppRef{Namespace: "default", ID: "ingress"}
	object := mesh.Object{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Namespace: "shop", Name: "r"}
	want := []mesh.RouteTarget{
		{Route: object, Ingress: ingress, App: mesh.AppRef{Namespace: "shop", ID: "cart"}},
		{Route: object, Ingress: ingress, App: mesh.AppRef{Namespace: "default", ID: "whoami"}},
	}
	if diff := cmp.Diff(want, mesh.RouteTargets(&route, []mesh.Ingress{{AppRef: ingress}})); diff != "" {
		t.Errorf("targets (-want +got):\n%s", diff)
	}
	if got := mesh.RouteTargets(&route, nil); len(got) > 0 {
		t.Errorf("targets without an ingress: %v", got)
	}
	if diff := cmp.Diff(before, &route); diff != "" {
		t.Errorf("the route was modified:\n%s", diff)
	}
}

func TestParents(t *testing.T) {
	var refs []gatewayv1.ParentReference
	if err := yaml.UnmarshalStrict([]byte(`
- {name: a}
- {name: a, sectionName: https}
- {name: b, namespace: infra, group: gateway.networking.k8s.io, kind: Gateway}
- {name: s, group: "", kind: Service}
- {name: l, kind: ListenerSet}
- {name: x, group: example.com, kind: Gateway}
`), &refs); err != nil {
		t.Fatal(err)
	}
	want := mesh.RouteParents{
		Gateways:     []mesh.Name{{Namespace: "default", Name: "a"}, {Namespace: "infra", Name: "b"}},
		Services:     []mesh.Name{{Namespace: "default", Name: "s"}},
		ListenerSets: []mesh.Name{{Namespace: "default", Name: "l"}},
		Others:       1,
	}
	if diff := cmp.Diff(want, mesh.Parents("default", refs)); diff != "" {
		t.Errorf("parents (-want +got):\n%s", diff)
	}
}

func TestMissingRemovals(t *testing.T) {
	filters := []gatewayv1.HTTPRouteFilter{{RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{
		Remove: []string{"Dapr-Api-Token", "DAPR-CALLER-APP-ID", "dapr-callee-app-id"},
	}}}
	if diff := cmp.Diff([]string{"dapr-app-id", "dapr-caller-namespace"}, mesh.MissingRemovals(filters, mesh.InvokePrefix)); diff != "" {
		t.Errorf("prefix form (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"dapr-caller-namespace"}, mesh.MissingRemovals(filters, mesh.InvokeHeader)); diff != "" {
		t.Errorf("header form (-want +got):\n%s", diff)
	}
}
