// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"slices"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// Coverage decides whether an object may rely on companions: what mesh/policy finds about each of them, said of the object. targets
// are what the object, a route, adds to the flows that the View already has; refs are further companions. Where daprise writes the
// policies of a namespace, those that it will write for the flows count as written: the companion is held until they are. The
// findings have severity Deny before modes (ApplyModes). It does not modify its arguments.
func Coverage(w policy.World, object mesh.Object, targets []mesh.RouteTarget, refs ...mesh.AppRef) []mesh.Finding {
	view := *w.View
	view.Routes = append(slices.Clone(w.View.Routes), targets...)
	for _, t := range targets {
		refs = append(refs, t.Ingress, t.App)
	}
	var findings []mesh.Finding
	seen := map[mesh.AppRef]bool{}
	for _, ref := range refs {
		if seen[ref] {
			continue
		}
		seen[ref] = true
		found := w.Answers.Coverage(ref, view.Routes, func() []mesh.Finding { return coverageOf(&view, w.Set, ref) })
		findings = append(findings, about(object, found)...)
	}
	mesh.SortFindings(findings)
	return findings
}

func coverageOf(view *mesh.View, set *policy.Set, ref mesh.AppRef) []mesh.Finding {
	set = set.Expected(view, ref)
	if g, ok := view.Ingress(ref); ok {
		return policy.Ingress(view, set, g)
	}
	if a, ok := view.App(ref); ok {
		return policy.App(view, set, a)
	}
	return nil
}

// about says findings of another object. It does not modify them.
func about(object mesh.Object, findings []mesh.Finding) []mesh.Finding {
	findings = slices.Clone(findings)
	for i := range findings {
		findings[i].Object = object
	}
	return findings
}

// ApplyModes gives each denying finding that names namespaces the severity of their strictest coverage mode. Findings without
// namespaces and warnings keep theirs: no mode makes a warning deny. It does not modify its arguments.
func ApplyModes(view *mesh.View, findings []mesh.Finding) []mesh.Finding {
	findings = slices.Clone(findings)
	for i, f := range findings {
		if f.Severity == mesh.Deny && len(f.Namespaces) > 0 && !f.Invalid {
			findings[i].Severity = view.Mode(f.Namespaces...).Severity()
		}
	}
	mesh.SortFindings(findings)
	return findings
}
