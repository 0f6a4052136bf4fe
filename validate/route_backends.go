// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"fmt"

	"github.com/daprise/daprise/mesh"
)

// invocationBackends (DPR201): a rule that goes through a companion goes nowhere else. Its filters rewrite the path of every request,
// and a backend that is no companion would receive paths that are meant for Dapr.
func invocationBackends(r *routeFacts) []mesh.Finding {
	var findings []mesh.Finding
	for _, n := range r.eachRule() {
		for b := range r.rules[n.rule].BackendRefs {
			ref := r.rules[n.rule].BackendRefs[b].BackendObjectReference
			service, ok := mesh.BackendService(r.namespace, ref)
			if ok && r.view.IsCompanionService(service) {
				continue
			}
			findings = append(findings, r.finding(mesh.CodeMixedBackends, fmt.Sprintf("spec.rules[%d].backendRefs[%d]", n.rule, b),
				fmt.Sprintf("backend %q is outside the mesh, and the rule goes through the companion of Gateway %s/%s to app %q",
					ref.Name, n.ingress.Namespace, n.ingress.Gateway, n.app.AppRef),
				"Give each a rule of its own."))
		}
	}
	return findings
}
