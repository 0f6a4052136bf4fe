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
	// brief says that findings go without their manifests.
	brief bool
}

func newJudge(view *mesh.View, set *Set, c *companion) *judge {
	return &judge{view: view, set: set, c: c, met: parties{set: set}}
}

// self is the companion.
func (j *judge) self() *party { return j.met.of(j.c.endpoint) }

// manifest is what belongs to a finding, which takes longer to write than to find it.
func (j *judge) manifest(write func() string) string {
	if j.brief {
		return ""
	}
	return write()
}

// finding begins a finding about the companion.
func (j *judge) finding(code mesh.Code, message string) mesh.Finding {
	return mesh.Finding{
		Code: code, Severity: mesh.Deny, Object: j.c.owner, Message: message, Namespaces: []string{j.c.ref.Namespace},
	}
}

// VoidFor explains a void policy to whom it selects: one finding, severity Warn, for each companion of the View that the policy
// would have concerned.
func VoidFor(view *mesh.View, set *Set, p *Policy) []mesh.Finding {
	if _, void := set.VoidIn(p); !void {
		return nil
	}
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
	d := indexed(view)
	var list []*companion
	for _, g := range view.Ingresses {
		list = append(list, ofIngress(view, g))
	}
	for _, a := range view.Apps {
		list = append(list, d.app(a))
	}
	return list
}
