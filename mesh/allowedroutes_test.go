// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

func TestAdmitsRoutes(t *testing.T) {
	from := func(f gatewayv1.FromNamespaces, selector *metav1.LabelSelector) func(*gatewayv1.Listener) {
		return func(l *gatewayv1.Listener) {
			l.AllowedRoutes = &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: &f, Selector: selector}}
		}
	}
	kinds := func(list ...gatewayv1.RouteGroupKind) func(*gatewayv1.Listener) {
		return func(l *gatewayv1.Listener) {
			from(gatewayv1.NamespacesFromAll, nil)(l)
			l.AllowedRoutes.Kinds = list
		}
	}
	other := gatewayv1.Group("example.com")
	team := &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}
	tests := []struct {
		name  string
		tweak func(*gatewayv1.Listener)
		// own, shop and plain are the namespaces admitted: the Gateway's, one labelled team=shop, and one without labels.
		own, shop, plain bool
	}{
		{"default", func(*gatewayv1.Listener) {}, true, false, false},
		{"from left out", func(l *gatewayv1.Listener) {
			l.AllowedRoutes = &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{}}
		}, true, false, false},
		{"Same", from(gatewayv1.NamespacesFromSame, team), true, false, false},
		{"All", from(gatewayv1.NamespacesFromAll, nil), true, true, true},
		{"None", from(gatewayv1.NamespacesFromNone, nil), false, false, false},
		{"Selector", from(gatewayv1.NamespacesFromSelector, team), false, true, false},
		{"Selector of everything", from(gatewayv1.NamespacesFromSelector, &metav1.LabelSelector{}), true, true, true},
		{"Selector left out", from(gatewayv1.NamespacesFromSelector, nil), false, false, false},
		{"unreadable Selector", from(gatewayv1.NamespacesFromSelector, &metav1.LabelSelector{
			MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: "Like"}},
		}), false, false, false},
		{"no HTTP", func(l *gatewayv1.Listener) {
			from(gatewayv1.NamespacesFromAll, nil)(l)
			l.Protocol = gatewayv1.TLSProtocolType
		}, false, false, false},
		{"HTTPRoutes", kinds(gatewayv1.RouteGroupKind{Kind: "HTTPRoute"}), true, true, true},
		{"other kinds", kinds(gatewayv1.RouteGroupKind{Kind: "GRPCRoute"}), false, false, false},
		{"the kind of another group", kinds(gatewayv1.RouteGroupKind{Group: &other, Kind: "HTTPRoute"}), false, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gateway := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: "infra", Name: "g"}}
			gateway.Spec.Listeners = []gatewayv1.Listener{
				{Name: "closed", Protocol: gatewayv1.UDPProtocolType}, {Name: "http", Protocol: gatewayv1.HTTPProtocolType},
			}
			tt.tweak(&gateway.Spec.Listeners[1])
			for _, of := range []struct {
				namespace string
				labels    map[string]string
				want      bool
			}{
				{"infra", nil, tt.own}, {"shop", map[string]string{"team": "shop"}, tt.shop}, {"plain", nil, tt.plain},
			} {
				if got := mesh.AdmitsRoutes(gateway, mesh.KindHTTPRoute, of.namespace, of.labels); got != of.want {
					t.Errorf("namespace %s: got %v, want %v", of.namespace, got, of.want)
				}
			}
		})
	}
}
