// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"fmt"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// maxHeaders is the most entries in one list of a header modifier (gateway-api, HTTPHeaderFilter).
const maxHeaders = 16

// maxFilters is the most filters of a rule (gateway-api, HTTPRouteRule).
const maxFilters = 16

// checkFilters refuses filters with which a rewritten rule would not mean what the user wrote.
func (m *mutation) checkFilters(p *plan) []mesh.Finding {
	if i, problem := malformed(p.Filters); problem != "" {
		return []mesh.Finding{*m.finding(mesh.CodeUnsupportedRule, ruleField(p.from, fmt.Sprintf("filters[%d]", i)), problem, "Correct the filter.")}
	}
	var findings []mesh.Finding
	for i := range p.Filters {
		f := &p.Filters[i]
		field := ruleField(p.from, fmt.Sprintf("filters[%d]", i))
		switch f.Type {
		case gatewayv1.HTTPRouteFilterRequestHeaderModifier:
			findings = append(findings, m.checkModifier(p, f.RequestHeaderModifier, field+".requestHeaderModifier")...)
		case gatewayv1.HTTPRouteFilterURLRewrite:
			findings = append(findings, m.checkRewrite(f.URLRewrite, field+".urlRewrite.path")...)
		case gatewayv1.HTTPRouteFilterExtensionRef:
			findings = append(findings, *m.finding(mesh.CodeIgnoredFilter, field,
				"Cilium ignores an ExtensionRef",
				fmt.Sprintf("Leave the filter out, or annotate the route %s=false to keep it outside the mesh.", mesh.AnnotationEnabled)))
		case gatewayv1.HTTPRouteFilterRequestMirror:
			findings = append(findings, m.checkMirror(f.RequestMirror, field+".requestMirror.backendRef")...)
		case gatewayv1.HTTPRouteFilterResponseHeaderModifier, gatewayv1.HTTPRouteFilterCORS,
			gatewayv1.HTTPRouteFilterExternalAuth, gatewayv1.HTTPRouteFilterRequestRedirect:
		default:
			findings = append(findings, *m.finding(mesh.CodeUnsupportedRule, field,
				fmt.Sprintf("filter type %q is not known here, so it cannot be told what the rewritten rule would mean", f.Type),
				fmt.Sprintf("Leave the filter out, or annotate the route %s=false to keep it outside the mesh.", mesh.AnnotationEnabled)))
		}
	}
	if f := m.checkRoom(p); f != nil {
		findings = append(findings, *f)
	}
	return findings
}

// checkRoom wants room for the RequestHeaderModifier that every rewritten rule has.
func (m *mutation) checkRoom(p *plan) *mesh.Finding {
	for i := range p.Filters {
		if p.Filters[i].RequestHeaderModifier != nil {
			return nil
		}
	}
	if len(p.Filters) < maxFilters {
		return nil
	}
	return m.finding(mesh.CodeUnsupportedRule, ruleField(p.from, "filters"),
		fmt.Sprintf("the list has %d entries and needs one more for Dapr's headers, over %d", len(p.Filters), maxFilters),
		fmt.Sprintf("Shorten the list to %d entries.", maxFilters-1))
}

// checkModifier refuses a modifier that gives a value to one of Dapr's headers, or that has no room for what the mesh adds.
func (m *mutation) checkModifier(p *plan, modifier *gatewayv1.HTTPHeaderFilter, field string) []mesh.Finding {
	if modifier == nil {
		return nil
	}
	var findings []mesh.Finding
	for _, headers := range []struct {
		name string
		list []gatewayv1.HTTPHeader
	}{{"set", modifier.Set}, {"add", modifier.Add}} {
		for i, h := range headers.list {
			if mesh.IsDaprHeader(string(h.Name)) {
				findings = append(findings, *m.finding(mesh.CodeDaprHeaders, fmt.Sprintf("%s.%s[%d]", field, headers.name, i),
					fmt.Sprintf("header %q is one by which Dapr takes its target, its caller or its permission; the mesh alone sets or removes it", h.Name),
					"Leave it out of the modifier."))
			}
		}
	}
	added := 0
	for _, name := range mesh.DaprHeaders() {
		if !containsHeader(modifier.Remove, name) {
			added++
		}
	}
	if len(modifier.Remove)+added > maxHeaders {
		findings = append(findings, *m.finding(mesh.CodeUnsupportedRule, field+".remove",
			fmt.Sprintf("the list has %d entries and needs %d more for Dapr's headers, over %d", len(modifier.Remove), added, maxHeaders),
			fmt.Sprintf("Shorten the list to %d entries.", maxHeaders-added)))
	}
	if p.target.form == mesh.InvokeHeader && len(p.apps) == 1 && len(modifier.Set) >= maxHeaders {
		findings = append(findings, *m.finding(mesh.CodeUnsupportedRule, field+".set",
			fmt.Sprintf("the list has %d entries and needs one more for %s, over %d", len(modifier.Set), mesh.HeaderAppID, maxHeaders),
			fmt.Sprintf("Shorten the list to %d entries.", maxHeaders-1)))
	}
	return findings
}

func containsHeader(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// checkRewrite refuses replacements that Dapr, which resolves dot segments, would not deliver as written.
func (m *mutation) checkRewrite(rewrite *gatewayv1.HTTPURLRewriteFilter, field string) []mesh.Finding {
	if rewrite == nil || rewrite.Path == nil {
		return nil
	}
	for _, value := range []*string{rewrite.Path.ReplacePrefixMatch, rewrite.Path.ReplaceFullPath} {
		if value != nil && mesh.HasDotSegments(*value) {
			return []mesh.Finding{*m.finding(mesh.CodeUnsupportedRule, field,
				fmt.Sprintf("the replacement %q has dot segments, which Dapr would resolve", *value),
				"Write the path that they resolve to.")}
		}
	}
	return nil
}

// checkMirror refuses to mirror past a companion: the mirrored requests would reach the app by another way than the rest.
func (m *mutation) checkMirror(mirror *gatewayv1.HTTPRequestMirrorFilter, field string) []mesh.Finding {
	if mirror == nil {
		return nil
	}
	service, ok := mesh.BackendService(m.namespace, mirror.BackendRef)
	if !ok {
		return nil
	}
	app, ok := m.view.AppOfService(service)
	if !ok {
		return nil
	}
	return []mesh.Finding{*m.finding(mesh.CodeUnsupportedRule, field,
		fmt.Sprintf("Service %s is app %q of the mesh, and a mirrored request cannot go through its companion", service, app.AppRef),
		"Mirror to a Service that is not enrolled.")}
}

// checkForm refuses prefix form where a mode forbids what the route asks for.
func (m *mutation) checkForm(p *plan) []mesh.Finding {
	asked := mesh.Invoke(m.route.Metadata.Annotations[mesh.AnnotationInvoke])
	if asked != mesh.InvokePrefix || p.target.form != mesh.InvokeHeader || m.kind != mesh.KindHTTPRoute {
		return nil
	}
	return []mesh.Finding{*m.finding(mesh.CodePrefixRetarget, "metadata.annotations["+mesh.AnnotationInvoke+"]",
		fmt.Sprintf("a client can aim a rule in prefix form at another app by an Authorization header, and a namespace of mode %s is concerned", mesh.ModeStrict),
		fmt.Sprintf("Remove the annotation or set it to %q.", mesh.InvokeHeader))}
}

// malformed says what no gateway could make sense of in a list of filters: content that is not of the filter's type, or a second filter
// of a type that may be there once. The API server refuses both, after us.
func malformed(filters []gatewayv1.HTTPRouteFilter) (index int, problem string) {
	for i := range filters {
		f := &filters[i]
		rewrite, headers := f.Type == gatewayv1.HTTPRouteFilterURLRewrite, f.Type == gatewayv1.HTTPRouteFilterRequestHeaderModifier
		if (f.URLRewrite != nil) != rewrite || (f.RequestHeaderModifier != nil) != headers ||
			(f.RequestMirror != nil) != (f.Type == gatewayv1.HTTPRouteFilterRequestMirror) {
			return i, fmt.Sprintf("the filter has type %q and not the content of that type", f.Type)
		}
		for j := range i {
			if filters[j].Type == f.Type && (rewrite || headers) {
				return i, fmt.Sprintf("it is the second filter of type %s in the rule", f.Type)
			}
		}
	}
	return 0, ""
}
