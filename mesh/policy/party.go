// SPDX-License-Identifier: Apache-2.0

package policy

import "slices"

// party is an endpoint as a Set knows it. One decision asks the same of one endpoint many times, so that what is asked is worked out once
// and kept. It is not safe for concurrent use.
type party struct {
	*Endpoint
	set *Set
	id  identity
	// subject is what was found of each direction, troubled whether Cilium can compute the endpoint's policy.
	subject  [egress + 1]*subject
	troubled *conflict
}

// subject is what policies say of an endpoint in one direction.
type subject struct {
	rules []*rule
	// uneven are the names of ports that end in different places (unevenNames).
	uneven map[string]bool
}

func (s *Set) party(e *Endpoint) *party { return &party{Endpoint: e, set: s, id: s.identity(*e)} }

// in are the rules of a direction that have the endpoint as their subject.
func (p *party) in(d direction) *subject {
	if p.subject[d] == nil {
		rules := p.set.selecting(p, d)
		p.subject[d] = &subject{rules: rules, uneven: unevenNames(rules)}
	}
	return p.subject[d]
}

// conflict says why Cilium cannot compute the endpoint's policy.
func (p *party) conflict() conflict {
	if p.troubled == nil {
		p.troubled = &conflict{}
		if rules := [][]*rule{p.in(ingress).rules, p.in(egress).rules}; p.set.mayConflict(rules) {
			*p.troubled = p.set.conflict(*p.Endpoint, slices.Concat(rules...))
		}
	}
	return *p.troubled
}

// unlabelled says that Cilium keeps the endpoint closed whatever the policies say, as one that has no labels yet. It takes any label of that
// name for it (cilium pkg/policy repository.go).
func (p *party) unlabelled() bool { return p.id.hasKey(EntityInit) }

// free says that no rule of a direction is about the endpoint, which is open then.
func (p *party) free(d direction) bool {
	return len(p.in(d).rules) == 0 && !p.unlabelled() && p.conflict().by == nil
}

// parties are the endpoints of one decision, each once.
type parties struct {
	set   *Set
	known []*party
}

func (p *parties) of(e *Endpoint) *party {
	for _, known := range p.known {
		if known.Endpoint == e {
			return known
		}
	}
	fresh := p.set.party(e)
	p.known = append(p.known, fresh)
	return fresh
}
