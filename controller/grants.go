// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"maps"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

// grantsOfIngress are the ReferenceGrants of an ingress companion: for the namespaces whose routes go through it, or will, and which its
// Gateway admits. view is prospective. Sorted by namespace.
func grantsOfIngress(view *mesh.View, ingress mesh.Ingress) []client.Object {
	gateway := gatewayOf(view, ingress)
	if gateway == nil {
		return nil
	}
	from := map[string]companion.RoutesFrom{}
	for _, target := range view.Routes {
		ns := target.Route.Namespace
		if target.Ingress != ingress.AppRef || ns == ingress.Namespace || !mesh.AdmitsRoutes(gateway, target.Route.Kind, ns, view.Namespaces[ns]) {
			continue
		}
		f := from[ns]
		f.Namespace, f.Kinds, f.Services = ns, append(f.Kinds, target.Route.Kind), append(f.Services, splitsFor(ingress, target.App)...)
		from[ns] = f
	}
	var grants []client.Object
	for _, ns := range slices.Sorted(maps.Keys(from)) {
		f := from[ns]
		f.Kinds = sortedUnion(f.Kinds, nil)
		f.Services = append([]string{mesh.CompanionName(ingress.ID)}, sortedUnion(f.Services, nil)...)
		for _, grant := range companion.Grants(ingress, f) {
			grants = append(grants, grant)
		}
	}
	return grants
}

// splitsFor is the Service that stands in front of an ingress companion for one app, if there is one.
func splitsFor(ingress mesh.Ingress, app mesh.AppRef) []string {
	if !slices.Contains(ingress.Splits, app) {
		return nil
	}
	return []string{mesh.SplitServiceName(ingress.AppRef, app)}
}

// ends concerns the namespaces of apps that routes of enrolled Gateways of the need go to straight yet: they will go through the ingress
// companions, which must be ready for that.
func (b *build) ends(ctx context.Context) error {
	enrolled := map[mesh.Name]bool{}
	for _, ns := range b.need.Namespaces {
		gateways, err := listed[*gatewayv1.Gateway](ctx, b, kindGateway, scope{namespace: ns})
		if err != nil {
			return err
		}
		for _, g := range gateways {
			enrolled[mesh.Name{Namespace: g.Namespace, Name: g.Name}] = true
		}
	}
	for _, r := range b.stored {
		if !r.optedOut && slices.ContainsFunc(r.need.Gateways, func(name mesh.Name) bool { return enrolled[name] }) {
			b.concern(r.need.Namespaces...)
		}
	}
	return nil
}

// expected adds the grants that daprise is about to write to those that a View knows: a new route of a namespace that the Gateway admits
// goes through the companion at once, and its grant follows. Routes are judged so in all namespaces concerned, since the route of a
// request is not stored yet.
func (b *build) expected() {
	for i := range b.view.Ingresses {
		ingress := &b.view.Ingresses[i]
		gateway := gatewayOf(b.view, *ingress)
		if gateway == nil || slices.Contains(b.missing, "ReferenceGrant") {
			continue
		}
		for _, ns := range slices.Sorted(maps.Keys(b.view.Namespaces)) {
			for _, kind := range []string{mesh.KindHTTPRoute, mesh.KindGRPCRoute} {
				if ns != ingress.Namespace && mesh.AdmitsRoutes(gateway, kind, ns, b.view.Namespaces[ns]) {
					b.view.Grants = append(b.view.Grants, expectedGrants(*ingress, kind, ns)...)
				}
			}
		}
	}
}

func expectedGrants(ingress mesh.Ingress, kind, namespace string) []mesh.Grant {
	grant := mesh.Grant{Namespace: ingress.Namespace, FromKind: kind, FromNamespace: namespace, Service: mesh.CompanionName(ingress.ID)}
	grants := []mesh.Grant{grant}
	for _, app := range ingress.Splits {
		grant.Service = mesh.SplitServiceName(ingress.AppRef, app)
		grants = append(grants, grant)
	}
	return grants
}

// gatewayOf is the Gateway of an ingress, or nil.
func gatewayOf(view *mesh.View, ingress mesh.Ingress) *gatewayv1.Gateway {
	i := slices.IndexFunc(view.Objects.Gateways, func(g *gatewayv1.Gateway) bool {
		return g.Namespace == ingress.Namespace && g.Name == ingress.Gateway
	})
	if i < 0 {
		return nil
	}
	return view.Objects.Gateways[i]
}
