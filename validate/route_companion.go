// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"fmt"
	"slices"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// companionServices (DPR208): a companion's Service may be named by nothing but a rule that invokes an enrolled app through it, the
// companion being that of the one Gateway the route attaches to, at its port for the kind of route. A mirror, an external
// authorization or a GAMMA parent may not name it, nor any route that attaches elsewhere: each would be a way around what is checked
// on the way through. Every kind of route and every Gateway is held to it, enrolled or not.
func companionServices(r *routeFacts) []mesh.Finding {
	var findings []mesh.Finding
	for _, service := range r.parents.Services {
		if r.view.IsCompanionService(service) {
			findings = append(findings, r.finding(mesh.CodeCompanionService, "spec.parentRefs",
				fmt.Sprintf("parent Service %s belongs to a companion, whose traffic no route may take over", service),
				"Name the app's own Service as the parent."))
		}
	}
	for i := range r.rules {
		rule := &r.rules[i]
		at := fmt.Sprintf("spec.rules[%d].", i)
		findings = append(findings, r.companionFilters(rule.Filters, at+"filters")...)
		for b := range rule.BackendRefs {
			field := fmt.Sprintf("%sbackendRefs[%d]", at, b)
			findings = append(findings, r.companionFilters(rule.BackendRefs[b].Filters, field+".filters")...)
			service, ok := mesh.BackendService(r.namespace, rule.BackendRefs[b].BackendObjectReference)
			if !ok || !r.view.IsCompanionService(service) {
				continue
			}
			if problem := r.misuse(i, b, service); problem != "" {
				findings = append(findings, r.finding(mesh.CodeCompanionService, field,
					fmt.Sprintf("the rule names Service %s, which belongs to a companion, and %s", service, problem),
					"Name the app's own Service in backendRefs: the way through its companion is written for you."))
			}
		}
	}
	return findings
}

// misuse says what is wrong with a backendRef to a companion's Service, or nothing.
func (r *routeFacts) misuse(rule, backend int, service mesh.Name) string {
	same := func(n invocation) bool { return n.rule == rule }
	i := slices.IndexFunc(r.invocations, func(n invocation) bool { return same(n) && n.backend == backend })
	if i < 0 {
		if slices.ContainsFunc(r.invocations, same) {
			return "its backendRefs name different companions"
		}
		return "it does not invoke one enrolled app through the companion of a Gateway"
	}
	g := r.invocations[i].ingress
	gateway := mesh.Name{Namespace: g.Namespace, Name: g.Gateway}
	port := mesh.PortHTTP
	if r.kind == mesh.KindGRPCRoute {
		port = mesh.PortGRPC
	}
	first := slices.IndexFunc(r.invocations, same)
	ref := r.rules[rule].BackendRefs[backend].Port
	switch {
	case r.invocations[first].ingress.AppRef != g.AppRef, r.invocations[first].divided != r.invocations[i].divided:
		return "its backendRefs name different companions"
	case r.invocations[i].divided && service.Name != mesh.SplitServiceName(g.AppRef, r.invocations[i].app.AppRef):
		return "a backendRef that names its own app needs the Service for that app: Cilium keeps their headers apart by Service"
	case r.invocations[i].divided && len(r.rules[rule].BackendRefs[backend].Filters) != 1:
		return "Cilium takes only the last filter of a backendRef, which must be the one that names the app"
	case len(r.parents.Gateways) != 1 || r.parents.Gateways[0] != gateway:
		return fmt.Sprintf("the companion belongs to Gateway %s, which is not the one Gateway of this route", gateway)
	case ref == nil || *ref != port:
		return fmt.Sprintf("its port is not %d", port)
	}
	return ""
}

func (r *routeFacts) companionFilters(filters []gatewayv1.HTTPRouteFilter, field string) []mesh.Finding {
	var findings []mesh.Finding
	check := func(ref gatewayv1.BackendObjectReference, field string) {
		service, ok := mesh.BackendService(r.namespace, ref)
		if ok && r.view.IsCompanionService(service) {
			findings = append(findings, r.finding(mesh.CodeCompanionService, field,
				fmt.Sprintf("the filter sends requests to Service %s, which belongs to a companion", service),
				"Send them to a Service outside the mesh."))
		}
	}
	for i := range filters {
		if mirror := filters[i].RequestMirror; mirror != nil {
			check(mirror.BackendRef, fmt.Sprintf("%s[%d].requestMirror.backendRef", field, i))
		}
		if auth := filters[i].ExternalAuth; auth != nil {
			check(auth.BackendRef, fmt.Sprintf("%s[%d].externalAuth.backendRef", field, i))
		}
	}
	return findings
}
