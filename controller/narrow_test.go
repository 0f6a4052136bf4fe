// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// frontOf is the Service of ingress companion "ingress" in namespace infra, with the port for GRPCRoutes.
func frontOf() *corev1.Service {
	front := service("infra", "ingress-dapr")
	front.Labels = mesh.ObjectLabels("ingress", mesh.ComponentIngress)
	front.Spec.Ports = []corev1.ServicePort{{Name: "dapr-http", Port: mesh.PortHTTP}, {Name: "dapr-grpc", Port: mesh.PortGRPC}}
	return front
}

// TestNarrowLoad: what else goes through the Gateway of a route is not read for it, and what its companion is made of is not forgotten.
func TestNarrowLoad(t *testing.T) {
	for _, tt := range []struct {
		name         string
		need         mesh.Need
		apps, routes []string
	}{
		{
			name: "a route of another namespace of the same Gateway",
			need: mesh.Need{Namespaces: []string{"infra", "other"}, Gateways: []mesh.Name{{Namespace: "infra", Name: "gateway"}}, Narrow: true},
			apps: []string{"unrelated.other"},
		},
		{
			name: "a route of the Gateway's own namespace",
			need: mesh.Need{Namespaces: []string{"infra"}, Gateways: []mesh.Name{{Namespace: "infra", Name: "gateway"}}, Narrow: true},
		},
		{
			name: "a route to the same app", apps: []string{"whoami.shop"}, routes: []string{"shop/route"},
			need: mesh.Need{Namespaces: []string{"infra", "shop"}, Gateways: []mesh.Name{{Namespace: "infra", Name: "gateway"}}, Narrow: true},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			view := load(t, builder(t, append(objects(), frontOf())...).Build(), tt.need)
			got := summaryOf(view)
			var routes []string
			for _, r := range got.routes {
				routes = append(routes, r.Route.Namespace+"/"+r.Route.Name)
			}
			if diff := cmp.Diff([][]string{tt.apps, tt.routes, {"ingress.infra"}}, [][]string{got.apps, routes, got.ingresses}); diff != "" {
				t.Errorf("apps, routes, ingresses (-want +got):\n%s", diff)
			}
			if len(view.Ingresses) == 1 && !view.Ingresses[0].GRPC {
				t.Error("the companion serves GRPCRoutes, and the View says that it is not to")
			}
		})
	}
}

// TestTargetIndex: routes are found by where they send to, not by the companion on the way.
func TestTargetIndex(t *testing.T) {
	direct := &gatewayv1.HTTPRoute{ObjectMeta: objectMeta("shop", "direct")}
	direct.Spec.Rules = []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
		BackendObjectReference: gatewayv1.BackendObjectReference{Name: "a", Namespace: new(gatewayv1.Namespace("other"))},
	}}}}}
	for _, tt := range []struct {
		name  string
		route client.Object
		want  []string
	}{
		{"through a companion", routeThrough("shop", "infra", mesh.AppRef{Namespace: "apps", ID: "whoami"}), []string{"apps"}},
		{"straight to a Service", direct, []string{"other"}},
	} {
		if diff := cmp.Diff(tt.want, byTarget().keys(tt.route)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}
