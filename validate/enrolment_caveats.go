// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"slices"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// enrolmentCaveats (DPR312, DPR313, DPR403) warn of what an enrolment asks for and will not get, or not as its author may think: a
// Configuration of theirs that says something else than network policy, a local redirect that does nothing, encryption by a Cilium that
// does not encrypt. What the old version had already is not said again.
func enrolmentCaveats(w policy.World, before, after *enrolment) []mesh.Finding {
	had := caveatsOf(w.View, before)
	return slices.DeleteFunc(caveatsOf(w.View, after), func(f mesh.Finding) bool {
		return slices.ContainsFunc(had, func(h mesh.Finding) bool { return h.Code == f.Code && h.Message == f.Message })
	})
}

func caveatsOf(view *mesh.View, e *enrolment) []mesh.Finding {
	if e.ID() == "" {
		return nil
	}
	findings := append(view.CheckLocalRedirect(e.Candidate), view.CheckEncryption()...)
	if e.App != nil {
		findings = append(findings, view.CheckConfiguration(*e.App, callersOf(view, *e.App))...)
	}
	return about(e.object, findings)
}

// callersOf are an app's own callers and the ingress companions that route to it.
func callersOf(view *mesh.View, app mesh.App) []mesh.AppRef {
	callers := slices.Clone(app.Callers)
	for _, target := range view.Routes {
		if target.App == app.AppRef {
			callers = append(callers, target.Ingress)
		}
	}
	return callers
}
