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
	object := Object{APIVersion: gatewayv1.GroupVersion.String(), Kind: KindHTTPRoute, Namespace: route.Namespace, Name: route.Name}
	var targets []RouteTarget
	for i := range route.Spec.Rules {
		rule := &route.Spec.Rules[i]
		for b := range rule.BackendRefs {
			service, ok := BackendService(route.Namespace, rule.BackendRefs[b].BackendObjectReference)
			if !ok {
				continue
			}
			if target, ok := targetOf(ingresses, service, [2][]gatewayv1.HTTPRouteFilter{rule.Filters, rule.BackendRefs[b].Filters}); ok {
				targets = append(targets, target)
			}
		}
	}
	return targetsOf(object, targets)
}

// GRPCRouteTargets is RouteTargets for a GRPCRoute.
func GRPCRouteTargets(route *gatewayv1.GRPCRoute, ingresses []Ingress) []RouteTarget {
	object := Object{APIVersion: gatewayv1.GroupVersion.String(), Kind: KindGRPCRoute, Namespace: route.Namespace, Name: route.Name}
	var targets []RouteTarget
	for i := range route.Spec.Rules {
		rule := &route.Spec.Rules[i]
		for b := range rule.BackendRefs {
			service, ok := BackendService(route.Namespace, rule.BackendRefs[b].BackendObjectReference)
			if !ok {
				continue
			}
			if target, ok := targetOf(ingresses, service, [2][]gatewayv1.HTTPRouteFilter{httpFilters(rule.Filters), httpFilters(rule.BackendRefs[b].Filters)}); ok {
				targets = append(targets, target)
			}
		}
	}
	return targetsOf(object, targets)
}

// targetOf is the pair that a rule invokes through a Service, by the filters of the rule and of its backendRef, if the Service is one of
// the companion of one of the ingresses.
func targetOf(ingresses []Ingress, service Name, filters [2][]gatewayv1.HTTPRouteFilter) (RouteTarget, bool) {
	invocation, ok := BackendInvocation(filters[0], filters[1])
	if !ok {
		return RouteTarget{}, false
	}
	i := slices.IndexFunc(ingresses, func(g Ingress) bool { return g.Fronts(service, invocation.App) })
	if i < 0 {
		return RouteTarget{}, false
	}
	return RouteTarget{Ingress: ingresses[i].AppRef, App: invocation.App}, true
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
