// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	"github.com/daprise/daprise/mesh"
)

// App judges the coverage of an app's companion in a View: flow F2 from each ingress companion that routes to it and from its
// callers, F3 to the app's pods and the backends of its GAMMA split, F5 where policy closes the companion's egress, and isolation. Findings carry the namespaces of the endpoints concerned in Namespaces and, but for hints, severity
// Deny, before modes apply; their Object is the enrolled object. It is sorted and does not modify its arguments.
func App(view *mesh.View, set *Set, app mesh.App) []mesh.Finding {
	return coverage(view, set, ofApp(view, app))
}

// Ingress judges the coverage of an ingress companion in a View: flows F1 and F5 and isolation, on the same terms as App.
func Ingress(view *mesh.View, set *Set, ingress mesh.Ingress) []mesh.Finding {
	return coverage(view, set, ofIngress(view, ingress))
}

func coverage(view *mesh.View, set *Set, c *companion) []mesh.Finding {
	j := newJudge(view, set, c)
	findings := j.environment()
	findings = append(findings, j.reachability()...)
	findings = append(findings, j.isolation(nil)...)
	findings = append(findings, j.holders()...)
	if slices.ContainsFunc(findings, func(f mesh.Finding) bool { return f.Code != mesh.CodeCiliumSetting }) {
		findings = append(findings, j.hints()...)
	}
	mesh.SortFindings(findings)
	return findings
}

// judge judges one companion in one world.
type judge struct {
	view *mesh.View
	set  *Set
	c    *companion
	// met are the endpoints that were asked about.
	met parties
}

func newJudge(view *mesh.View, set *Set, c *companion) *judge {
	return &judge{view: view, set: set, c: c, met: parties{set: set}}
}

// self is the companion.
func (j *judge) self() *party { return j.met.of(j.c.endpoint) }

// finding begins a finding about the companion.
func (j *judge) finding(code mesh.Code, message string) mesh.Finding {
	return mesh.Finding{
		Code: code, Severity: mesh.Deny, Object: j.c.owner, Message: message, Namespaces: []string{j.c.ref.Namespace},
	}
}

// LostByApp tells what a change of the world takes from an app's companion. lost are the ways in that it opens: findings of isolation
// that hold after it and did not before. cut are the flows that it stops: findings of reachability that are new. What was wrong
// before is not the change's fault. It does not modify its arguments.
func LostByApp(before, after World, app mesh.App) (lost, cut []mesh.Finding) {
	return lostBetween(
		newJudge(before.View, before.Set, ofApp(before.View, app)), newJudge(after.View, after.Set, ofApp(after.View, app)),
	)
}

// LostByIngress tells what a change takes from an ingress companion, on the same terms as LostByApp.
func LostByIngress(before, after World, ingress mesh.Ingress) (lost, cut []mesh.Finding) {
	return lostBetween(
		newJudge(before.View, before.Set, ofIngress(before.View, ingress)), newJudge(after.View, after.Set, ofIngress(after.View, ingress)),
	)
}

func lostBetween(was, is *judge) (lost, cut []mesh.Finding) {
	lost = is.isolation(was)
	if is.carriedByZtunnel() && !was.carriedByZtunnel() {
		lost = append(lost, is.ztunnel())
	}
	known := was.reachability()
	for _, f := range is.reachability() {
		if !slices.ContainsFunc(known, func(k mesh.Finding) bool { return *k.Witness == *f.Witness }) {
			cut = append(cut, f)
		}
	}
	mesh.SortFindings(lost)
	mesh.SortFindings(cut)
	return lost, cut
}

// VoidFor explains a void policy to whom it selects: one finding, severity Warn, for each companion of the View that the policy
// would have concerned.
func VoidFor(view *mesh.View, set *Set, p *Policy) []mesh.Finding {
	var findings []mesh.Finding
	for _, c := range companionsOf(view) {
		j := newJudge(view, set, c)
		if f, ok := j.voided(p); ok {
			findings = append(findings, f)
		}
	}
	return findings
}

func companionsOf(view *mesh.View) []*companion {
	var list []*companion
	for _, g := range view.Ingresses {
		list = append(list, ofIngress(view, g))
	}
	for _, a := range view.Apps {
		list = append(list, ofApp(view, a))
	}
	return list
}
