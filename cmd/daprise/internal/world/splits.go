// SPDX-License-Identifier: Apache-2.0

package world

import (
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/cmd/daprise/internal/graph"
	"github.com/daprise/daprise/mesh"
)

// Splits are the parts into which routes that attach to Services divide their traffic (GAMMA).
func (w *World) Splits() []graph.Split {
	var splits []graph.Split
	for _, o := range w.Objects {
		route, ok := o.typed.(*gatewayv1.HTTPRoute)
		if !ok {
			continue
		}
		for _, service := range mesh.Parents(route.Namespace, route.Spec.ParentRefs).Services {
			for i := range route.Spec.Rules {
				splits = append(splits, splitsOf(route.Namespace, service, route.Spec.Rules[i].BackendRefs)...)
			}
		}
	}
	return splits
}

func splitsOf(namespace string, service mesh.Name, refs []gatewayv1.HTTPBackendRef) []graph.Split {
	var splits []graph.Split
	for i := range refs {
		backend, ok := mesh.BackendService(namespace, refs[i].BackendObjectReference)
		if !ok {
			continue
		}
		s := graph.Split{Service: service, Backend: backend, Weight: 1}
		if refs[i].Weight != nil {
			s.Weight = *refs[i].Weight
		}
		splits = append(splits, s)
	}
	return splits
}
