// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"testing"

	"github.com/cilium/cilium/pkg/policy/api"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// TestAuthenticationIsAskedOfCompanionsAlone, and only where Cilium can: on a rule with a reserved peer it would drop everything. What is
// written so is covered.
func TestAuthenticationIsAskedOfCompanionsAlone(t *testing.T) {
	able := mesh.Cilium{Version: "1.20.2", Encrypts: true, Authenticates: true}
	for _, tt := range []struct {
		name       string
		encryption mesh.Encryption
		cilium     mesh.Cilium
		want       bool
	}{
		{"Dapr's mTLS", mesh.EncryptionDapr, able, false},
		{"encryption by Cilium", mesh.EncryptionCilium, able, true},
		{"encryption by a Cilium that cannot", mesh.EncryptionCilium, mesh.Cilium{Version: "1.20.2"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			view := world(func(v *mesh.View) { v.Config.Dapr.Encryption, v.Cilium = tt.encryption, tt.cilium })
			written := append(policy.CoveringApp(view, view.Apps[0]), policy.CoveringIngress(view, view.Ingresses[0])...)
			var compiled []*policy.Policy
			for _, cnp := range written {
				compiled = append(compiled, policy.CompileCNP(cnp))
				for _, rule := range cnp.Spec.Ingress {
					internal := len(rule.ToPorts) > 0 && rule.ToPorts[0].Ports[0].Port == "50002"
					asked := rule.Authentication != nil && rule.Authentication.Mode == api.AuthenticationModeRequired
					if asked != (internal && tt.want) {
						t.Errorf("%s: authentication %v of %v", cnp.Name, rule.Authentication, rule.FromEndpoints)
					}
				}
			}
			set := policy.NewSet(compiled...)
			for _, f := range append(policy.App(view, set, view.Apps[0]), policy.Ingress(view, set, view.Ingresses[0])...) {
				if f.Severity == mesh.Deny {
					t.Errorf("%s: %s", f.Code, f.Message)
				}
			}
		})
	}
}
