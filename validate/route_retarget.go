// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/daprise/daprise/mesh"
)

// retargets (DPR211): a client can aim a rule in prefix form at another app by an Authorization header (facts: "Invocation over HTTP"),
// within what the ingress companion may reach. It warns while that is more than the rule's own app, and denies where the namespace of
// route, Gateway or app is in mode strict.
func retargets(r *routeFacts) []mesh.Finding {
	var findings []mesh.Finding
	for _, n := range r.eachApp() {
		if n.Form != mesh.InvokePrefix {
			continue
		}
		field := fmt.Sprintf("spec.rules[%d]", n.rule)
		fix := fmt.Sprintf("Use header form: annotate the route %s=%s.", mesh.AnnotationInvoke, mesh.InvokeHeader)
		if r.view.Mode(r.namespace, n.ingress.Namespace, n.app.Namespace) == mesh.ModeStrict {
			findings = append(findings, r.finding(mesh.CodePrefixRetarget, field,
				fmt.Sprintf("the rule is in prefix form, which a client can aim at another app by an Authorization header, and a namespace of mode %s is concerned", mesh.ModeStrict), fix))
			continue
		}
		if others := r.others(n); len(others) > 0 {
			f := r.finding(mesh.CodePrefixRetarget, field,
				fmt.Sprintf("a client can aim this rule to app %q at %s by an Authorization header", n.app.AppRef, someOf(others)), fix)
			f.Severity = mesh.Warn
			findings = append(findings, f)
		}
	}
	return findings
}

// named is how many apps a message names: a Gateway may have a thousand.
const named = 3

// someOf is "a, b, c and 997 more".
func someOf(apps []string) string {
	if len(apps) <= named {
		return strings.Join(apps, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(apps[:named], ", "), len(apps)-named)
}

// others are the apps beside its own that the ingress companion of an invocation may invoke, sorted.
func (r *routeFacts) others(n invocation) []string {
	var others []string
	add := func(app mesh.AppRef) {
		if app != n.app.AppRef {
			others = append(others, app.String())
		}
	}
	stored := map[mesh.AppRef]int{}
	for _, t := range r.view.Routes {
		switch {
		case t.Ingress != n.ingress.AppRef:
		case r.stores(t):
			stored[t.App]++
		default:
			add(t.App)
		}
	}
	for _, through := range r.view.Through {
		for _, app := range through.Apps {
			if through.Ingress == n.ingress.AppRef && app.Routes > stored[app.App] {
				add(app.App)
			}
		}
	}
	for _, own := range r.invocations {
		if own.ingress.AppRef == n.ingress.AppRef {
			add(own.app.AppRef)
		}
	}
	for i := range r.view.Apps {
		if slices.Contains(r.view.Apps[i].Callers, n.ingress.AppRef) {
			add(r.view.Apps[i].AppRef)
		}
	}
	slices.Sort(others)
	return slices.Compact(others)
}
