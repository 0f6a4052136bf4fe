// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"fmt"

	"github.com/daprise/daprise/mesh"
)

// routeParents (DPR202): a route with a rule through a companion has no Service as a parent, whose own traffic would be sent to the
// ingress companion by the same rule.
func routeParents(r *routeFacts) []mesh.Finding {
	if len(r.invocations) == 0 || len(r.parents.Services) == 0 {
		return nil
	}
	n := r.invocations[0]
	return []mesh.Finding{r.finding(mesh.CodeMixedParents, "spec.parentRefs",
		fmt.Sprintf("Service %s is a parent of a route whose rules go through the companion of Gateway %s/%s",
			r.parents.Services[0], n.ingress.Namespace, n.ingress.Gateway),
		"Write two routes, one for each kind of parent.")}
}
