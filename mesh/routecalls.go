// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// RouteCalls is what a route's rules send where, as far as ingress companions have a part in it: what Targets and Splits read, in little memory,
// so that it can be kept of every route.
type RouteCalls struct {
	route Object
	// gateway is the one that the route attaches to, if it is one and the route's owner does not keep it out of the mesh.
	gateway  Name
	attached bool
	backends []routeCall
}

// routeCall is one backendRef that is a Service.
type routeCall struct {
	service Name
	// app is what the backendRef asks the Service for, if invokes.
	app     AppRef
	invokes bool
	rule    int32
}

// CallsOfHTTPRoute reads an HTTPRoute. It does not modify the route.
func CallsOfHTTPRoute(route *gatewayv1.HTTPRoute) RouteCalls {
	c := RouteCalls{route: Object{APIVersion: gatewayv1.GroupVersion.String(), Kind: KindHTTPRoute, Namespace: route.Namespace, Name: route.Name}}
	if parents := Parents(route.Namespace, route.Spec.ParentRefs); len(parents.Gateways) == 1 && route.Annotations[AnnotationEnabled] != "false" {
		c.gateway, c.attached = parents.Gateways[0], true
	}
	for i := range route.Spec.Rules {
		rule := &route.Spec.Rules[i]
		for b := range rule.BackendRefs {
			c.add(i, rule.BackendRefs[b].BackendObjectReference, [2][]gatewayv1.HTTPRouteFilter{rule.Filters, rule.BackendRefs[b].Filters})
		}
	}
	c.backends = slices.Clip(c.backends)
	return c
}

// CallsOfGRPCRoute reads a GRPCRoute. It never needs a Service of its own in front of an ingress companion. It does not modify the route.
func CallsOfGRPCRoute(route *gatewayv1.GRPCRoute) RouteCalls {
	c := RouteCalls{route: Object{APIVersion: gatewayv1.GroupVersion.String(), Kind: KindGRPCRoute, Namespace: route.Namespace, Name: route.Name}}
	for i := range route.Spec.Rules {
		rule := &route.Spec.Rules[i]
		for b := range rule.BackendRefs {
			filters := [2][]gatewayv1.HTTPRouteFilter{httpFilters(rule.Filters), httpFilters(rule.BackendRefs[b].Filters)}
			c.add(i, rule.BackendRefs[b].BackendObjectReference, filters)
		}
	}
	c.backends = slices.Clip(c.backends)
	return c
}

// add reads a backendRef by the filters of its rule and its own.
func (c *RouteCalls) add(rule int, ref gatewayv1.BackendObjectReference, filters [2][]gatewayv1.HTTPRouteFilter) {
	service, ok := BackendService(c.route.Namespace, ref)
	if !ok {
		return
	}
	invocation, invokes := BackendInvocation(filters[0], filters[1])
	c.backends = append(c.backends, routeCall{service: service, app: invocation.App, invokes: invokes, rule: int32(rule)})
}

// Targets are the apps that the route invokes through which of the ingresses: one entry for each pair, sorted. Rules that go straight to an
// app do not count.
func (c RouteCalls) Targets(ingresses []Ingress) []RouteTarget {
	var targets []RouteTarget
	for _, b := range c.backends {
		if target, ok := b.target(ingresses); ok {
			targets = append(targets, target)
		}
	}
	return targetsOf(c.route, targets)
}

// target is the pair that a backendRef invokes, if its Service is one of the companion of one of the ingresses.
func (b routeCall) target(ingresses []Ingress) (RouteTarget, bool) {
	if !b.invokes {
		return RouteTarget{}, false
	}
	i := slices.IndexFunc(ingresses, func(g Ingress) bool { return g.Fronts(b.service, b.app) })
	if i < 0 {
		return RouteTarget{}, false
	}
	return RouteTarget{Ingress: ingresses[i].AppRef, App: b.app}, true
}

// Splits are the pairs of ingress and app for which the route needs a Service of its own in front of the ingress companion: those that it
// names, and those of rules that go straight to several apps, and would name them.
func (c RouteCalls) Splits(view *View) []RouteTarget {
	var splits []RouteTarget
	ingress, attached := Ingress{}, false
	if c.attached {
		ingress, attached = view.IngressOfGateway(c.gateway)
	}
	for from := 0; from < len(c.backends); {
		to := from
		for ; to < len(c.backends) && c.backends[to].rule == c.backends[from].rule; to++ {
			b := c.backends[to]
			if target, ok := b.target(view.Ingresses); ok && b.service.Name == SplitServiceName(target.Ingress, target.App) {
				splits = append(splits, target)
			}
		}
		if apps := view.appsOf(c.backends[from:to]); attached && len(apps) > 1 {
			for _, app := range apps {
				splits = append(splits, RouteTarget{Ingress: ingress.AppRef, App: app})
			}
		}
		from = to
	}
	return targetsOf(c.route, splits)
}

// appsOf are the enrolled apps that a rule of several backends goes straight to, each once.
func (v *View) appsOf(rule []routeCall) []AppRef {
	if len(rule) < 2 {
		return nil
	}
	var apps []AppRef
	for _, b := range rule {
		if app, ok := v.AppOfService(b.service); ok && !slices.Contains(apps, app.AppRef) {
			apps = append(apps, app.AppRef)
		}
	}
	return apps
}
