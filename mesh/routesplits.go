// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// RouteSplits are the pairs of ingress and app for which a stored HTTPRoute needs a Service of its own in front of the ingress companion
// (SplitServiceName): those that its rules name as backends, also while the route leaves the mesh, and those of rules that still go
// straight to several apps and will be divided through the companion once these Services are there. Sorted, each once. It does not
// modify its arguments.
func RouteSplits(route *gatewayv1.HTTPRoute, view *View) []RouteTarget {
	return CallsOfHTTPRoute(route).Splits(view)
}

// RouteApps are the apps that an HTTPRoute's rules ask whatever they go through for, whether or not that is an ingress companion. Sorted,
// each once.
func RouteApps(route *gatewayv1.HTTPRoute) []AppRef {
	var apps []RouteTarget
	for i := range route.Spec.Rules {
		rule := &route.Spec.Rules[i]
		for b := range rule.BackendRefs {
			if invocation, ok := BackendInvocation(rule.Filters, rule.BackendRefs[b].Filters); ok {
				apps = append(apps, RouteTarget{App: invocation.App})
			}
		}
	}
	return appsAlone(apps)
}

// GRPCRouteApps is RouteApps for a GRPCRoute.
func GRPCRouteApps(route *gatewayv1.GRPCRoute) []AppRef {
	var apps []RouteTarget
	for i := range route.Spec.Rules {
		if invocation, ok := RuleInvocation(httpFilters(route.Spec.Rules[i].Filters)); ok {
			apps = append(apps, RouteTarget{App: invocation.App})
		}
	}
	return appsAlone(apps)
}

func appsAlone(targets []RouteTarget) []AppRef {
	var apps []AppRef
	for _, t := range targetsOf(Object{}, targets) {
		apps = append(apps, t.App)
	}
	return apps
}
