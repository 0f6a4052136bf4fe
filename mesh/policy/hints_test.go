// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/daprise/daprise/mesh"
)

// TestMisspeltOrElsewhere: an app ID is taken for misspelt if no app of the cluster has it, be it of a namespace that the decision is not about.
func TestMisspeltOrElsewhere(t *testing.T) {
	const forWhoami, forOther = "dapr.io/app-id: whoami", "dapr.io/app-id: whoamy"
	misspelt := strings.Replace(allowIngressToWhoami, forWhoami, forOther, 1)
	clusterwide := strings.NewReplacer("CiliumNetworkPolicy", "CiliumClusterwideNetworkPolicy", ", namespace: default", "").Replace(misspelt)
	for _, tt := range []struct {
		name, policy string
		tweak        func(*mesh.View)
		told         bool
	}{
		{name: "nobody has it", policy: misspelt, told: true},
		{name: "nobody has it, clusterwide", policy: clusterwide, told: true},
		{name: "an app elsewhere has it", policy: misspelt, tweak: func(v *mesh.View) { v.AppIDs = []string{"ingress", "whoami", "whoamy"} }},
		{name: "an app of the View has it", policy: misspelt, tweak: func(v *mesh.View) {
			v.Apps = append(v.Apps, mesh.App{AppRef: mesh.AppRef{Namespace: "shop", ID: "whoamy"}})
		}},
		{name: "far from every app's", policy: strings.Replace(misspelt, "whoamy", "payments", 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			view := world()
			if tt.tweak != nil {
				tt.tweak(view)
			}
			told := slices.ContainsFunc(found(view, setOf(t, allowGatewayToIngress, tt.policy)), func(f mesh.Finding) bool { return f.Code == mesh.CodeSelectorTypo })
			if told != tt.told {
				t.Errorf("told of a slip: %v, want %v", told, tt.told)
			}
		})
	}
}
