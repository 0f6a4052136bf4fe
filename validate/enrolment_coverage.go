// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"reflect"
	"slices"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// enrolmentCoverage refuses the enrolment of a companion that is not covered, in strict namespaces. In enforce, where installers write
// Services before policies, it warns: until the policies are there the companion is held. Where policies are generated they follow from
// the enrolment, so that it cannot wait for them.
func enrolmentCoverage(w policy.World, before, after *enrolment) []mesh.Finding {
	ref, enrolled := after.ref()
	if !enrolled || judgedAlike(before, after) || w.View.PoliciesOf(ref.Namespace) == mesh.PoliciesGenerate {
		return nil
	}
	view := *w.View
	if after.App != nil {
		app := *after.App
		stored, _ := w.View.App(ref)
		app.Companion = stored.Companion
		view.Apps = replaced(view.Apps, app, func(a mesh.App) bool { return a.AppRef == ref })
	} else {
		ingress := *after.Ingress
		stored, _ := w.View.Ingress(ref)
		ingress.Companion, ingress.GRPC = stored.Companion, stored.GRPC
		view.Ingresses = replaced(view.Ingresses, ingress, func(g mesh.Ingress) bool { return g.AppRef == ref })
	}
	findings := Coverage(policy.World{View: &view, Set: w.Set}, after.object, nil, ref)
	for i, f := range findings {
		if f.Severity == mesh.Deny {
			findings[i].Severity = enrolmentSeverity(view.Mode(f.Namespaces...))
		}
	}
	return findings
}

// enrolmentSeverity is what a coverage finding does to an enrolment in a mode: one step milder than to a route, but in strict.
func enrolmentSeverity(mode mesh.Mode) mesh.Severity {
	if mode == mesh.ModeEnforce {
		return mesh.Warn
	}
	return mode.Severity()
}

// judgedAlike says whether an update leaves everything as it was on which the coverage of the companion depends.
func judgedAlike(before, after *enrolment) bool {
	if before.App == nil || after.App == nil {
		return before.Ingress != nil && after.Ingress != nil && before.Ingress.AppRef == after.Ingress.AppRef
	}
	a, b := before.App, after.App
	return a.AppRef == b.AppRef && a.Port == b.Port && a.DaprAPI == b.DaprAPI &&
		slices.Equal(a.Callers, b.Callers) && reflect.DeepEqual(a.Selector, b.Selector)
}

func replaced[T any](list []T, element T, is func(T) bool) []T {
	return append(slices.DeleteFunc(slices.Clone(list), is), element)
}
