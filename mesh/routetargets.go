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
			if ok {
				targets = appendTarget(targets, object, ingresses, service, rule.Filters)
			}
		}
	}
	return sortTargets(targets)
}

// GRPCRouteTargets is RouteTargets for a GRPCRoute.
func GRPCRouteTargets(route *gatewayv1.GRPCRoute, ingresses []Ingress) []RouteTarget {
	object := Object{APIVersion: gatewayv1.GroupVersion.String(), Kind: KindGRPCRoute, Namespace: route.Namespace, Name: route.Name}
	var targets []RouteTarget
	for i := range route.Spec.Rules {
		rule := &route.Spec.Rules[i]
		for b := range rule.BackendRefs {
			service, ok := BackendService(route.Namespace, rule.BackendRefs[b].BackendObjectReference)
			if ok {
				targets = appendTarget(targets, object, ingresses, service, httpFilters(rule.Filters))
			}
		}
	}
	return sortTargets(targets)
}

func appendTarget(targets []RouteTarget, route Object, ingresses []Ingress, service Name, filters []gatewayv1.HTTPRouteFilter) []RouteTarget {
	i := slices.IndexFunc(ingresses, func(g Ingress) bool {
		return g.Namespace == service.Namespace && CompanionName(g.ID) == service.Name
	})
	if i < 0 {
		return targets
	}
	invocation, ok := RuleInvocation(filters)
	if !ok {
		return targets
	}
	target := RouteTarget{Route: route, Ingress: ingresses[i].AppRef, App: invocation.App}
	if slices.Contains(targets, target) {
		return targets
	}
	return append(targets, target)
}

func sortTargets(targets []RouteTarget) []RouteTarget {
	slices.SortFunc(targets, func(a, b RouteTarget) int {
		return cmp.Or(cmp.Compare(a.Ingress.String(), b.Ingress.String()), cmp.Compare(a.App.String(), b.App.String()))
	})
	return targets
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
