// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"cmp"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// Kinds of routes that daprise rewrites.
const (
	KindHTTPRoute = "HTTPRoute"
	KindGRPCRoute = "GRPCRoute"
)

// RouteTargets reads which apps a stored HTTPRoute invokes through which of the ingresses: one entry for each pair, sorted. Rules
// that go straight to an app do not count. It does not modify the route.
func RouteTargets(route *gatewayv1.HTTPRoute, ingresses []Ingress) []RouteTarget {
	return CallsOfHTTPRoute(route).Targets(ingresses)
}

// GRPCRouteTargets is RouteTargets for a GRPCRoute.
func GRPCRouteTargets(route *gatewayv1.GRPCRoute, ingresses []Ingress) []RouteTarget {
	return CallsOfGRPCRoute(route).Targets(ingresses)
}

// targetsOf are the targets of one route, sorted, each once.
func targetsOf(route Object, targets []RouteTarget) []RouteTarget {
	for i := range targets {
		targets[i].Route = route
	}
	slices.SortFunc(targets, func(a, b RouteTarget) int {
		return cmp.Or(
			cmp.Compare(a.Ingress.ID, b.Ingress.ID), cmp.Compare(a.Ingress.Namespace, b.Ingress.Namespace),
			cmp.Compare(a.App.ID, b.App.ID), cmp.Compare(a.App.Namespace, b.App.Namespace),
		)
	})
	return slices.Compact(targets)
}

// httpFilters reads the filters that both kinds of routes share.
func httpFilters(filters []gatewayv1.GRPCRouteFilter) []gatewayv1.HTTPRouteFilter {
	shared := make([]gatewayv1.HTTPRouteFilter, 0, len(filters))
	for _, f := range filters {
		shared = append(shared, gatewayv1.HTTPRouteFilter{
			Type:                   gatewayv1.HTTPRouteFilterType(f.Type),
			RequestHeaderModifier:  f.RequestHeaderModifier,
			ResponseHeaderModifier: f.ResponseHeaderModifier,
			RequestMirror:          f.RequestMirror,
			ExtensionRef:           f.ExtensionRef,
		})
	}
	return shared
}
