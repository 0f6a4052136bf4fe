// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/daprise/daprise/mesh"
)

func TestGrantsOfIngress(t *testing.T) {
	ref := mesh.AppRef{Namespace: "infra", ID: "ingress"}
	app := mesh.AppRef{Namespace: "shop", ID: "whoami"}
	through := func(kind, namespace string, ingress mesh.AppRef) mesh.RouteTarget {
		return mesh.RouteTarget{Route: mesh.Object{Kind: kind, Namespace: namespace, Name: "r"}, Ingress: ingress, App: app}
	}
	tests := []struct {
		name   string
		from   gatewayv1.FromNamespaces
		splits []mesh.AppRef
		routes []mesh.RouteTarget
		want   []string
	}{
		{"no routes", gatewayv1.NamespacesFromAll, nil, nil, nil},
		{"its own namespace", gatewayv1.NamespacesFromAll, nil, []mesh.RouteTarget{through("HTTPRoute", "infra", ref)}, nil},
		{"another ingress", gatewayv1.NamespacesFromAll, nil, []mesh.RouteTarget{through("HTTPRoute", "shop", mesh.AppRef{Namespace: "infra", ID: "other"})}, nil},
		{"not admitted", gatewayv1.NamespacesFromSame, nil, []mesh.RouteTarget{through("HTTPRoute", "shop", ref)}, nil},
		{"two namespaces and both kinds", gatewayv1.NamespacesFromAll, nil,
			[]mesh.RouteTarget{through("HTTPRoute", "shop", ref), through("GRPCRoute", "shop", ref), through("HTTPRoute", "shop", ref), through("HTTPRoute", "cart", ref)},
			[]string{"infra/ingress-dapr-from-cart HTTPRoute cart ingress-dapr", "infra/ingress-dapr-from-shop GRPCRoute shop HTTPRoute shop ingress-dapr"}},
		{"a divided rule", gatewayv1.NamespacesFromAll, []mesh.AppRef{app}, []mesh.RouteTarget{through("HTTPRoute", "shop", ref)},
			[]string{"infra/ingress-dapr-from-shop HTTPRoute shop ingress-dapr ingress-dapr-to-whoami-shop"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gateway := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "infra", Name: "g"}}
			gateway.Spec.Listeners = []gatewayv1.Listener{{
				Protocol: gatewayv1.HTTPProtocolType, AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: &tt.from}},
			}}
			view := &mesh.View{Objects: mesh.Objects{Gateways: []*gatewayv1.Gateway{gateway}}, Routes: tt.routes}
			var got []string
			for _, object := range grantsOfIngress(view, mesh.Ingress{AppRef: ref, Gateway: "g", Splits: tt.splits}) {
				got = append(got, lineOf(object.(*gatewayv1beta1.ReferenceGrant)))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// lineOf is a grant in one line.
func lineOf(grant *gatewayv1beta1.ReferenceGrant) string {
	line := grant.Namespace + "/" + grant.Name
	for _, from := range grant.Spec.From {
		line += fmt.Sprintf(" %s %s", from.Kind, from.Namespace)
	}
	for _, to := range grant.Spec.To {
		line += fmt.Sprintf(" %s", *to.Name)
	}
	return line
}
