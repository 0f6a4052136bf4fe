// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"cmp"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

// ServiceSplit is one backend that a GAMMA route, whose parent is a Service, sends the Service's traffic to.
type ServiceSplit struct {
	Route   Object
	Service Name
	Backend Name
	// Port is that of the backend's Service.
	Port int32
}

// ServiceSplits reads where an HTTPRoute sends the traffic of its parent Services: one entry for each Service, backend and port, sorted.
// Backends of weight 0 get none. It does not modify the route.
func ServiceSplits(route *gatewayv1.HTTPRoute) []ServiceSplit {
	var backends []gatewayv1.BackendRef
	for i := range route.Spec.Rules {
		for b := range route.Spec.Rules[i].BackendRefs {
			backends = append(backends, route.Spec.Rules[i].BackendRefs[b].BackendRef)
		}
	}
	object := Object{APIVersion: gatewayv1.GroupVersion.String(), Kind: KindHTTPRoute, Namespace: route.Namespace, Name: route.Name}
	return serviceSplits(object, Parents(route.Namespace, route.Spec.ParentRefs), backends)
}

// GRPCServiceSplits is ServiceSplits for a GRPCRoute.
func GRPCServiceSplits(route *gatewayv1.GRPCRoute) []ServiceSplit {
	var backends []gatewayv1.BackendRef
	for i := range route.Spec.Rules {
		for b := range route.Spec.Rules[i].BackendRefs {
			backends = append(backends, route.Spec.Rules[i].BackendRefs[b].BackendRef)
		}
	}
	object := Object{APIVersion: gatewayv1.GroupVersion.String(), Kind: KindGRPCRoute, Namespace: route.Namespace, Name: route.Name}
	return serviceSplits(object, Parents(route.Namespace, route.Spec.ParentRefs), backends)
}

func serviceSplits(route Object, parents RouteParents, backends []gatewayv1.BackendRef) []ServiceSplit {
	var splits []ServiceSplit
	for _, service := range parents.Services {
		for _, backend := range backends {
			name, ok := BackendService(route.Namespace, backend.BackendObjectReference)
			if !ok || backend.Port == nil || backend.Weight != nil && *backend.Weight == 0 {
				continue
			}
			splits = append(splits, ServiceSplit{Route: route, Service: service, Backend: name, Port: *backend.Port})
		}
	}
	slices.SortFunc(splits, func(a, b ServiceSplit) int {
		return cmp.Or(
			cmp.Compare(a.Service.String(), b.Service.String()), cmp.Compare(a.Backend.String(), b.Backend.String()), cmp.Compare(a.Port, b.Port),
		)
	})
	return slices.Compact(splits)
}
