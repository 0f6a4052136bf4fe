// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	"github.com/daprise/daprise/mesh"
)

// Comparison tells what a change takes from companions: from one World to another. It is made once for a change and asked about each companion,
// and must not outlive a change of either World.
type Comparison struct {
	before, after World
	was, is       directory
	// changed are the subjects of the rules that one Set has and not the other.
	changed []selector
	// anywhere says that the Worlds differ in more than policies.
	anywhere bool
	brief    bool
}

// Compare prepares the comparison of two Worlds. It does not modify them.
func Compare(before, after World) *Comparison {
	c := &Comparison{before: before, after: after, is: indexed(after.View)}
	if c.was = c.is; before.View != after.View {
		c.was, c.anywhere = indexed(before.View), true
		return c
	}
	var comparable bool
	c.changed, comparable = changedSubjects(before.Set, after.Set)
	c.anywhere = !comparable
	return c
}

// Brief is the same comparison whose findings have no manifests: of a change that concerns every companion, more is found than anybody reads.
func (c *Comparison) Brief() *Comparison {
	brief := *c
	brief.brief = true
	return &brief
}

// App tells what the change takes from an app's companion. lost are the ways in that it opens: findings of isolation that hold after it and
// did not before. cut are the flows that it stops: findings of reachability that are new. What was wrong before is not the change's fault.
func (c *Comparison) App(app mesh.App) (lost, cut []mesh.Finding) {
	is := c.is.app(app)
	return c.between(is, func() *companion { return c.was.app(app) })
}

// Ingress tells what the change takes from an ingress companion, on the same terms as App.
func (c *Comparison) Ingress(ingress mesh.Ingress) (lost, cut []mesh.Finding) {
	return c.between(ofIngress(c.after.View, ingress), func() *companion { return ofIngress(c.before.View, ingress) })
}

// between compares a companion as it is with what it was, which is the same where the View is.
func (c *Comparison) between(is *companion, was func() *companion) (lost, cut []mesh.Finding) {
	if !c.anywhere && !is.amongSubjects(c.changed, c.after.Set) {
		return nil, nil
	}
	earlier := is
	if c.before.View != c.after.View {
		earlier = was()
	}
	then, now := newJudge(c.before.View, c.before.Set, earlier), newJudge(c.after.View, c.after.Set, is)
	// Of what was found before it counts that it was.
	then.brief, now.brief = true, c.brief
	return lostBetween(then, now)
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

// amongSubjects says whether one of the subjects selects the companion, or another end of its flows. A verdict depends on the rules that have
// one end as their subject and on nothing else, and an exposure on those of the companion.
func (c *companion) amongSubjects(subjects []selector, set *Set) bool {
	selected := func(e *Endpoint) bool {
		id := set.identity(*e)
		return slices.ContainsFunc(subjects, func(s selector) bool { return s.matches(id) })
	}
	return len(subjects) > 0 && (selected(c.endpoint) || slices.ContainsFunc(c.flows, func(n need) bool {
		return selected(n.from.endpoint) || selected(n.to.endpoint)
	}))
}

// changedSubjects are the subjects of the rules that one Set has and not the other. They can be told where the Sets differ in nothing else.
func changedSubjects(a, b *Set) (subjects []selector, comparable bool) {
	if a.cluster != b.cluster || a.reading() != b.reading() || !slices.EqualFunc(a.groups, b.groups, CIDRGroup.equal) {
		return nil, false
	}
	only := func(in, from *Set) {
		for namespace, bucket := range in.buckets {
			other := from.buckets[namespace]
			if other == bucket {
				continue
			}
			for ref, p := range bucket.policies {
				if other != nil && other.policies[ref] == p {
					continue
				}
				for _, r := range p.force() {
					subjects = append(subjects, r.subject)
				}
			}
		}
	}
	only(a, b)
	only(b, a)
	return subjects, true
}
