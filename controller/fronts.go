// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
)

// fronts tells what routes ask of the Services in front of ingress companions, also those that go straight to the apps yet and will join:
// the gRPC port for GRPCRoutes, and a Service for each app of a rule that is divided between several; and which of it is there.
func (b *build) fronts(services []client.Object) error {
	for _, object := range services {
		i := b.ingress(mesh.AppRef{Namespace: object.GetNamespace(), ID: object.GetLabels()[mesh.LabelInstance]})
		if i >= 0 && object.GetName() == mesh.CompanionName(b.view.Ingresses[i].ID) {
			s, err := serviceFrom(object)
			if err != nil {
				return err
			}
			b.view.Ingresses[i].GRPCServed = slices.ContainsFunc(s.Spec.Ports, func(p corev1.ServicePort) bool { return p.Port == mesh.PortGRPC })
		}
	}
	for i := range b.view.Ingresses {
		// A narrow load has not all routes of a Gateway. What it has not is told by what the controller has made of it.
		b.view.Ingresses[i].GRPC = b.need.Narrow && b.view.Ingresses[i].GRPCServed
	}
	for _, target := range slices.Concat(b.view.Routes, b.result.joining) {
		if i := b.ingress(target.Ingress); i >= 0 && target.Route.Kind == mesh.KindGRPCRoute {
			b.view.Ingresses[i].GRPC = true
		}
	}
	for _, r := range b.stored {
		for _, split := range r.calls.Splits(b.view) {
			if i := b.ingress(split.Ingress); i >= 0 {
				b.view.Ingresses[i].Splits = append(b.view.Ingresses[i].Splits, split.App)
			}
		}
	}
	for i := range b.view.Ingresses {
		splits := b.view.Ingresses[i].Splits
		slices.SortFunc(splits, func(x, y mesh.AppRef) int { return compareTargets(mesh.RouteTarget{App: x}, mesh.RouteTarget{App: y}) })
		b.view.Ingresses[i].Splits = slices.Compact(splits)
	}
	return nil
}

// ingress is the index of an ingress in the View, or -1.
func (b *build) ingress(ref mesh.AppRef) int {
	return slices.IndexFunc(b.view.Ingresses, func(g mesh.Ingress) bool { return g.AppRef == ref })
}
