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
	p.apps = m.apps(p.rule)
	if len(p.apps) == 0 {
		return nil
	}
	p.ingress = ingress
	p.target = target{
		companion: mesh.Name{Namespace: ingress.Namespace, Name: mesh.CompanionName(ingress.ID)},
		port:      m.companionPort(),
		app:       p.apps[0].AppRef,
		form:      m.form(ingress, p.apps),
	}
	findings := m.checkBackends(p)
	findings = append(findings, m.checkFilters(p)...)
	findings = append(findings, m.checkForm(p)...)
	if !mesh.Denied(findings) {
		findings = append(findings, m.checkGrants(p)...)
	}
	if !mesh.Denied(findings) {
		findings = append(findings, m.checkCarried(p)...)
		if len(p.apps) > 1 {
			if p.target.form == mesh.InvokePrefix {
				p.because = "weights over several apps, each of which would need a path of its own"
			}
			p.target = m.divided(p)
		}
	}
	return findings
}

// divided is the target of a rule whose backendRefs are several apps.
func (m *mutation) divided(p *plan) target {
	shares := make([]share, 0, len(p.BackendRefs))
	for i := range p.BackendRefs {
		app, _ := m.backendApp(&p.BackendRefs[i])
		shares = append(shares, share{service: mesh.SplitServiceName(p.ingress.AppRef, app.AppRef), app: app.String()})
	}
	t := p.target.withShares(shares)
	t.companion.Name = shares[0].service
	return t
}

// backendApp is the enrolled app that a backendRef names.
func (m *mutation) backendApp(ref *gatewayv1.HTTPBackendRef) (mesh.App, bool) {
	service, ok := mesh.BackendService(m.namespace, ref.BackendObjectReference)
	if !ok {
		return mesh.App{}, false
	}
	return m.view.AppOfService(service)
}

// checkBackends wants every backend of a rule to be an app of the mesh, at its port. A GRPCRoute's are one app: Cilium ignores filters on
// its backendRefs, by which several would be told apart.
func (m *mutation) checkBackends(p *plan) []mesh.Finding {
	var findings []mesh.Finding
	if len(p.apps) > 1 && m.kind != mesh.KindHTTPRoute {
		findings = append(findings, *m.finding(mesh.CodeUnsupportedRule, ruleField(p.from, "backendRefs"),
			fmt.Sprintf("the rule of %s is divided between %s, and Cilium ignores filters on its backendRefs, by which they would be told apart", article(m.kind), appNames(p.apps)),
			"Give each app a rule of its own, or enrol one Service and divide its requests behind its companion: a GRPCRoute with that Service as parentRef and the weighted Services as backendRefs."))
	}
	for i := range p.BackendRefs {
		findings = append(findings, m.checkBackend(p, i)...)
	}
	for _, app := range p.apps {
		if f := m.checkProtocol(p, app); f != nil {
			findings = append(findings, *f)
		}
	}
	return findings
}

func (m *mutation) checkBackend(p *plan, i int) []mesh.Finding {
	var findings []mesh.Finding
	ref := &p.BackendRefs[i]
	field := ruleField(p.from, fmt.Sprintf("backendRefs[%d]", i))
	switch app, ok := m.backendApp(ref); {
	case !ok:
		findings = append(findings, *m.finding(mesh.CodeMixedBackends, field,
			fmt.Sprintf("%s is not in the mesh, and app %q beside it in the rule is", backendName(m.namespace, ref.BackendObjectReference), p.apps[0].AppRef),
			"Give each a rule of its own, or divide the requests behind the app's companion: an HTTPRoute with the app's Service as parentRef and the weighted Services as backendRefs."))
	case ref.Port == nil || *ref.Port != app.Port:
		findings = append(findings, *m.finding(mesh.CodeBackendPort, field+".port",
			fmt.Sprintf("app %q is called on port %d, and the backendRef names %s", app.AppRef, app.Port, portOf(ref.Port)),
			fmt.Sprintf("Use port %d, or name another port of the Service with the annotation %s on the enrolled object.", app.Port, mesh.AnnotationAppPort)))
	}
	return append(findings, m.checkBackendFilters(ref.Filters, field)...)
}

// checkProtocol wants the app to speak what the route carries: Dapr proxies gRPC calls to gRPC apps and invokes others over HTTP.
func (m *mutation) checkProtocol(p *plan, app mesh.App) *mesh.Finding {
	speaks := strings.HasPrefix(app.Protocol, "grpc")
	switch {
	case m.kind == mesh.KindHTTPRoute && speaks:
		return m.finding(mesh.CodeUnsupportedRule, ruleField(p.from, "backendRefs"),
			fmt.Sprintf("app %q speaks %s, and Dapr does not carry an HTTPRoute's requests to a gRPC app as they are", app.AppRef, app.Protocol),
			fmt.Sprintf("Route it with a GRPCRoute, or annotate this route %s=false to keep it outside the mesh.", mesh.AnnotationEnabled))
	case m.kind == mesh.KindGRPCRoute && !speaks:
		return m.finding(mesh.CodeUnsupportedRule, ruleField(p.from, "backendRefs"),
			fmt.Sprintf("app %q speaks %s, and Dapr does not carry a GRPCRoute's calls to it", app.AppRef, app.Protocol),
			fmt.Sprintf("Annotate the enrolled object %s=grpc if the app speaks gRPC, or annotate this route %s=false to keep it outside the mesh.",
				mesh.AnnotationAppProtocol, mesh.AnnotationEnabled))
	}
	return nil
}

func (m *mutation) checkBackendFilters(filters []gatewayv1.HTTPRouteFilter, field string) []mesh.Finding {
	var findings []mesh.Finding
	for i := range filters {
		at := fmt.Sprintf("%s.filters[%d]", field, i)
		kept := filters[i].Type == gatewayv1.HTTPRouteFilterRequestHeaderModifier || filters[i].Type == gatewayv1.HTTPRouteFilterResponseHeaderModifier
		switch {
		case kept && m.kind == mesh.KindHTTPRoute:
			findings = append(findings, *m.finding(mesh.CodeUnsupportedRule, at,
				fmt.Sprintf("a %s on a backendRef cannot be kept when the backendRef is replaced", filters[i].Type),
				"Move it to the filters of the rule."))
		default:
			findings = append(findings, *m.finding(mesh.CodeIgnoredFilter, at,
				fmt.Sprintf("Cilium ignores a %s on a backendRef of %s", filters[i].Type, article(m.kind)),
				"Move it to the filters of the rule."))
		}
	}
	return findings
}

// checkGrants wants the permission for what is replaced and for what replaces it.
func (m *mutation) checkGrants(p *plan) []mesh.Finding {
	var findings []mesh.Finding
	for _, app := range p.apps {
		service := mesh.Name{Namespace: app.Namespace, Name: app.Service}
		if m.view.Granted(m.kind, m.namespace, service) {
			continue
		}
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

// article is "an HTTPRoute" or "a GRPCRoute".
func article(kind string) string {
	if kind == mesh.KindHTTPRoute {
		return "an " + kind
	}
	return "a " + kind
}
