// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/cilium/cilium/pkg/policy/api"
)

// resolve puts the addresses of groups in the place of their names, as the agent of this version does before it parses a policy
// (pkg/policy/k8s translateSpec).
func (e *engine) resolve(specs api.Rules) {
	for _, spec := range specs {
		if spec == nil {
			continue
		}
		for i := range spec.Ingress {
			e.resolveSet(&spec.Ingress[i].FromCIDRSet)
		}
		for i := range spec.IngressDeny {
			e.resolveSet(&spec.IngressDeny[i].FromCIDRSet)
		}
		for i := range spec.Egress {
			e.resolveSet(&spec.Egress[i].ToCIDRSet)
		}
		for i := range spec.EgressDeny {
			e.resolveSet(&spec.EgressDeny[i].ToCIDRSet)
		}
	}
}

func (e *engine) resolveSet(set *api.CIDRRuleSlice) {
	if *set == nil {
		return
	}
	resolved := api.CIDRRuleSlice{}
	for _, r := range *set {
		if r.CIDRGroupRef == "" {
			resolved = append(resolved, r)
			continue
		}
		for _, g := range e.groups {
			if g.Metadata.Name != string(r.CIDRGroupRef) {
				continue
			}
			for _, p := range g.Spec.ExternalCIDRs {
				resolved = append(resolved, api.CIDRRule{Cidr: api.CIDR(p.String()), ExceptCIDRs: r.ExceptCIDRs})
			}
		}
	}
	*set = resolved
}
