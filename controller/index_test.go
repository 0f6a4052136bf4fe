// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

func TestRouteReferences(t *testing.T) {
	direct := &gatewayv1.HTTPRoute{ObjectMeta: objectMeta("shop", "r")}
	direct.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "gateway", Namespace: new(gatewayv1.Namespace("infra"))}}
	direct.Spec.Rules = []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{{
		BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{Name: "whoami"}},
	}}}}
	grpc := &gatewayv1.GRPCRoute{ObjectMeta: objectMeta("shop", "r")}
	grpc.Spec.Rules = []gatewayv1.GRPCRouteRule{{
		Filters: []gatewayv1.GRPCRouteFilter{{Type: gatewayv1.GRPCRouteFilterRequestHeaderModifier, RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{
			Set: []gatewayv1.HTTPHeader{{Name: "dapr-app-id", Value: "whoami.other"}},
		}}},
		BackendRefs: []gatewayv1.GRPCBackendRef{{BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{Name: "ingress-dapr"}}}},
	}}
	tests := []struct {
		name       string
		route      route
		references []string
		namespaces []string
	}{
		{name: "direct", route: routeOf(direct), references: []string{"Gateway/infra/gateway", "Service/shop/whoami"}, namespaces: []string{"infra", "shop"}},
		{name: "through a companion", route: routeOf(routeThrough("shop", "infra", mesh.AppRef{Namespace: "other", ID: "whoami"})),
			references: []string{"Gateway/infra/gateway", "Service/infra/ingress-dapr", "app/other/whoami"}, namespaces: []string{"infra", "other", "shop"}},
		{name: "gRPC through a companion", route: routeOf(grpc),
			references: []string{"Service/shop/ingress-dapr", "app/other/whoami"}, namespaces: []string{"other", "shop"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.references, test.route.references()); diff != "" {
				t.Errorf("references (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.namespaces, test.route.need.Namespaces); diff != "" {
				t.Errorf("namespaces (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCallersOf(t *testing.T) {
	view := &mesh.View{
		Apps: []mesh.App{app(func(a *mesh.App) {
			a.Callers = []mesh.AppRef{{Namespace: "default", ID: "orders"}, {Namespace: "default", ID: "ingress"}}
		})},
		Routes: []mesh.RouteTarget{
			{Ingress: mesh.AppRef{Namespace: "infra", ID: "edge"}, App: app().AppRef},
			{Ingress: mesh.AppRef{Namespace: "default", ID: "ingress"}, App: app().AppRef},
			{Ingress: mesh.AppRef{Namespace: "infra", ID: "edge"}, App: mesh.AppRef{Namespace: "default", ID: "other"}},
		},
	}
	want := []mesh.AppRef{{Namespace: "infra", ID: "edge"}, {Namespace: "default", ID: "ingress"}, {Namespace: "default", ID: "orders"}}
	if diff := cmp.Diff(want, callersOf(view)[app().AppRef]); diff != "" {
		t.Errorf("callers (-want +got):\n%s", diff)
	}
}
