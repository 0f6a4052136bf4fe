// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"fmt"
	"slices"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// leaving (DPR310): an app or ingress does not leave the mesh, or its app ID, while a route sends traffic through its companion and a
// namespace in mode strict is concerned: that traffic would go on past the companions. In the other modes leaving restores the routes
// first. Objects that another one keeps enrolled do not leave.
func leaving(w policy.World, before, after *enrolment) []mesh.Finding {
	ref, enrolled := before.ref()
	if now, _ := after.ref(); !enrolled || now == ref || stays(w.View, ref, after) {
		return nil
	}
	for _, route := range w.View.Routes {
		if route.App != ref && route.Ingress != ref ||
			w.View.Mode(ref.Namespace, route.App.Namespace, route.Ingress.Namespace, route.Route.Namespace) != mesh.ModeStrict {
			continue
		}
		return []mesh.Finding{{
			Code:     mesh.CodeUnsafeOptOut,
			Severity: mesh.Deny,
			Object:   after.object,
			Field:    "metadata.annotations[" + mesh.AnnotationEnabled + "]",
			Message: fmt.Sprintf("app ID %q would leave the mesh while %s sends traffic through its companion, and a namespace of mode strict is concerned",
				ref.ID, route.Route),
			Fix: "Delete the route or point it elsewhere first, or label the namespace daprise.dev/coverage=enforce while the app leaves.",
		}}
	}
	return nil
}

// stays says whether others keep an app ID enrolled: a Deployment's own Service, for example.
func stays(view *mesh.View, ref mesh.AppRef, after *enrolment) bool {
	left := mesh.Enrol(view.Objects.In(ref.Namespace).With(after.meta), view.Config)
	return slices.ContainsFunc(left.Apps, func(a mesh.App) bool { return a.AppRef == ref }) ||
		slices.ContainsFunc(left.Ingresses, func(g mesh.Ingress) bool { return g.AppRef == ref })
}
