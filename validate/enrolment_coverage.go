// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// enrolmentCoverage refuses the enrolment of a companion that is not covered, in strict namespaces. In enforce, where installers write
// Services before policies, it warns: until the policies are there the companion is held. Where policies are generated they follow from
// the enrolment, so that it cannot wait for them. An app that can be reached past its companion is warned of in every mode.
func enrolmentCoverage(w policy.World, before, after *enrolment) []mesh.Finding {
	ref, enrolled := after.ref()
	if !enrolled || judgedAlike(before, after) {
		return nil
	}
	view := enrolling(w.View, after, ref)
	var findings []mesh.Finding
	if after.App != nil {
		findings = about(after.object, policy.Past(view, w.Set, *after.App))
	}
	if view.PoliciesOf(ref.Namespace) == mesh.PoliciesGenerate {
		return findings
	}
	for _, f := range Coverage(policy.World{View: view, Set: w.Set}, after.object, nil, ref) {
		if f.Severity == mesh.Deny {
			f.Severity = enrolmentSeverity(view.Mode(f.Namespaces...))
		}
		findings = append(findings, f)
	}
	return findings
}

// enrolling is the View with the enrolment that is written, and its Service, in place of what is stored. It does not modify its arguments.
func enrolling(stored *mesh.View, after *enrolment, ref mesh.AppRef) *mesh.View {
	view := *stored
	if after.App != nil {
		app := *after.App
		known, _ := stored.App(ref)
		app.Companion = known.Companion
		view.Apps = replaced(view.Apps, app, func(a mesh.App) bool { return a.AppRef == ref })
	} else {
		ingress := *after.Ingress
		known, _ := stored.Ingress(ref)
		ingress.Companion, ingress.GRPC = known.Companion, known.GRPC
		view.Ingresses = replaced(view.Ingresses, ingress, func(g mesh.Ingress) bool { return g.AppRef == ref })
	}
	if s, ok := after.meta.(*corev1.Service); ok {
		service := mesh.Service{Name: mesh.Name{Namespace: s.Namespace, Name: s.Name}, Type: s.Spec.Type, Selector: s.Spec.Selector, Ports: s.Spec.Ports}
		view.Services = replaced(view.Services, service, func(o mesh.Service) bool { return o.Name == service.Name })
	}
	return &view
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
