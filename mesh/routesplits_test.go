// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
)

func TestBackendInvocation(t *testing.T) {
	const none = "[]"
	set := func(value string) string {
		return "[{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: dapr-app-id, value: " + value + "}]}}]"
	}
	remove := "[{type: RequestHeaderModifier, requestHeaderModifier: {remove: [Dapr-App-Id]}}]"
	path := "[{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /v1.0/invoke/cart.default/method/x}}}]"
	own := "[{type: URLRewrite, urlRewrite: {path: {type: ReplaceFullPath, replaceFullPath: /x}}}]"
	for _, c := range []struct{ name, rule, backend, want string }{
		{name: "none", rule: none, backend: none},
		{name: "the rule's", rule: set("whoami.default"), backend: none, want: "whoami.default"},
		{name: "the rule's path", rule: path, backend: none, want: "cart.default"},
		{name: "the backendRef's", rule: none, backend: set("whoami.default"), want: "whoami.default"},
		{name: "the backendRef's, with a path of the app's", rule: own, backend: set("whoami.default"), want: "whoami.default"},
		{name: "both", rule: set("whoami.default"), backend: set("whoami.default")},
		{name: "taken away by the rule", rule: remove, backend: set("whoami.default")},
		{name: "a path that invokes too", rule: path, backend: set("whoami.default")},
		{name: "no app", rule: none, backend: set("http://example.com")},
		{name: "removed at the backendRef", rule: set("whoami.default"), backend: remove, want: "whoami.default"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var rule, backend []gatewayv1.HTTPRouteFilter
			for text, into := range map[string]*[]gatewayv1.HTTPRouteFilter{c.rule: &rule, c.backend: &backend} {
				if err := yaml.Unmarshal([]byte(text), into); err != nil {
					t.Fatal(err)
				}
			}
			if c.rule == c.backend {
				backend = rule
			}
			got, ok := mesh.BackendInvocation(rule, backend)
			if ok != (c.want != "") || ok && got.App.String() != c.want {
				t.Errorf("want %q, got %v %v", c.want, got, ok)
			}
		})
	}
}

const dividedSpec = `
parentRefs: [{name: default-gateway}]
rules:
- backendRefs: [{name: whoami, port: 80}, {name: cart, namespace: shop, port: 8000}, {name: whoami, port: 80}]
- backendRefs: [{name: whoami, port: 80}, {name: legacy, port: 80}]
`

const throughSpec = `
parentRefs: [{name: default-gateway}]
rules:
- backendRefs:
  - {name: ingress-dapr-to-whoami, port: 3500, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: dapr-app-id, value: whoami.default}]}}]}
  - {name: ingress-dapr-to-cart-shop, port: 3500, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: dapr-app-id, value: cart.shop}]}}]}
- filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: dapr-app-id, value: whoami.default}]}}]
  backendRefs: [{name: ingress-dapr, port: 3500}]
`

func TestRouteSplits(t *testing.T) {
	view := &mesh.View{
		Apps: []mesh.App{
			{AppRef: mesh.AppRef{Namespace: "default", ID: "whoami"}, Service: "whoami"}, {AppRef: mesh.AppRef{Namespace: "shop", ID: "cart"}, Service: "cart"},
		},
		Ingresses: []mesh.Ingress{{AppRef: mesh.AppRef{Namespace: "default", ID: "ingress"}, Gateway: "default-gateway"}},
	}
	both := []string{"ingress.default cart.shop", "ingress.default whoami.default"}
	for _, c := range []struct {
		name, spec, from, to string
		annotations          map[string]string
		splits, apps         []string
	}{
		{name: "direct", spec: dividedSpec, splits: both},
		{name: "opted out", spec: dividedSpec, annotations: map[string]string{mesh.AnnotationEnabled: "false"}},
		{name: "another Gateway", spec: dividedSpec, from: "default-gateway", to: "other"},
		{name: "one app", spec: dividedSpec, from: "name: cart", to: "name: legacy"},
		{name: "through the companion", spec: throughSpec, splits: both, apps: []string{"cart.shop", "whoami.default"}},
		{name: "through the companion of another Gateway", spec: throughSpec, from: "default-gateway", to: "other", splits: both, apps: []string{"cart.shop", "whoami.default"}},
		{name: "named by hand", spec: throughSpec, from: "ingress-dapr-to-cart-shop", to: "ingress-dapr", splits: both[1:], apps: []string{"cart.shop", "whoami.default"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			route := &gatewayv1.HTTPRoute{}
			route.Namespace, route.Annotations = "default", c.annotations
			spec := c.spec
			if c.from != "" {
				spec = strings.Replace(spec, c.from, c.to, 1)
			}
			if err := yaml.UnmarshalStrict([]byte(spec), &route.Spec); err != nil {
				t.Fatal(err)
			}
			var splits, apps []string
			for _, s := range mesh.RouteSplits(route, view) {
				splits = append(splits, s.Ingress.String()+" "+s.App.String())
			}
			for _, a := range mesh.RouteApps(route) {
				apps = append(apps, a.String())
			}
			if diff := cmp.Diff(c.splits, splits); diff != "" {
				t.Errorf("splits (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.apps, apps); diff != "" {
				t.Errorf("apps (-want +got):\n%s", diff)
			}
			if got := len(mesh.RouteTargets(route, view.Ingresses)); got != len(c.apps) {
				t.Errorf("%d targets for %d apps", got, len(c.apps))
			}
		})
	}
}

// TestIsCompanionServiceOfSplits wants the names of Services for divided rules to belong to the companion before they are made, and
// while they are cut.
func TestIsCompanionServiceOfSplits(t *testing.T) {
	long := strings.Repeat("a", 54)
	view := &mesh.View{
		Apps:      []mesh.App{{AppRef: mesh.AppRef{Namespace: "default", ID: "whoami"}}, {AppRef: mesh.AppRef{Namespace: "default", ID: long}}},
		Ingresses: []mesh.Ingress{{AppRef: mesh.AppRef{Namespace: "default", ID: "ingress"}}, {AppRef: mesh.AppRef{Namespace: "default", ID: long}}},
	}
	for _, g := range view.Ingresses {
		for _, a := range view.Apps {
			name := mesh.Name{Namespace: "default", Name: mesh.SplitServiceName(g.AppRef, a.AppRef)}
			if !view.IsCompanionService(name) {
				t.Errorf("%s belongs to nobody", name)
			}
			if name.Namespace = "other"; view.IsCompanionService(name) {
				t.Errorf("%s belongs to a companion", name)
			}
		}
	}
	if view.IsCompanionService(mesh.Name{Namespace: "default", Name: "ingress-dapr-to-nobody"}) {
		t.Error("a Service for no app belongs to a companion")
	}
}
