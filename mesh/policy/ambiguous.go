// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"strings"

	slim_metav1 "github.com/cilium/cilium/pkg/k8s/slim/k8s/apis/meta/v1"
	"github.com/cilium/cilium/pkg/policy/api"
)

// dropAmbiguous widens selectors that name one label twice, as "app" and "any:app": Cilium keeps one of the two, which one changes
// from run to run. It says whether there were any whose values differ.
func dropAmbiguous(r *api.Rule) bool {
	found := false
	drop := func(selectors ...api.EndpointSelector) {
		for _, es := range selectors {
			found = dropFrom(es.LabelSelector) || found
		}
	}
	drop(r.EndpointSelector, r.NodeSelector)
	for i := range r.Ingress {
		drop(r.Ingress[i].FromEndpoints...)
	}
	for i := range r.IngressDeny {
		drop(r.IngressDeny[i].FromEndpoints...)
	}
	for i := range r.Egress {
		drop(r.Egress[i].ToEndpoints...)
	}
	for i := range r.EgressDeny {
		drop(r.EgressDeny[i].ToEndpoints...)
	}
	return found
}

func dropFrom(ls *slim_metav1.LabelSelector) bool {
	if ls == nil {
		return false
	}
	found := false
	for key, value := range ls.MatchLabels {
		plain, sourced := strings.CutPrefix(key, sourceAny+":")
		other, twice := ls.MatchLabels[plain]
		if !sourced || !twice {
			continue
		}
		delete(ls.MatchLabels, plain)
		if other != value {
			delete(ls.MatchLabels, key)
			found = true
		}
	}
	return found
}
