// SPDX-License-Identifier: Apache-2.0

package mutate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/daprise/daprise/mesh"
)

// maxRules is the most rules that a route may have (gateway-api, HTTPRouteSpec). Splitting a rule adds no matches, of which there is
// a limit too.
const maxRules = 16

// plan is what happens to one of the user's rules.
type plan struct {
	direct
	// apps and ingress are set for a rule that is pointed at a companion: one app, or those that it is divided between, each once.
	apps    []mesh.App
	ingress mesh.Ingress
	target  target
	// because says why the rule is in header form although prefix form was asked for, or is empty.
	because string
	// count is how many parts the rule would be split into, where that is worked out (count).
	count int
	// parts replace the rule; nil leaves it as the user wrote it.
	parts []json.RawMessage
	// keep leaves the rules as received, with what the record says about them.
	keep bool
}

// plan decides about each of the user's rules, and about the parents they share.
func (m *mutation) plan(rules []direct) ([]plan, []mesh.Finding, error) {
	plans := make([]plan, len(rules))
	var findings []mesh.Finding
	ingress, problem := m.ingress(rules)
	if problem != nil {
		findings = append(findings, *problem)
	}
	previous := m.previous()
	var joining []mesh.App
	for i := range rules {
		p := &plans[i]
		p.direct = rules[i]
		if p.deny != nil {
			findings = append(findings, *p.deny)
			p.keep = true
			continue
		}
		if problem != nil {
			p.keep = len(m.apps(p.rule)) > 0
			continue
		}
		if ingress == nil {
			continue
		}
		found := m.planRule(p, *ingress)
		findings = append(findings, found...)
		switch {
		case mesh.Denied(found):
			p.keep = !restores(found)
			p.target = target{}
		case p.target != target{} && m.joins(previous, p):
			p.target = target{}
			joining = append(joining, p.apps...)
		}
	}
	for i, app := range joining {
		if !slices.ContainsFunc(joining[:i], func(a mesh.App) bool { return a.AppRef == app.AppRef }) {
			findings = append(findings, mesh.Joining(m.object, app, *ingress))
		}
	}
	if m.unchanged() {
		for i := range findings {
			findings[i].Severity = mesh.Warn
		}
	}
	if mesh.Denied(findings) {
		return plans, findings, nil
	}
	warned, err := m.rewrite(plans)
	return plans, append(findings, warned...), err
}

// restores says whether all denials are about a ReferenceGrant that is missing: the rule is then restored where it is not refused,
// and the gateway treats it as the Gateway API says.
func restores(findings []mesh.Finding) bool {
	return !slices.ContainsFunc(findings, func(f mesh.Finding) bool {
		return f.Severity == mesh.Deny && f.Code != mesh.CodeGrantMissing
	})
}

// rewrite makes the parts of the rules that have a target. Rules that prefix form cannot express take header form and are warned about.
func (m *mutation) rewrite(plans []plan) ([]mesh.Finding, error) {
	var findings []mesh.Finding
	total := m.count(plans)
	for i := range plans {
		p := &plans[i]
		if (p.target == target{}) {
			continue
		}
		reason := m.headerReason(p)
		if reason == "" && total > maxRules && p.count > 1 {
			reason = fmt.Sprintf("its matches: the route would have %d rules, over %d, with one for each", total, maxRules)
		}
		if reason == "" {
			if err := m.rewriteRule(p, &reason); err != nil {
				return nil, err
			}
		}
		if reason != "" {
			findings = append(findings, m.headerInstead(p, reason))
			if err := m.rewriteRule(p, &reason); err != nil {
				return nil, err
			}
		}
	}
	return findings, nil
}

// count is how many rules the route would have with each in the form that it is planned in. Where it cannot be over the limit, because
// there are fewer matches, it is not worked out.
func (m *mutation) count(plans []plan) int {
	most := 0
	for i := range plans {
		most += max(1, len(plans[i].Matches))
	}
	if most <= maxRules {
		return most
	}
	total := 0
	for i := range plans {
		p := &plans[i]
		p.count = 1
		switch {
		case (p.target == target{}), m.headerReason(p) != "":
		case p.proof != nil && p.proof.target == p.target:
			p.count = len(p.proof.parts)
		case p.target.form == mesh.InvokePrefix:
			if paths, reason := prefixForm(&p.ruleFields, p.target.app); reason == "" {
				p.count = len(paths)
			}
		}
		total += p.count
	}
	return total
}

// rewriteRule points one rule at its target. What a verified record already proved is not made again.
func (m *mutation) rewriteRule(p *plan, reason *string) error {
	if p.proof != nil && p.proof.target == p.target {
		p.parts = p.proof.parts
		*reason = ""
		return nil
	}
	if err := p.decodeTree(); err != nil {
		return err
	}
	trees, cannot := through(m.kind, m.namespace, p.rule, p.target)
	if *reason = cannot; cannot != "" {
		return nil
	}
	p.proof = nil
	p.parts = make([]json.RawMessage, 0, len(trees))
	for _, tree := range trees {
		canonical, err := encode(tree)
		if err != nil {
			return err
		}
		p.parts = append(p.parts, canonical)
	}
	return nil
}

// headerInstead turns a rule to header form and says why.
func (m *mutation) headerInstead(p *plan, reason string) mesh.Finding {
	p.target.form = mesh.InvokeHeader
	return m.warning(mesh.CodeHeaderForm, ruleField(p.from, ""),
		fmt.Sprintf("rule %d to %s is in header form, since prefix form cannot express %s", p.from, appNames(p.apps), reason),
		fmt.Sprintf("Nothing has to be done; annotate the route %s=%s to have all its rules in one form.", mesh.AnnotationInvoke, mesh.InvokeHeader))
}

// appNames is `app "whoami.default"` or `the apps "whoami.default" and "cart.default"`.
func appNames(apps []mesh.App) string {
	if len(apps) == 1 {
		return fmt.Sprintf("app %q", apps[0].AppRef)
	}
	var names []string
	for _, a := range apps {
		names = append(names, fmt.Sprintf("%q", a.AppRef))
	}
	last := len(names) - 1
	return "the apps " + strings.Join(names[:last], ", ") + " and " + names[last]
}

// headerReason says why a rule that is to be in prefix form must not be, beside its path.
func (m *mutation) headerReason(p *plan) string {
	if p.target.form != mesh.InvokePrefix || p.because != "" {
		return p.because
	}
	for i := range p.Filters {
		f := &p.Filters[i]
		if f.RequestMirror != nil {
			return "a RequestMirror, whose copies it would rewrite too (in header form they carry " + mesh.HeaderAppID + ")"
		}
		if f.RequestHeaderModifier == nil {
			continue
		}
		for _, h := range slices.Concat(f.RequestHeaderModifier.Set, f.RequestHeaderModifier.Add) {
			if strings.EqualFold(string(h.Name), "authorization") {
				return "a modifier of the header Authorization, in which Dapr also looks for a target"
			}
		}
	}
	if m.view.Config.Gateway.Implementation == "traefik" && stripsPrefix(&p.ruleFields) {
		return "a prefix that is replaced by nothing, which Traefik would turn into a path that Dapr does not know"
	}
	return ""
}

// stripsPrefix says whether a rule's own URLRewrite takes a prefix away and leaves nothing in its place.
func stripsPrefix(fields *ruleFields) bool {
	user := userPath(fields.Filters)
	if user == nil || user.ReplacePrefixMatch == nil || strings.Trim(*user.ReplacePrefixMatch, "/") != "" {
		return false
	}
	return *user.ReplacePrefixMatch == "" || slices.ContainsFunc(fields.Matches, func(m ruleMatch) bool { return strings.Trim(m.path, "/") != "" })
}

// form is the form of the route's rules: what the route asks for, else what its Gateway does; always header form in a namespace of
// mode strict and for a GRPCRoute, which has no URLRewrite.
func (m *mutation) form(ingress mesh.Ingress, apps []mesh.App) mesh.Invoke {
	concerned := []string{m.namespace, ingress.Namespace}
	for i := range apps {
		concerned = append(concerned, apps[i].Namespace)
	}
	if m.kind != mesh.KindHTTPRoute || m.view.Mode(concerned...) == mesh.ModeStrict {
		return mesh.InvokeHeader
	}
	switch own := mesh.Invoke(m.route.Metadata.Annotations[mesh.AnnotationInvoke]); {
	case own == mesh.InvokeHeader, own == mesh.InvokePrefix:
		return own
	case ingress.Invoke == mesh.InvokeHeader:
		return mesh.InvokeHeader
	}
	return mesh.InvokePrefix
}
