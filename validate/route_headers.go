// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// invocationHeaders (DPR204): a rule through a companion takes from its requests every header by which Dapr chooses target, caller or
// permission, and gives none of them a value, but for the dapr-app-id by which it, or each backendRef of a divided rule, names its own target in header form. In prefix form
// it gives none to Authorization either, in which Dapr looks for a target before it looks at the path.
func invocationHeaders(r *routeFacts) []mesh.Finding {
	var findings []mesh.Finding
	for _, n := range r.eachRule() {
		rule := &r.rules[n.rule]
		field := fmt.Sprintf("spec.rules[%d]", n.rule)
		if missing := mesh.MissingRemovals(rule.Filters, n.Form); len(missing) > 0 {
			findings = append(findings, r.finding(mesh.CodeDaprHeaders, field+".filters",
				fmt.Sprintf("the rule invokes app %q and lets clients send %s, by which they could choose another target or caller",
					n.app.AppRef, strings.Join(missing, ", ")),
				"Remove these headers with a RequestHeaderModifier, or name the app's own Service and leave the way through its companion to daprise."))
		}
		findings = append(findings, r.givenHeaders(n, rule.Filters, field+".filters")...)
		for b := range rule.BackendRefs {
			findings = append(findings, r.givenHeaders(n, rule.BackendRefs[b].Filters, fmt.Sprintf("%s.backendRefs[%d].filters", field, b))...)
		}
	}
	return findings
}

func (r *routeFacts) givenHeaders(n invocation, filters []gatewayv1.HTTPRouteFilter, field string) []mesh.Finding {
	inBackend := strings.Contains(field, "backendRefs")
	var findings []mesh.Finding
	for i := range filters {
		modifier := filters[i].RequestHeaderModifier
		if modifier == nil {
			continue
		}
		for _, h := range slices.Concat(modifier.Set, modifier.Add) {
			target := n.Form == mesh.InvokeHeader && inBackend == n.divided && strings.EqualFold(string(h.Name), mesh.HeaderAppID)
			basic := n.Form == mesh.InvokePrefix && strings.EqualFold(string(h.Name), "authorization")
			if (mesh.IsDaprHeader(string(h.Name)) && !target) || basic {
				findings = append(findings, r.finding(mesh.CodeDaprHeaders, fmt.Sprintf("%s[%d].requestHeaderModifier", field, i),
					fmt.Sprintf("the rule invokes app %q and gives a value to header %q, in which Dapr may find another target or caller", n.app.AppRef, h.Name),
					"Leave the header out of the modifier."))
			}
		}
	}
	return findings
}
