// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"cmp"
	"maps"
	"slices"

	"github.com/daprise/daprise/mesh"
)

// Set is the policies that a decision reads. It is immutable and safe for concurrent use: With and Without return a new one.
type Set struct {
	// cluster is the name that Cilium knows this cluster by.
	cluster string
	// buckets holds the policies of each namespace, clusterwide ones under "".
	buckets map[string]*bucket
	groups  []CIDRGroup
	// cilium is the release whose verdicts are given; anyCluster says that selectors without a cluster are those of every cluster.
	cilium     release
	anyCluster bool
	// candidates are the sources of every question about exposure that are not pods.
	candidates []candidate
}

// bucket indexes the policies of one namespace by what their subjects require, so that the cost of a question depends on the
// policies that select the endpoint and not on all there are.
type bucket struct {
	policies map[Ref]*Policy
	// byLabel holds rules under the label values of which their subject requires one; rest holds those that require none.
	byLabel map[labelValue][]*rule
	rest    []*rule
}

type labelValue struct{ key, value string }

// NewSet combines compiled policies; nil ones are left out, and of two with one Ref the later counts. The order is otherwise
// irrelevant.
func NewSet(policies ...*Policy) *Set {
	byNamespace := map[string]map[Ref]*Policy{}
	for _, p := range policies {
		if p == nil {
			continue
		}
		if byNamespace[p.ref.Namespace] == nil {
			byNamespace[p.ref.Namespace] = map[Ref]*Policy{}
		}
		byNamespace[p.ref.Namespace][p.ref] = p
	}
	s := &Set{
		cluster: DefaultCluster, cilium: modelled, buckets: make(map[string]*bucket, len(byNamespace)),
	}
	s.candidates = s.everywhere()
	for namespace, policies := range byNamespace {
		s.buckets[namespace] = newBucket(policies, s.reading())
	}
	return s
}

// InCilium returns the Set as a cluster's Cilium judges it: by its version, its name of the cluster, and what it takes selectors for that
// say nothing of the cluster. A version of which verdicts are not known is taken for the one modelled; coverage is then not claimed (DPR403).
func (s *Set) InCilium(cilium mesh.Cilium) *Set {
	c := *s
	c.cluster = cmp.Or(cilium.Cluster, DefaultCluster)
	c.cilium, _ = releaseOf(cilium.Version)
	c.anyCluster = cilium.AnyCluster
	if c.reading().same() && s.reading().same() {
		return &c
	}
	c.buckets = make(map[string]*bucket, len(s.buckets))
	for namespace, b := range s.buckets {
		c.buckets[namespace] = newBucket(b.policies, c.reading())
	}
	return &c
}

// With returns a Set that has the policy too, in place of one with the same Ref.
func (s *Set) With(p *Policy) *Set {
	return s.replace(p.ref, p)
}

// Without returns a Set without the policy of that name; the same Set if it has none.
func (s *Set) Without(ref Ref) *Set {
	if _, ok := s.Policy(ref); !ok {
		return s
	}
	return s.replace(ref, nil)
}

func (s *Set) replace(ref Ref, p *Policy) *Set {
	policies := map[Ref]*Policy{}
	if b := s.buckets[ref.Namespace]; b != nil {
		policies = maps.Clone(b.policies)
	}
	delete(policies, ref)
	if p != nil {
		policies[ref] = p
	}
	buckets := maps.Clone(s.buckets)
	if buckets == nil {
		buckets = map[string]*bucket{}
	}
	buckets[ref.Namespace] = newBucket(policies, s.reading())
	c := *s
	c.buckets = buckets
	return &c
}

// Policy finds a policy by name.
func (s *Set) Policy(ref Ref) (*Policy, bool) {
	b := s.buckets[ref.Namespace]
	if b == nil {
		return nil, false
	}
	p, ok := b.policies[ref]
	return p, ok
}

// Policies are all policies of a namespace, or the clusterwide ones for "", sorted.
func (s *Set) Policies(namespace string) []*Policy {
	b := s.buckets[namespace]
	if b == nil {
		return nil
	}
	return slices.SortedFunc(maps.Values(b.policies), func(a, b *Policy) int { return compareRefs(a.ref, b.ref) })
}

func compareRefs(a, b Ref) int {
	if c := cmp.Compare(a.Kind, b.Kind); c != 0 {
		return c
	}
	if c := cmp.Compare(a.Namespace, b.Namespace); c != 0 {
		return c
	}
	return cmp.Compare(a.Name, b.Name)
}

// newBucket indexes policies as a release reads them.
func newBucket(policies map[Ref]*Policy, as reading) *bucket {
	b := &bucket{policies: make(map[Ref]*Policy, len(policies)), byLabel: map[labelValue][]*rule{}}
	for ref, p := range policies {
		p = p.in(as)
		b.policies[ref] = p
		for _, r := range p.force() {
			keys := indexKeys(r.subject, p.ref.Namespace)
			for _, key := range keys {
				b.byLabel[key] = append(b.byLabel[key], r)
			}
			if len(keys) == 0 {
				b.rest = append(b.rest, r)
			}
		}
	}
	return b
}

// anyValue stands for every value of a label. No label has it.
const anyValue = "\x00any"

// indexKeys are label values of which an endpoint must have one to be the subject; none where its requirements are of another kind. In
// a namespace's own bucket the namespace tells nothing, and of two clusters' names one is not known.
func indexKeys(s selector, namespace string) []labelValue {
	var keys []labelValue
	for _, r := range s {
		if r.key == keyCluster || r.key == keyNamespace && namespace != "" {
			continue
		}
		switch {
		case r.op == in:
			keys = nil
			for _, value := range r.values {
				keys = append(keys, labelValue{r.key, value})
			}
			return keys
		case r.op == exists && keys == nil:
			keys = []labelValue{{r.key, anyValue}}
		}
	}
	return keys
}

// selecting are the rules of one direction that have the endpoint as their subject, sorted by policy and place. Nothing is enforced at a
// host: the host firewall is off by default.
func (s *Set) selecting(e *party, d direction) []*rule {
	if e.Entity == EntityHost || s.cilium < sinceHostByNumber && e.id.hasKey(EntityHost) {
		return nil
	}
	var rules []*rule
	consider := func(candidates []*rule) {
		for _, r := range candidates {
			if r.direction == d && !r.node && r.subject.matches(e.id) {
				rules = append(rules, r)
			}
		}
	}
	namespaces := []string{""}
	if e.Namespace != "" {
		namespaces = append(namespaces, e.Namespace)
	}
	for _, namespace := range namespaces {
		b := s.buckets[namespace]
		if b == nil {
			continue
		}
		consider(b.rest)
		for _, l := range e.id {
			consider(b.byLabel[labelValue{l.key, l.value}])
			consider(b.byLabel[labelValue{l.key, anyValue}])
		}
	}
	slices.SortFunc(rules, compareRules)
	// Of two labels with one key both lead to a rule.
	return slices.Compact(rules)
}

func compareRules(a, b *rule) int {
	if a.policy != b.policy {
		if c := compareRefs(a.policy.ref, b.policy.ref); c != 0 {
			return c
		}
	}
	return cmp.Or(cmp.Compare(a.spec, b.spec), cmp.Compare(a.path, b.path), cmp.Compare(a.index, b.index))
}
