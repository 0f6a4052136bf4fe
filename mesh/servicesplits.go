// SPDX-License-Identifier: Apache-2.0

package mesh

import (
	"cmp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
	return serviceSplits(KindHTTPRoute, route, route.Spec.ParentRefs, backends)
}

// GRPCServiceSplits is ServiceSplits for a GRPCRoute.
func GRPCServiceSplits(route *gatewayv1.GRPCRoute) []ServiceSplit {
	var backends []gatewayv1.BackendRef
	for i := range route.Spec.Rules {
		for b := range route.Spec.Rules[i].BackendRefs {
			backends = append(backends, route.Spec.Rules[i].BackendRefs[b].BackendRef)
		}
	}
	return serviceSplits(KindGRPCRoute, route, route.Spec.ParentRefs, backends)
}

func serviceSplits(kind string, route metav1.Object, parents []gatewayv1.ParentReference, backends []gatewayv1.BackendRef) []ServiceSplit {
	object := Object{APIVersion: gatewayv1.GroupVersion.String(), Kind: kind, Namespace: route.GetNamespace(), Name: route.GetName()}
	var splits []ServiceSplit
	for _, service := range Parents(object.Namespace, parents).Services {
		for _, backend := range backends {
			name, ok := BackendService(object.Namespace, backend.BackendObjectReference)
			if !ok || backend.Port == nil || backend.Weight != nil && *backend.Weight == 0 {
				continue
			}
			splits = append(splits, ServiceSplit{Route: object, Service: service, Backend: name, Port: *backend.Port})
		}
	}
	slices.SortFunc(splits, func(a, b ServiceSplit) int {
		return cmp.Or(
			cmp.Compare(a.Service.String(), b.Service.String()), cmp.Compare(a.Backend.String(), b.Backend.String()), cmp.Compare(a.Port, b.Port),
		)
	})
	return slices.Compact(splits)
}
