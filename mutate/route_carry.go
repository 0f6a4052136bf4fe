// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"fmt"
	"strings"

	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// checkCarried warns where a rule depends on what Dapr cannot carry (facts: "Invocation over HTTP"): it cleans paths, decodes what is
// percent-encoded in them, sends its own Host, and has no upgrades.
func (m *mutation) checkCarried(p *plan) []mesh.Finding {
	var findings []mesh.Finding
	warn := func(field, lost string) {
		findings = append(findings, m.warning(mesh.CodeDaprCannotCarry, ruleField(p.from, field),
			fmt.Sprintf("rule %d to %s depends on %s, which Dapr does not carry", p.from, appNames(p.apps), lost),
			fmt.Sprintf("See that the app does without, or annotate the route %s=false to keep it outside the mesh.", mesh.AnnotationEnabled)))
	}
	for i := range p.Matches {
		match := &p.Matches[i]
		field := fmt.Sprintf("matches[%d]", i)
		if exact := match.pathType == gatewayv1.PathMatchExact; exact || match.pathType == gatewayv1.PathMatchPathPrefix {
			if lost := lostOfPath(match.path); lost != "" && (exact || !strings.HasSuffix(match.path, "/")) {
				warn(field+".path.value", lost)
			}
			if p.target.form == mesh.InvokeHeader && strings.HasPrefix(match.path, "/v1.0/healthz") {
				warn(field+".path.value", "the path /v1.0/healthz (in header form a companion answers it by itself)")
			}
		}
		if match.method == string(gatewayv1.HTTPMethodConnect) {
			warn(field+".method", "method CONNECT")
		}
		for h, name := range match.headers {
			if strings.EqualFold(name, "upgrade") {
				warn(fmt.Sprintf("%s.headers[%d]", field, h), "the header Upgrade")
			}
		}
	}
	for i := range p.Filters {
		rewrite := p.Filters[i].URLRewrite
		if rewrite == nil {
			continue
		}
		field := fmt.Sprintf("filters[%d].urlRewrite", i)
		if rewrite.Hostname != nil {
			warn(field+".hostname", "the host name of requests")
		}
		if path := rewrite.Path; path != nil && path.ReplaceFullPath != nil {
			if lost := lostOfPath(*path.ReplaceFullPath); lost != "" {
				warn(field+".path.replaceFullPath", lost)
			}
		}
	}
	return findings
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
	if len(path) > 1 && strings.HasSuffix(path, "/") {
		return "the trailing slash of the path"
	}
	return ""
}
