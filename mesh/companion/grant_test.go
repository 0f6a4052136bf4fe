// SPDX-License-Identifier: Apache-2.0

package companion_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh/companion"
)

// TestGrants: every Service is named, whatever their number, and no grant names more than Gateway API allows.
func TestGrants(t *testing.T) {
	for _, tt := range []struct {
		services int
		want     []string
	}{
		{1, []string{"ingress-dapr-from-shop"}},
		{16, []string{"ingress-dapr-from-shop"}},
		{17, []string{"ingress-dapr-from-shop", "ingress-dapr-from-shop.2"}},
		{33, []string{"ingress-dapr-from-shop", "ingress-dapr-from-shop.2", "ingress-dapr-from-shop.3"}},
	} {
		t.Run(fmt.Sprint(tt.services), func(t *testing.T) {
			from := companion.RoutesFrom{Namespace: "shop", Kinds: []string{"GRPCRoute", "HTTPRoute"}}
			for i := range tt.services {
				from.Services = append(from.Services, fmt.Sprintf("ingress-dapr-to-%d", i))
			}
			var names, services []string
			for _, grant := range companion.Grants(ingress(), from) {
				names = append(names, grant.Name)
				if len(grant.Spec.To) > 16 || len(grant.Spec.From) != 2 {
					t.Errorf("%s: %d Services to %d kinds", grant.Name, len(grant.Spec.To), len(grant.Spec.From))
				}
				for _, to := range grant.Spec.To {
					services = append(services, string(*to.Name))
				}
			}
			if diff := cmp.Diff(tt.want, names); diff != "" {
				t.Errorf("grants (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(from.Services, services); diff != "" {
				t.Errorf("Services (-want +got):\n%s", diff)
			}
		})
	}
}
