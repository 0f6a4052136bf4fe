// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

func TestCoverageOfTheScenario(t *testing.T) {
	for name, tt := range map[string]struct {
		policies     []string
		app, ingress []string
	}{
		"hand-written policies cover": {policies: []string{allowIngressToWhoami, allowGatewayToIngress}},
		"no policy": {
			app:     []string{`Service default/whoami refused: companion "whoami" (default) is open on 50002/TCP: any pod may reach it, since no policy selects it. Apply the policy below or label the namespace daprise.dev/coverage=warn. [DPR101]`},
			ingress: []string{`Gateway default/default-gateway refused: ingress companion "ingress" (default) is open on 3500/TCP: any pod may reach it, since no policy selects it. Apply the policy below or label the namespace daprise.dev/coverage=warn. [DPR101]`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			view, set := world(), setOf(t, tt.policies...)
			if diff := cmp.Diff(tt.app, texts(policy.App(view, set, view.Apps[0]))); diff != "" {
				t.Errorf("App -want +got:\n%s", diff)
			}
			if diff := cmp.Diff(tt.ingress, texts(policy.Ingress(view, set, view.Ingresses[0]))); diff != "" {
				t.Errorf("Ingress -want +got:\n%s", diff)
			}
		})
	}
}

func TestCoveringPoliciesCover(t *testing.T) {
	for name, tweak := range map[string]func(*mesh.View){
		"scenario":    func(*mesh.View) {},
		"grpc":        func(v *mesh.View) { v.Ingresses[0].GRPC = true },
		"no dapr api": func(v *mesh.View) { v.Apps[0].DaprAPI = false },
		"moved ports": func(v *mesh.View) { v.Apps[0].Port = 3500 },
		"callers": func(v *mesh.View) {
			v.Apps[0].Callers = []mesh.AppRef{{Namespace: "shop", ID: "cart"}, {Namespace: "default", ID: "other"}}
		},
		"nobody calls": func(v *mesh.View) { v.Routes, v.Apps[0].DaprAPI = nil, false },
	} {
		t.Run(name, func(t *testing.T) {
			view := world(tweak)
			var policies []*policy.Policy
			for _, cnp := range slices.Concat(policy.CoveringApp(view, view.Apps[0]), policy.CoveringIngress(view, view.Ingresses[0])) {
				policies = append(policies, policy.CompileCNP(cnp))
			}
			set := policy.NewSet(policies...)
			if diff := cmp.Diff([]string(nil), texts(policy.App(view, set, view.Apps[0]))); diff != "" {
				t.Errorf("App -want +got:\n%s", diff)
			}
			if diff := cmp.Diff([]string(nil), texts(policy.Ingress(view, set, view.Ingresses[0]))); diff != "" {
				t.Errorf("Ingress -want +got:\n%s", diff)
			}
		})
	}
}
