// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"fmt"
	"maps"
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
		if others := r.others(n); others.count > 0 {
			f := r.finding(mesh.CodePrefixRetarget, field,
				fmt.Sprintf("a client can aim this rule to app %q at %s by an Authorization header", n.app.AppRef, others), fix)
			f.Severity = mesh.Warn
			findings = append(findings, f)
		}
	}
	return findings
}

// named is how many apps a message names: a Gateway may have ten thousand.
const named = 3

// others are some apps: how many, and those that come first.
type others struct {
	first []string
	count int
}

// String is "a, b, c and 997 more".
func (o others) String() string {
	if o.count <= len(o.first) {
		return strings.Join(o.first, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(o.first, ", "), o.count-len(o.first))
}

// others are the apps beside its own that the ingress companion of an invocation may invoke. Those that go through its Gateway are counted
// without a look at each.
func (r *routeFacts) others(n invocation) others {
	// own are the routes of this decision as they are stored: what they invoke, the Gateway may have ceased to.
	own := map[mesh.AppRef]int{}
	known := map[mesh.AppRef]bool{}
	for _, t := range r.view.Routes {
		switch {
		case t.Ingress != n.ingress.AppRef:
		case r.stores(t):
			own[t.App]++
		default:
			known[t.App] = true
		}
	}
	for _, i := range r.invocations {
		if i.ingress.AppRef == n.ingress.AppRef {
			known[i.app.AppRef] = true
		}
	}
	for i := range r.view.Apps {
		if slices.Contains(r.view.Apps[i].Callers, n.ingress.AppRef) {
			known[r.view.Apps[i].AppRef] = true
		}
	}
	delete(known, n.app.AppRef)
	var found others
	for app := range known {
		found.first = append(found.first, app.String())
	}
	found.count = len(known)
	if t := slices.IndexFunc(r.view.Through, func(t mesh.IngressRoutes) bool { return t.Ingress == n.ingress.AppRef }); t >= 0 {
		counts := func(a mesh.AppRoutes) bool { return a.App != n.app.AppRef && !known[a.App] && a.Routes > own[a.App] }
		first, count := some(r.view.Through[t].Apps, counts, slices.Concat([]mesh.AppRef{n.app.AppRef}, slices.Collect(maps.Keys(known)), slices.Collect(maps.Keys(own))))
		found.first, found.count = append(found.first, first...), found.count+count
	}
	slices.Sort(found.first)
	found.first = found.first[:min(named, len(found.first))]
	return found
}

// some are the apps of a list that count: the first of them, and how many there are. None but those in doubt may not count.
func some(apps []mesh.AppRoutes, counts func(mesh.AppRoutes) bool, doubt []mesh.AppRef) (first []string, count int) {
	for i := 0; i < len(apps) && len(first) < named; i++ {
		if counts(apps[i]) {
			first = append(first, apps[i].App.String())
		}
	}
	count = len(apps)
	looked := map[mesh.AppRef]bool{}
	for _, ref := range doubt {
		i, found := slices.BinarySearchFunc(apps, ref.String(), func(a mesh.AppRoutes, name string) int { return strings.Compare(a.App.String(), name) })
		if found && !looked[ref] && !counts(apps[i]) {
			count--
		}
		looked[ref] = true
	}
	return first, count
}
