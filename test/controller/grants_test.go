// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/test/cluster"
)

// TestGrantsFollowAllowedRoutes: a namespace whose routes go through the ingress companion of another is let in for as long as the Gateway
// admits its routes, and no longer.
func TestGrantsFollowAllowedRoutes(t *testing.T) {
	infra := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	shop := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	g := gateway(infra)
	allow(g, gatewayv1.NamespacesFromSelector)
	through := route(shop, "whoami")
	through.Spec.ParentRefs[0].Namespace = new(gatewayv1.Namespace(infra))
	create(t, g, enrolled(shop, "whoami"), through)
	settled(t, g)
	hasReason(t, shop, "whoami", "Companion", "Ready")
	granted(t, infra)

	label(t, shop, "team", "shop")
	granted(t, infra, "ingress-dapr-from-"+shop)
	got := grants(t, infra)[0].Object["spec"]
	want := map[string]any{
		"from": []any{map[string]any{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": shop}},
		"to":   []any{map[string]any{"group": "", "kind": "Service", "name": "ingress-dapr"}},
	}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("spec (-want +got):\n%s", diff)
	}

	listeners(t, g, gatewayv1.NamespacesFromSame)
	granted(t, infra)
	listeners(t, g, gatewayv1.NamespacesFromAll)
	granted(t, infra, "ingress-dapr-from-"+shop)
	if err := shared.Client.Delete(t.Context(), through); err != nil {
		t.Fatal(err)
	}
	granted(t, infra)
}

// allow sets whose routes the listeners of a Gateway admit; a selector selects team=shop.
func allow(g *gatewayv1.Gateway, from gatewayv1.FromNamespaces) {
	namespaces := &gatewayv1.RouteNamespaces{From: &from}
	if from == gatewayv1.NamespacesFromSelector {
		namespaces.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "shop"}}
	}
	for i := range g.Spec.Listeners {
		g.Spec.Listeners[i].AllowedRoutes = &gatewayv1.AllowedRoutes{Namespaces: namespaces}
	}
}

func listeners(t *testing.T, g *gatewayv1.Gateway, from gatewayv1.FromNamespaces) {
	t.Helper()
	stored := &gatewayv1.Gateway{}
	if err := shared.Client.Get(t.Context(), client.ObjectKeyFromObject(g), stored); err != nil {
		t.Fatal(err)
	}
	before := stored.DeepCopy()
	allow(stored, from)
	if err := shared.Client.Patch(t.Context(), stored, client.MergeFrom(before)); err != nil {
		t.Fatal(err)
	}
}

func label(t *testing.T, ns, key, value string) {
	t.Helper()
	object := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: ns}}
	object.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"})
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, key, value)
	if err := shared.Client.Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatal(err)
	}
}

// granted waits until a namespace's ReferenceGrants have exactly these names.
func granted(t *testing.T, ns string, names ...string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		var got []string
		for _, grant := range grants(t, ns) {
			got = append(got, grant.GetName())
		}
		if diff := cmp.Diff(names, got); diff != "" {
			return errors.New("grants (-want +got):\n" + diff)
		}
		return nil
	})
}

func grants(t *testing.T, ns string) []unstructured.Unstructured {
	t.Helper()
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: gatewayv1.GroupName, Version: "v1beta1", Kind: "ReferenceGrantList"})
	if err := shared.Client.List(t.Context(), list, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	return list.Items
}
