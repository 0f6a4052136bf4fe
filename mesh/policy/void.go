// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/cilium/cilium/pkg/policy/api"
)

// void is a reason for which releases of Cilium reject a whole object: those from since on, but those from until on.
type void struct {
	since, until release
	reason       string
	// unsure says that what decides it is not known here: the object may be accepted.
	unsure bool
}

// forever is later than every release.
const forever release = 9999

// reject voids the object in every release.
func (p *Policy) reject(reason string) {
	p.voids = append(p.voids, void{until: forever, reason: reason})
}

// finish ends the compilation for the release modelled. Rules that no release has in force are dropped.
func (p *Policy) finish() {
	p.settle(modelled)
	p.named = namedIn(p.subject)
	if slices.ContainsFunc(p.voids, func(v void) bool { return v.since <= oldest && v.until == forever && !v.unsure }) {
		p.rules = nil
	}
}

// settle decides by the release whether the object is void.
func (p *Policy) settle(r release) {
	for _, v := range p.voids {
		switch {
		case r < v.since || r >= v.until:
		case v.unsure:
			p.unsure = v.reason
		case p.void == "":
			p.void = v.reason
		}
	}
}

// force are the rules that count: none of a void object.
func (p *Policy) force() []*rule {
	if p.void != "" {
		return nil
	}
	return p.rules
}

// VoidIn says why a Policy has no effect in the Set's release of Cilium, if so.
func (s *Set) VoidIn(p *Policy) (reason string, void bool) { return p.in(s.reading()).Void() }

// sanitize is Cilium's own check and completion of a rule, as every release has it. What the release modelled rejects and others accept is
// taken out of the rule and noted.
func (c *compiler) sanitize(r *api.Rule) error {
	if len(r.Ingress)+len(r.IngressDeny)+len(r.Egress)+len(r.EgressDeny) == 0 {
		err := r.Sanitize()
		if err == nil {
			return nil
		}
		c.policy.voids = append(c.policy.voids, void{since: sinceEmptyRulesChecked, until: forever, reason: err.Error()})
		// With a rule that matches nothing and closes nothing the others can be checked.
		r.Ingress = []api.IngressRule{{}}
		r.EnableDefaultDeny.Ingress = new(bool)
		err = r.Sanitize()
		r.Ingress = nil
		return err
	}
	original := r.DeepCopy()
	err := r.Sanitize()
	if err == nil {
		return nil
	}
	original.DeepCopyInto(r)
	if !dropWideExcepts(r) {
		return err
	}
	c.policy.voids = append(c.policy.voids, void{since: sinceExceptsChecked, until: forever, reason: err.Error()},
		void{until: sinceNarrowExcepts, reason: "an exception wider than its block", unsure: true})
	return r.Sanitize()
}

// inNamespace voids a policy of a namespace that selects nodes. As an element of specs releases took it, and enforced it nowhere.
func (c *compiler) inNamespace() {
	v := void{until: forever, reason: "nodeSelector is for the clusterwide kind alone"}
	if !c.policy.single || c.spec > 0 {
		v.since = sinceSpecsChecked
	}
	c.policy.voids = append(c.policy.voids, v)
}

// dropWideExcepts takes out blocks with an exception that is wider than they are: they hold no address. It says whether there were any.
func dropWideExcepts(r *api.Rule) bool {
	found := false
	for _, set := range cidrSets(r) {
		kept := slices.DeleteFunc(slices.Clone(*set), func(c api.CIDRRule) bool {
			return slices.ContainsFunc(c.ExceptCIDRs, func(e api.CIDR) bool { return wider(e, c.Cidr) })
		})
		found = found || len(kept) < len(*set)
		if *set != nil {
			*set = append(api.CIDRRuleSlice{}, kept...)
		}
	}
	return found
}

func wider(except, block api.CIDR) bool {
	e, err := netip.ParsePrefix(string(except))
	if err != nil {
		return false
	}
	b, err := netip.ParsePrefix(string(block))
	return err == nil && e.Bits() < b.Bits() && b.Contains(e.Addr())
}

func cidrSets(r *api.Rule) []*api.CIDRRuleSlice {
	var sets []*api.CIDRRuleSlice
	for i := range r.Ingress {
		sets = append(sets, &r.Ingress[i].FromCIDRSet)
	}
	for i := range r.IngressDeny {
		sets = append(sets, &r.IngressDeny[i].FromCIDRSet)
	}
	for i := range r.Egress {
		sets = append(sets, &r.Egress[i].ToCIDRSet)
	}
	for i := range r.EgressDeny {
		sets = append(sets, &r.EgressDeny[i].ToCIDRSet)
	}
	return sets
}

// formerly says for which of its parts earlier releases reject a rule that the one modelled accepts.
func formerly(r *api.Rule) []void {
	var voids []void
	until := func(r release, reason string) { voids = append(voids, void{until: r, reason: reason}) }
	for _, entities := range entitiesOf(r) {
		if slices.Contains(entities, api.EntityClusterMesh) {
			until(sinceClusterMeshEntity, "unsupported entity: "+string(api.EntityClusterMesh))
		}
	}
	for _, set := range cidrSets(r) {
		for _, c := range *set {
			switch {
			case c.CIDRGroupSelector.LabelSelector != nil:
				until(sinceGroupSelectors, "cidrGroupSelector is not known")
			case c.CIDRGroupRef != "" && len(c.ExceptCIDRs) > 0:
				// The exceptions must lie within each block of the group.
				voids = append(voids, void{until: sinceGroupExcepts, reason: "cidrGroupRef with exceptions", unsure: true})
			}
		}
	}
	for _, ports := range portRulesOf(r) {
		if slices.ContainsFunc(ports, layer7Range) {
			until(sinceLayer7Ranges, "L7 rules do not support port ranges")
		}
	}
	for i := range r.Egress {
		if len(r.Egress[i].ToServices) > 0 && len(r.Egress[i].ToPorts) > 0 {
			until(sinceServicePorts, fmt.Sprintf("egress[%d] combines ToServices with ToPorts", i))
		}
	}
	return voids
}

// layer7Range says whether a range of numbers has rules for layer 7.
func layer7Range(r api.PortRule) bool {
	return !r.Rules.IsEmpty() && slices.ContainsFunc(r.Ports, func(p api.PortProtocol) bool {
		number, err := strconv.ParseUint(p.Port, 0, 16)
		return err == nil && p.EndPort > int32(number)
	})
}

func entitiesOf(r *api.Rule) []api.EntitySlice {
	var all []api.EntitySlice
	for i := range r.Ingress {
		all = append(all, r.Ingress[i].FromEntities)
	}
	for i := range r.IngressDeny {
		all = append(all, r.IngressDeny[i].FromEntities)
	}
	for i := range r.Egress {
		all = append(all, r.Egress[i].ToEntities)
	}
	for i := range r.EgressDeny {
		all = append(all, r.EgressDeny[i].ToEntities)
	}
	return all
}

func portRulesOf(r *api.Rule) []api.PortRules {
	var all []api.PortRules
	for i := range r.Ingress {
		all = append(all, r.Ingress[i].ToPorts)
	}
	for i := range r.Egress {
		all = append(all, r.Egress[i].ToPorts)
	}
	return all
}
