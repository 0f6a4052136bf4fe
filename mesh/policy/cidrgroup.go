// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/policy/api"
)

// CIDRGroup is a CiliumCIDRGroup: addresses outside the cluster under a name and labels, by which rules refer to them.
type CIDRGroup struct {
	Name     string
	Labels   map[string]string
	Prefixes []netip.Prefix
}

// CIDRGroupOf reads a CiliumCIDRGroup. As in Cilium, what is no CIDR is left out, and so are labels of Cilium's own (cilium
// pkg/policy/k8s/cilium_cidr_group.go). It does not modify its argument.
func CIDRGroupOf(g *ciliumv2.CiliumCIDRGroup) CIDRGroup {
	labels := maps.Clone(g.Labels)
	maps.DeleteFunc(labels, func(key, _ string) bool { return strings.HasPrefix(key, "io.cilium.k8s") })
	var prefixes []netip.Prefix
	for _, c := range g.Spec.ExternalCIDRs {
		if p, err := netip.ParsePrefix(string(c)); err == nil {
			prefixes = append(prefixes, p.Masked())
		}
	}
	return CIDRGroup{Name: g.Name, Labels: labels, Prefixes: prefixes}
}

func (g CIDRGroup) equal(o CIDRGroup) bool {
	return g.Name == o.Name && maps.Equal(g.Labels, o.Labels) && slices.Equal(g.Prefixes, o.Prefixes)
}

// WithCIDRGroups returns the Set with these groups in place of those that it had. A group that rules name and that is not among them
// holds no address, as in Cilium.
func (s *Set) WithCIDRGroups(groups ...CIDRGroup) *Set {
	c := *s
	c.groups = slices.Clone(groups)
	if len(groups)+len(s.groups) > 0 {
		c.candidates = c.everywhere()
	}
	return &c
}

// identity is the endpoint's labels in the Set's cluster: an address also has those of the groups that hold it.
func (s *Set) identity(e Endpoint) identity {
	id := e.identity(s.cluster, s.cilium)
	if !e.Address.IsValid() {
		return id
	}
	for _, g := range s.groups {
		if !slices.ContainsFunc(g.Prefixes, func(p netip.Prefix) bool { return p.Contains(e.Address) }) {
			continue
		}
		id = append(id, label{sourceCIDRGroup, groupName(g.Name), ""})
		for key, value := range g.Labels {
			id = append(id, label{sourceCIDRGroup, key, value})
		}
	}
	id.sort()
	return id
}

// edges are the blocks at whose bounds a peer may begin or cease to match addresses.
func (s *Set) edges(p *peer) []netip.Prefix {
	switch {
	case p.block != nil:
		return append([]netip.Prefix{p.block.prefix}, p.block.except...)
	case p.group != nil:
		edges := slices.Clone(p.group.except)
		for _, g := range s.groups {
			edges = append(edges, g.Prefixes...)
		}
		return edges
	default:
		return nil
	}
}

// groupName is the key of the label by which rules name a group (cilium pkg/policy/api LabelForCIDRGroupRef).
func groupName(name string) string { return "io.cilium.policy.cidrgroupname/" + name }

// cidrGroup is a peer that names groups, by name or by their labels, without exceptions of its own.
type cidrGroup struct {
	selector selector
	except   []netip.Prefix
	// single says that an address has one value of a label, of whichever group it got that last (before sinceEncodedGroups).
	single bool
	// everywhere says that whatever has the labels is meant, inside the cluster, too (before sinceGroupsOutside).
	everywhere bool
}

func cidrGroupOf(r api.CIDRRule) *cidrGroup {
	g := &cidrGroup{except: prefixesOf(r.ExceptCIDRs)}
	if r.CIDRGroupRef != "" {
		g.selector = selector{present(sourceCIDRGroup, groupName(string(r.CIDRGroupRef)))}
		return g
	}
	g.selector = selectorOf(r.CIDRGroupSelector.LabelSelector)
	for i := range g.selector {
		g.selector[i].source = sourceCIDRGroup
	}
	return g
}

// unlikeGroups names what cannot be judged of an address that several groups hold, where it has the label of one of them.
const unlikeGroups = "groups that hold one address and differ in a label"

// matches says whether a source outside the cluster is meant. Of the labels of several groups that hold it all count: one value among
// them is enough for In, and none may be there for NotIn (cilium pkg/policy/types matchesEncodedRequirement).
func (g *cidrGroup) matches(e *Endpoint, id identity) answer {
	if !g.everywhere && !isWorld(e) || slices.ContainsFunc(g.except, func(p netip.Prefix) bool { return p.Contains(e.Address) }) {
		return no
	}
	best := yes
	for i := range g.selector {
		switch r := &g.selector[i]; {
		case g.single && r.severalIn(id):
			best = maybe
		case !r.matchesAny(id):
			return no
		}
	}
	return best
}

// severalIn says whether the labels have several values for the key, and the answer depends on which counts.
func (r *requirement) severalIn(id identity) bool {
	held, not := false, false
	for _, l := range id {
		if l.key == r.key && l.source == r.source {
			holds := r.op.holds(labelled{true, slices.Contains(r.values, l.value)})
			held, not = held || holds, not || !holds
		}
	}
	return held && not
}

// matchesAny looks at every label that has the key.
func (r *requirement) matchesAny(id identity) bool {
	found, listed := false, false
	for _, l := range id {
		if l.key == r.key && l.source == r.source {
			found, listed = true, listed || slices.Contains(r.values, l.value)
		}
	}
	return r.op.holds(labelled{found, listed})
}

// String names the peer as Cilium's cache of selectors does.
func (g *cidrGroup) String() string { return fmt.Sprint("cidrgroup ", g.selector, g.except) }
