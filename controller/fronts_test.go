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

func TestFronts(t *testing.T) {
	backend := func(name string) gatewayv1.BackendRef {
		return gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(name), Port: new(gatewayv1.PortNumber(80))}}
	}
	divided := func() *gatewayv1.HTTPRoute {
		r := &gatewayv1.HTTPRoute{ObjectMeta: objectMeta("default", "r")}
		r.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "default-gateway"}}
		r.Spec.Rules = []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: backend("whoami")}, {BackendRef: backend("cart")}, {BackendRef: backend("whoami")}}}}
		return r
	}
	optedOut := divided()
	optedOut.Annotations = map[string]string{mesh.AnnotationEnabled: "false"}
	through := divided()
	for b, app := range []string{"whoami", "cart", "whoami"} {
		ref := &through.Spec.Rules[0].BackendRefs[b]
		ref.Name = gatewayv1.ObjectName("ingress-dapr-to-" + app)
		ref.Filters = []gatewayv1.HTTPRouteFilter{{RequestHeaderModifier: &gatewayv1.HTTPHeaderFilter{Set: []gatewayv1.HTTPHeader{{Name: "dapr-app-id", Value: app + ".default"}}}}}
	}
	grpc := &gatewayv1.GRPCRoute{ObjectMeta: objectMeta("default", "r")}
	grpc.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "default-gateway"}}
	grpc.Spec.Rules = []gatewayv1.GRPCRouteRule{{BackendRefs: []gatewayv1.GRPCBackendRef{{BackendRef: backend("whoami")}}}}
	both := []mesh.AppRef{{Namespace: "default", ID: "cart"}, {Namespace: "default", ID: "whoami"}}
	service := &corev1.Service{ObjectMeta: objectMeta("default", "ingress-dapr"), Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 3500}, {Port: 50001}}}}
	service.Labels = map[string]string{mesh.LabelInstance: "ingress"}
	for _, c := range []struct {
		name     string
		stored   []route
		services []client.Object
		want     mesh.Ingress
	}{
		{name: "nothing"},
		{name: "a divided rule that will join", stored: []route{routeOf(divided()), routeOf(divided())}, want: mesh.Ingress{Splits: both}},
		{name: "a divided rule", stored: []route{routeOf(through)}, want: mesh.Ingress{Splits: both}},
		{name: "a divided rule that stays outside", stored: []route{routeOf(optedOut)}},
		{name: "gRPC that will join", stored: []route{routeOf(grpc)}, want: mesh.Ingress{GRPC: true}},
		{name: "gRPC is served", services: []client.Object{service}, want: mesh.Ingress{GRPCServed: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			named := func(id string) mesh.App {
				return mesh.App{AppRef: mesh.AppRef{Namespace: "default", ID: id}, Service: id}
			}
			b := &build{view: &mesh.View{
				Apps:      []mesh.App{named("whoami"), named("cart")},
				Ingresses: []mesh.Ingress{{AppRef: mesh.AppRef{Namespace: "default", ID: "ingress"}, Gateway: "default-gateway"}},
			}, stored: c.stored}
			b.result.joining = prospects(b.view, b.stored)
			if err := b.fronts(c.services); err != nil {
				t.Fatal(err)
			}
			c.want.AppRef, c.want.Gateway = b.view.Ingresses[0].AppRef, "default-gateway"
			if diff := cmp.Diff(c.want, b.view.Ingresses[0]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
