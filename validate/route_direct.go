// SPDX-License-Identifier: Apache-2.0

package validate

import "github.com/daprise/daprise/mesh"

// directRules (DPR212, warns): a rule behind an enrolled Gateway that goes straight to an app of the mesh is joining, unless the route
// opts out.
func directRules(r *routeFacts) []mesh.Finding {
	if r.annotations[mesh.AnnotationEnabled] == "false" {
		return nil
	}
	var findings []mesh.Finding
	for _, d := range r.directs() {
		findings = append(findings, mesh.Joining(r.object, d.app, d.ingress))
	}
	return findings
}
