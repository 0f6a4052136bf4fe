// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"

	"github.com/cilium/cilium/pkg/policy/api"
)

// mixedPeers says which two kinds of peers a rule combines in one from or to, which Cilium rejects; empty if none. Sanitize says the
// same in an order that changes from call to call.
func mixedPeers(r *api.Rule) string {
	for i := range r.Ingress {
		if m := mixedFrom(&r.Ingress[i].IngressCommonRule); m != "" {
			return fmt.Sprintf("ingress[%d] combines %s", i, m)
		}
	}
	for i := range r.IngressDeny {
		if m := mixedFrom(&r.IngressDeny[i].IngressCommonRule); m != "" {
			return fmt.Sprintf("ingressDeny[%d] combines %s", i, m)
		}
	}
	for i := range r.Egress {
		if m := mixedTo(&r.Egress[i].EgressCommonRule, len(r.Egress[i].ToFQDNs)); m != "" {
			return fmt.Sprintf("egress[%d] combines %s", i, m)
		}
	}
	for i := range r.EgressDeny {
		if m := mixedTo(&r.EgressDeny[i].EgressCommonRule, 0); m != "" {
			return fmt.Sprintf("egressDeny[%d] combines %s", i, m)
		}
	}
	return ""
}

// kind is one kind of peers and how many a rule has of it.
type kind struct {
	name  string
	count int
}

func mixedFrom(c *api.IngressCommonRule) string {
	return mixed(
		kind{"fromEndpoints", len(c.FromEndpoints)}, kind{"fromEntities", len(c.FromEntities)}, kind{"fromCIDR", len(c.FromCIDR)},
		kind{"fromCIDRSet", len(c.FromCIDRSet)}, kind{"fromGroups", len(c.FromGroups)},
	)
}

func mixedTo(c *api.EgressCommonRule, fqdns int) string {
	return mixed(
		kind{"toEndpoints", len(c.ToEndpoints)}, kind{"toEntities", len(c.ToEntities)}, kind{"toCIDR", len(c.ToCIDR)},
		kind{"toCIDRSet", len(c.ToCIDRSet)}, kind{"toGroups", len(c.ToGroups)}, kind{"toServices", len(c.ToServices)}, kind{"toFQDNs", fqdns},
	)
}

func mixed(kinds ...kind) string {
	one := ""
	for _, k := range kinds {
		switch {
		case k.count == 0:
		case one == "":
			one = k.name
		default:
			return one + " and " + k.name
		}
	}
	return ""
}
