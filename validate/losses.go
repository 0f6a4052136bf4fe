// SPDX-License-Identifier: Apache-2.0

package validate

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// fullyTold is how many findings of one change get their manifests: more than fit into an answer (webhook). A change may concern every
// companion of a cluster, and to write all manifests takes longer than a call may, which would then be let in.
const fullyTold = 100

// losses are what a change takes from every live companion of a View. clause begins the messages.
type losses struct {
	before, after policy.World
	clause        string
}

// findings are those of all companions; the severest of them, by the coverage modes of a View, have their manifests.
func (l losses) findings(modes *mesh.View) []mesh.Finding {
	change, through := policy.Compare(l.before, l.after), routesThrough(l.after.View)
	var found []mesh.Finding
	// whole judges the companion of a message again, with manifests.
	whole := map[string]func() []mesh.Finding{}
	add := func(ref mesh.AppRef, judge func(*policy.Comparison) (lost, cut []mesh.Finding)) {
		of := func(c *policy.Comparison) []mesh.Finding {
			lost, cut := judge(c)
			findings := l.lost(lost)
			if len(cut) > 0 {
				findings = append(findings, l.cut(cut, neededBy(through(ref)))...)
			}
			return findings
		}
		for _, f := range of(change.Brief()) {
			found = append(found, f)
			whole[f.Message] = func() []mesh.Finding { return of(change) }
		}
	}
	for _, g := range l.after.View.Ingresses {
		if g.Companion.Live {
			add(g.AppRef, func(c *policy.Comparison) (lost, cut []mesh.Finding) { return c.Ingress(g) })
		}
	}
	for _, a := range l.after.View.Apps {
		if a.Companion.Live {
			add(a.AppRef, func(c *policy.Comparison) (lost, cut []mesh.Finding) { return c.App(a) })
		}
	}
	manifests := map[string]string{}
	severest := ApplyModes(modes, found)
	for _, f := range severest[:min(len(severest), fullyTold)] {
		if _, told := manifests[f.Message]; told {
			continue
		}
		for _, complete := range whole[f.Message]() {
			manifests[complete.Message] = complete.Manifest
		}
	}
	for i := range found {
		found[i].Manifest = manifests[found[i].Message]
	}
	return found
}

func (l losses) lost(lost []mesh.Finding) []mesh.Finding {
	lost = slices.Clone(lost)
	for i := range lost {
		lost[i].Message = l.clause + lost[i].Message
	}
	return lost
}

// cut are the warnings of a write that closes. They keep their severity in every mode.
func (l losses) cut(cut []mesh.Finding, needed string) []mesh.Finding {
	if needed == "" {
		return nil
	}
	cut = slices.Clone(cut)
	for i := range cut {
		cut[i].Code, cut[i].Severity = mesh.CodeNeededByRoute, mesh.Warn
		cut[i].Message = fmt.Sprintf("%s%s, which %s needs", l.clause, cut[i].Message, needed)
	}
	return cut
}

// routesThrough finds the routes through a companion, sorted and each once, by an index that is made when it is asked for.
func routesThrough(view *mesh.View) func(mesh.AppRef) []string {
	index := sync.OnceValue(func() map[mesh.AppRef][]string {
		routes := map[mesh.AppRef][]string{}
		for i := range view.Routes {
			r := &view.Routes[i]
			for _, ref := range slices.Compact([]mesh.AppRef{r.Ingress, r.App}) {
				routes[ref] = append(routes[ref], r.Route.String())
			}
		}
		for ref, all := range routes {
			slices.Sort(all)
			routes[ref] = slices.Compact(all)
		}
		return routes
	})
	return func(ref mesh.AppRef) []string { return index()[ref] }
}

// neededBy names the route, or the number of routes, of some: "HTTPRoute default/whoami-route"; empty if there are none.
func neededBy(routes []string) string {
	if len(routes) > 1 {
		return fmt.Sprintf("%s and %d more", routes[0], len(routes)-1)
	}
	return strings.Join(routes, "")
}
