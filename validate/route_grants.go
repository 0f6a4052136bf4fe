// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"fmt"

	"github.com/daprise/daprise/mesh"
)

// invocationGrants (DPR207): a rule that invokes an app of another namespace needs the ReferenceGrant that a backendRef to the app's
// own Service would need, or going through the companion would grant what the app's owner did not.
func invocationGrants(r *routeFacts) []mesh.Finding {
	var findings []mesh.Finding
	for _, n := range r.eachApp() {
		service := mesh.Name{Namespace: n.app.Namespace, Name: n.app.Service}
		if r.view.Granted(r.kind, r.namespace, service) {
			continue
		}
		findings = append(findings, r.finding(mesh.CodeGrantMissing, fmt.Sprintf("spec.rules[%d]", n.rule),
			fmt.Sprintf("the rule invokes app %q, and no ReferenceGrant in namespace %s lets an %s of namespace %s refer to its Service %s",
				n.app.AppRef, n.app.Namespace, r.kind, r.namespace, n.app.Service),
			fmt.Sprintf("Ask the owner of Service %s for a ReferenceGrant.", service)))
	}
	return findings
}
