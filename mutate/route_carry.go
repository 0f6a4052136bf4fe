// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"cmp"
	"fmt"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// loss is what a rule depends on and Dapr does not carry.
type loss struct {
	// field is where the rule says so.
	field string
	// what ends the sentence "depends on": "the host name of requests".
	what string
	// advice is a way out besides the two that there always are, or empty.
	advice string
}

// checkCarried warns where a rule depends on what Dapr cannot carry (facts: "Invocation over HTTP"): it cleans paths, decodes what is
// percent-encoded in them, sends its own Host, has no upgrades and no trailers, drops headers of one hop and has limits.
func (m *mutation) checkCarried(p *plan) []mesh.Finding {
	var losses []loss
	for i := range p.Matches {
		losses = append(losses, m.lostOfMatch(p, i)...)
	}
	for i := range p.Filters {
		losses = append(losses, m.lostOfFilter(&p.Filters[i], fmt.Sprintf("filters[%d]", i))...)
	}
	losses = append(losses, lostOfHeaderSize(p)...)
	var findings []mesh.Finding
	for _, l := range losses {
		findings = append(findings, m.warning(mesh.CodeDaprCannotCarry, ruleField(p.from, l.field),
			fmt.Sprintf("rule %d to %s depends on %s, which Dapr does not carry", p.from, appNames(p.apps), l.what),
			fmt.Sprintf("%s, or annotate the route %s=false to keep it outside the mesh.",
				cmp.Or(l.advice, "See that the app does without"), mesh.AnnotationEnabled)))
	}
	return findings
}

func (m *mutation) lostOfMatch(p *plan, index int) []loss {
	var losses []loss
	match := &p.Matches[index]
	field := fmt.Sprintf("matches[%d]", index)
	if exact := match.pathType == gatewayv1.PathMatchExact; exact || match.pathType == gatewayv1.PathMatchPathPrefix {
		if lost := lostOfPath(match.path); lost != "" && (exact || !strings.HasSuffix(match.path, "/")) {
			losses = append(losses, loss{field: field + ".path.value", what: lost})
		}
		if p.target.form == mesh.InvokeHeader && strings.HasPrefix(match.path, "/v1.0/healthz") {
			losses = append(losses, loss{field: field + ".path.value", what: "the path /v1.0/healthz (in header form a companion answers it by itself)"})
		}
	}
	if match.method == string(gatewayv1.HTTPMethodConnect) {
		losses = append(losses, loss{field: field + ".method", what: "method CONNECT"})
	}
	for h := range match.headers {
		header := &match.headers[h]
		field := fmt.Sprintf("%s.headers[%d]", field, h)
		if lost := lostHeader(header.name); lost != "" {
			losses = append(losses, loss{field: field, what: lost})
		}
		if l, ok := lostBody(p, header); ok {
			l.field = field + ".value"
			losses = append(losses, l)
		}
	}
	return losses
}

func (m *mutation) lostOfFilter(filter *gatewayv1.HTTPRouteFilter, field string) []loss {
	var losses []loss
	if modifier := filter.RequestHeaderModifier; modifier != nil && m.kind == mesh.KindHTTPRoute {
		losses = append(losses, lostOfHeaders(modifier.Set, field+".requestHeaderModifier.set")...)
		losses = append(losses, lostOfHeaders(modifier.Add, field+".requestHeaderModifier.add")...)
	}
	rewrite := filter.URLRewrite
	if rewrite == nil {
		return losses
	}
	field += ".urlRewrite"
	if rewrite.Hostname != nil {
		losses = append(losses, loss{field: field + ".hostname", what: "the host name of requests"})
	}
	if path := rewrite.Path; path != nil && path.ReplaceFullPath != nil {
		if lost := lostOfPath(*path.ReplaceFullPath); lost != "" {
			losses = append(losses, loss{field: field + ".path.replaceFullPath", what: lost})
		}
	}
	if path := rewrite.Path; path != nil && path.ReplacePrefixMatch != nil {
		// A slash at the end of a prefix means nothing.
		if lost := lostOfPath(strings.TrimRight(*path.ReplacePrefixMatch, "/")); lost != "" {
			losses = append(losses, loss{field: field + ".path.replacePrefixMatch", what: lost})
		}
	}
	return losses
}

// lostOfPath says what Dapr would lose of a path, or nothing.
func lostOfPath(path string) string {
	lower := strings.ToLower(path)
	for _, encoded := range []string{"%2f", "%23", "%3f", "%25"} {
		if strings.Contains(lower, encoded) {
			return fmt.Sprintf("%s in the path", encoded)
		}
	}
	for i := 0; i+2 < len(lower); i++ {
		control := lower[i+1] == '0' || lower[i+1] == '1' || lower[i+1:i+3] == "7f"
		if lower[i] == '%' && isHex(lower[i+1]) && isHex(lower[i+2]) && control {
			return fmt.Sprintf("the control character %s in the path", lower[i:i+3])
		}
	}
	switch {
	case strings.Contains(path, "//"):
		return "doubled slashes in the path"
	case len(path) > 1 && strings.HasSuffix(path, "/"):
		return "the trailing slash of the path"
	}
	return ""
}
