// SPDX-License-Identifier: Apache-2.0

package policy

import "github.com/cilium/cilium/pkg/policy/api"

// takenNodes remembers fromNodes and toNodes while a rule is sanitized without them: whether Cilium accepts them depends on its
// setting enable-node-selector-labels, and Sanitize would decide by a global that is not ours to set.
type takenNodes struct {
	ingress, ingressDeny, egress, egressDeny [][]api.EndpointSelector
}

// takeNodes removes fromNodes and toNodes from the rule; nil if it has none.
func takeNodes(r *api.Rule) *takenNodes {
	t := &takenNodes{}
	found := false
	take := func(nodes *[]api.EndpointSelector) []api.EndpointSelector {
		taken := *nodes
		found = found || taken != nil
		*nodes = nil
		return taken
	}
	for i := range r.Ingress {
		t.ingress = append(t.ingress, take(&r.Ingress[i].FromNodes))
	}
	for i := range r.IngressDeny {
		t.ingressDeny = append(t.ingressDeny, take(&r.IngressDeny[i].FromNodes))
	}
	for i := range r.Egress {
		t.egress = append(t.egress, take(&r.Egress[i].ToNodes))
	}
	for i := range r.EgressDeny {
		t.egressDeny = append(t.egressDeny, take(&r.EgressDeny[i].ToNodes))
	}
	if !found {
		return nil
	}
	return t
}

// giveBack puts the nodes back into the rule that they were taken from.
func (t *takenNodes) giveBack(r *api.Rule) {
	if t == nil {
		return
	}
	for i := range r.Ingress {
		r.Ingress[i].FromNodes = t.ingress[i]
	}
	for i := range r.IngressDeny {
		r.IngressDeny[i].FromNodes = t.ingressDeny[i]
	}
	for i := range r.Egress {
		r.Egress[i].ToNodes = t.egress[i]
	}
	for i := range r.EgressDeny {
		r.EgressDeny[i].ToNodes = t.egressDeny[i]
	}
}
