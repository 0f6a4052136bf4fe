// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"fmt"
	"slices"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// apps are the enrolled apps among a rule's backends, each once.
func (m *mutation) apps(r *rule) []mesh.App {
	var apps []mesh.App
	for i := range r.BackendRefs {
		service, ok := mesh.BackendService(m.namespace, r.BackendRefs[i].BackendObjectReference)
		if !ok {
			continue
		}
		app, ok := m.view.AppOfService(service)
		if ok && !slices.ContainsFunc(apps, func(a mesh.App) bool { return a.AppRef == app.AppRef }) {
			apps = append(apps, app)
		}
	}
	return apps
}

// ingress is the one enrolled Gateway that the route attaches to, nil if none of its rules is in the mesh, or what is wrong with the
// route's parents.
func (m *mutation) ingress(rules []direct) (*mesh.Ingress, *mesh.Finding) {
	if m.optedOut() || !slices.ContainsFunc(rules, func(d direct) bool { return len(m.apps(d.rule)) > 0 }) {
		return nil, nil
	}
	const field = "spec.parentRefs"
	if len(m.parents.ListenerSets) > 0 {
		return nil, m.finding(mesh.CodeUnsupportedRule, field,
			fmt.Sprintf("parent ListenerSet %s cannot be followed to its Gateway yet, so it is not known whether the route is in the mesh", m.parents.ListenerSets[0]),
			fmt.Sprintf("Name the Gateway as the parent, or annotate the route %s=false to keep it outside the mesh.", mesh.AnnotationEnabled))
	}
	var enrolled []mesh.Ingress
	var plain []mesh.Name
	for _, name := range m.parents.Gateways {
		if g, ok := m.view.IngressOfGateway(name); ok {
			enrolled = append(enrolled, g)
		} else {
			plain = append(plain, name)
		}
	}
	switch {
	case len(enrolled) == 0:
		return nil, nil
	case len(m.parents.Services) > 0:
		return nil, m.finding(mesh.CodeMixedParents, field,
			fmt.Sprintf("Gateway %s and Service %s are both parents, and rules rewritten for the Gateway would send the Service's own traffic to the ingress companion",
				gatewayOf(enrolled[0]), m.parents.Services[0]),
			"Write two routes, one for each kind of parent.")
	case len(plain) > 0:
		return nil, m.finding(mesh.CodeUnsupportedRule, field,
			fmt.Sprintf("Gateway %s is enrolled and Gateway %s is not, and the same rules serve both", gatewayOf(enrolled[0]), plain[0]),
			"Write one route for each Gateway.")
	case len(enrolled) > 1:
		return nil, m.finding(mesh.CodeUnsupportedRule, field,
			fmt.Sprintf("Gateways %s and %s are both enrolled, and a rule can go through the companion of one only", gatewayOf(enrolled[0]), gatewayOf(enrolled[1])),
			"Write one route for each Gateway.")
	}
	return &enrolled[0], nil
}

func gatewayOf(g mesh.Ingress) mesh.Name { return mesh.Name{Namespace: g.Namespace, Name: g.Gateway} }

// planRule decides whether a direct rule is in the mesh, and what speaks against rewriting it. All findings of a rule are told at once.
func (m *mutation) planRule(p *plan, ingress mesh.Ingress) []mesh.Finding {
	apps := m.apps(p.rule)
	if len(apps) == 0 {
		return nil
	}
	p.app, p.ingress = apps[0], ingress
	p.target = target{
		companion: mesh.Name{Namespace: ingress.Namespace, Name: mesh.CompanionName(ingress.ID)},
		port:      m.companionPort(),
		app:       apps[0].AppRef,
		form:      m.form(ingress, apps[0]),
	}
	findings := m.checkBackends(p, apps)
	findings = append(findings, m.checkFilters(p)...)
	findings = append(findings, m.checkForm(p)...)
	if !mesh.Denied(findings) {
		findings = append(findings, m.checkGrants(p)...)
	}
	if !mesh.Denied(findings) {
		findings = append(findings, m.checkCarried(p)...)
	}
	return findings
}

// checkBackends wants every backend of a rule to be the one app, at its port.
func (m *mutation) checkBackends(p *plan, apps []mesh.App) []mesh.Finding {
	if m.kind != mesh.KindHTTPRoute {
		return []mesh.Finding{*m.finding(mesh.CodeUnsupportedRule, ruleField(p.from, "backendRefs"),
			fmt.Sprintf("app %q is enrolled, and rules of kind %s cannot be rewritten yet", apps[0].AppRef, m.kind),
			fmt.Sprintf("Annotate the route %s=false to keep it outside the mesh.", mesh.AnnotationEnabled))}
	}
	if len(apps) > 1 {
		return []mesh.Finding{*m.finding(mesh.CodeUnsupportedRule, ruleField(p.from, "backendRefs"),
			fmt.Sprintf("the rule is divided between the apps %q and %q, and a rule can only invoke one", apps[0].AppRef, apps[1].AppRef),
			"Give each app a rule of its own, or enrol one Service and divide its requests behind its companion: an HTTPRoute with that Service as parentRef and the weighted Services as backendRefs.")}
	}
	var findings []mesh.Finding
	app := apps[0]
	for i := range p.BackendRefs {
		ref := &p.BackendRefs[i]
		field := ruleField(p.from, fmt.Sprintf("backendRefs[%d]", i))
		service, ok := mesh.BackendService(m.namespace, ref.BackendObjectReference)
		switch {
		case !ok || service.Namespace != app.Namespace || service.Name != app.Service:
			findings = append(findings, *m.finding(mesh.CodeMixedBackends, field,
				fmt.Sprintf("%s is not in the mesh, and app %q beside it in the rule is", backendName(m.namespace, ref.BackendObjectReference), app.AppRef),
				"Give each a rule of its own, or divide the requests behind the app's companion: an HTTPRoute with the app's Service as parentRef and the weighted Services as backendRefs."))
		case ref.Port == nil || *ref.Port != app.Port:
			findings = append(findings, *m.finding(mesh.CodeBackendPort, field+".port",
				fmt.Sprintf("app %q is called on port %d, and the backendRef names %s", app.AppRef, app.Port, portOf(ref.Port)),
				fmt.Sprintf("Use port %d, or name another port of the Service with the annotation %s on the enrolled object.", app.Port, mesh.AnnotationAppPort)))
		}
		findings = append(findings, m.checkBackendFilters(ref.Filters, field)...)
	}
	if strings.HasPrefix(app.Protocol, "grpc") {
		findings = append(findings, *m.finding(mesh.CodeUnsupportedRule, ruleField(p.from, "backendRefs"),
			fmt.Sprintf("app %q speaks %s, and Dapr does not carry an HTTPRoute's requests to a gRPC app as they are", app.AppRef, app.Protocol),
			fmt.Sprintf("Route it with a GRPCRoute, or annotate this route %s=false to keep it outside the mesh.", mesh.AnnotationEnabled)))
	}
	return findings
}

func (m *mutation) checkBackendFilters(filters []gatewayv1.HTTPRouteFilter, field string) []mesh.Finding {
	var findings []mesh.Finding
	for i := range filters {
		at := fmt.Sprintf("%s.filters[%d]", field, i)
		switch filters[i].Type {
		case gatewayv1.HTTPRouteFilterRequestHeaderModifier, gatewayv1.HTTPRouteFilterResponseHeaderModifier:
			findings = append(findings, *m.finding(mesh.CodeUnsupportedRule, at,
				fmt.Sprintf("a %s on a backendRef cannot be kept when the backendRef is replaced", filters[i].Type),
				"Move it to the filters of the rule."))
		default:
			findings = append(findings, *m.finding(mesh.CodeIgnoredFilter, at,
				fmt.Sprintf("Cilium ignores a %s on a backendRef", filters[i].Type),
				"Move it to the filters of the rule."))
		}
	}
	return findings
}

// checkGrants wants the permission for what is replaced and for what replaces it.
func (m *mutation) checkGrants(p *plan) []mesh.Finding {
	var findings []mesh.Finding
	service := mesh.Name{Namespace: p.app.Namespace, Name: p.app.Service}
	if !m.view.Granted(m.kind, m.namespace, service) {
		f := m.finding(mesh.CodeGrantMissing, ruleField(p.from, "backendRefs"),
			fmt.Sprintf("Service %s is in another namespace, and no ReferenceGrant there lets an %s of namespace %s refer to it", service, m.kind, m.namespace),
			"Ask its owner to apply the ReferenceGrant below.")
		f.Manifest = grantManifest(service.Name+"-from-"+m.namespace, m.kind, m.namespace, service)
		findings = append(findings, *f)
	}
	if !m.view.Granted(m.kind, m.namespace, p.target.companion) {
		f := m.finding(mesh.CodeGrantMissing, ruleField(p.from, "backendRefs"),
			fmt.Sprintf("Service %s, the companion of Gateway %s, is in another namespace, and no ReferenceGrant there lets an %s of namespace %s refer to it",
				p.target.companion, gatewayOf(p.ingress), m.kind, m.namespace),
			"Ask the owner of the Gateway to apply the ReferenceGrant below.")
		f.Manifest = grantManifest(mesh.GrantName(p.ingress.ID, m.namespace), m.kind, m.namespace, p.target.companion)
		findings = append(findings, *f)
	}
	return findings
}

func grantManifest(name, kind, from string, service mesh.Name) string {
	return fmt.Sprintf(`apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata:
  name: %s
  namespace: %s
spec:
  from:
  - group: gateway.networking.k8s.io
    kind: %s
    namespace: %s
  to:
  - group: ""
    kind: Service
    name: %s
`, name, service.Namespace, kind, from, service.Name)
}

func backendName(namespace string, ref gatewayv1.BackendObjectReference) string {
	kind := "Service"
	if ref.Kind != nil {
		kind = string(*ref.Kind)
	}
	if ref.Namespace != nil {
		namespace = string(*ref.Namespace)
	}
	return fmt.Sprintf("%s %s/%s", kind, namespace, ref.Name)
}

func portOf(port *gatewayv1.PortNumber) string {
	if port == nil {
		return "no port"
	}
	return fmt.Sprintf("port %d", *port)
}
