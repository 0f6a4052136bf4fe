// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"fmt"

	"github.com/daprise/daprise/mesh"
)

// optOut (DPR310): a route may not opt out of the mesh (daprise.dev/enabled: "false") with a rule to an enrolled app behind an enrolled
// Gateway where the namespace of any of the three is in mode strict.
func optOut(r *routeFacts) []mesh.Finding {
	if r.annotations[mesh.AnnotationEnabled] != "false" {
		return nil
	}
	for _, d := range r.directs() {
		if r.view.Mode(r.namespace, d.ingress.Namespace, d.app.Namespace) != mesh.ModeStrict {
			continue
		}
		return []mesh.Finding{r.finding(mesh.CodeUnsafeOptOut, "metadata.annotations["+mesh.AnnotationEnabled+"]",
			fmt.Sprintf("the route would reach app %q past its companion, and a namespace of mode %s is concerned", d.app.AppRef, mesh.ModeStrict),
			"Remove the annotation.")}
	}
	return nil
}

// directRule is a rule that goes straight to an app of the mesh, behind an enrolled Gateway.
type directRule struct {
	app     mesh.App
	ingress mesh.Ingress
}

// directs are the rules behind enrolled Gateways that go straight to an app of the mesh, each pair once.
func (r *routeFacts) directs() []directRule {
	var directs []directRule
	seen := map[[2]mesh.AppRef]bool{}
	for _, gateway := range r.parents.Gateways {
		ingress, ok := r.view.IngressOfGateway(gateway)
		if !ok {
			continue
		}
		for i := range r.rules {
			for b := range r.rules[i].BackendRefs {
				service, ok := mesh.BackendService(r.namespace, r.rules[i].BackendRefs[b].BackendObjectReference)
				if !ok {
					continue
				}
				app, ok := r.view.AppOfService(service)
				if pair := [2]mesh.AppRef{app.AppRef, ingress.AppRef}; ok && !seen[pair] {
					seen[pair] = true
					directs = append(directs, directRule{app: app, ingress: ingress})
				}
			}
		}
	}
	return directs
}
