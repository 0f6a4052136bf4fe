// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// RouteSplits are the pairs of ingress and app for which a stored HTTPRoute needs a Service of its own in front of the ingress companion
// (SplitServiceName): those that its rules name as backends, also while the route leaves the mesh, and those of rules that still go
// straight to several apps and will be divided through the companion once these Services are there. Sorted, each once. It does not
// modify its arguments.
func RouteSplits(route *gatewayv1.HTTPRoute, view *View) []RouteTarget {
	object := Object{APIVersion: gatewayv1.GroupVersion.String(), Kind: KindHTTPRoute, Namespace: route.Namespace, Name: route.Name}
	var splits []RouteTarget
	ingress, attached := Ingress{}, false
	if parents := Parents(route.Namespace, route.Spec.ParentRefs); len(parents.Gateways) == 1 && route.Annotations[AnnotationEnabled] != "false" {
		ingress, attached = view.IngressOfGateway(parents.Gateways[0])
	}
	for i := range route.Spec.Rules {
		rule := &route.Spec.Rules[i]
		splits = append(splits, namedSplits(route.Namespace, rule, view.Ingresses)...)
		if apps := view.appsOf(route.Namespace, rule); attached && len(apps) > 1 {
			for _, app := range apps {
				splits = append(splits, RouteTarget{Ingress: ingress.AppRef, App: app})
			}
		}
	}
	return targetsOf(object, splits)
}

// namedSplits are those whose Services a rule names.
func namedSplits(namespace string, rule *gatewayv1.HTTPRouteRule, ingresses []Ingress) []RouteTarget {
	var splits []RouteTarget
	for b := range rule.BackendRefs {
		service, ok := BackendService(namespace, rule.BackendRefs[b].BackendObjectReference)
		if !ok {
			continue
		}
		filters := [2][]gatewayv1.HTTPRouteFilter{rule.Filters, rule.BackendRefs[b].Filters}
		if target, ok := targetOf(ingresses, service, filters); ok && service.Name == SplitServiceName(target.Ingress, target.App) {
			splits = append(splits, target)
		}
	}
	return splits
}

// appsOf are the enrolled apps that a rule goes straight to, each once.
func (v *View) appsOf(namespace string, rule *gatewayv1.HTTPRouteRule) []AppRef {
	var apps []AppRef
	for b := range rule.BackendRefs {
		service, ok := BackendService(namespace, rule.BackendRefs[b].BackendObjectReference)
		if !ok {
			continue
		}
		if app, ok := v.AppOfService(service); ok && !slices.Contains(apps, app.AppRef) {
			apps = append(apps, app.AppRef)
		}
	}
	return apps
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
