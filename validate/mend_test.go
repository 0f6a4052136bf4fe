// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"strings"
	"testing"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/validate"
)

// TestMendOfNeededByRoute does what DPR109 tells whoever writes a policy that stops a live route: applies the policy that comes with it, or empties
// the rule that it names. The flow passes then, and nothing is said.
func TestMendOfNeededByRoute(t *testing.T) {
	const allow, empty = "Apply the policy below.", `"path":"/spec/ingressDeny/0","value":{}`
	for name, tt := range map[string]struct {
		before []string
		wrote  string
		fix    string
		mend   func(f mesh.Finding, wrote string) []string
	}{
		"apply": {
			wrote: openShop, fix: allow,
			mend: func(f mesh.Finding, wrote string) []string { return []string{wrote, f.Manifest} },
		},
		"empty the rule": {
			before: []string{allowWhoami, allowIngress}, wrote: quarantine, fix: empty,
			mend: func(_ mesh.Finding, wrote string) []string {
				return []string{allowWhoami, allowIngress, strings.Replace(wrote, "{fromEntities: [all]}", "{}", 1)}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			view := scenario()
			write := func(after ...string) []mesh.Finding {
				return validate.Policy(validate.PolicyWrite{
					Object: mesh.Object{APIVersion: "cilium.io/v2", Kind: policy.KindCNP, Namespace: "default", Name: "it"}, Operation: validate.Create,
					View: view, Before: sets(t, tt.before...), After: sets(t, after...),
				})
			}
			findings := write(append(tt.before, tt.wrote)...)
			if len(findings) != 1 || findings[0].Code != mesh.CodeNeededByRoute || !strings.Contains(findings[0].Fix, tt.fix) {
				t.Fatalf("found %v, want one DPR109 that says %s", brief(findings), tt.fix)
			}
			after := tt.mend(findings[0], tt.wrote)
			if rest := write(after...); len(rest) > 0 {
				t.Errorf("the mend does not mend: %v", brief(rest))
			}
			target := view.Routes[0]
			from := policy.Endpoint{Namespace: target.Ingress.Namespace, Labels: mesh.PodLabels(target.Ingress.ID, mesh.ComponentIngress)}
			to := policy.Endpoint{Namespace: target.App.Namespace, Labels: mesh.PodLabels(target.App.ID, mesh.ComponentApp)}
			if v := sets(t, after...).Verdict(policy.Flow{From: from, To: to, Port: 50002}); !v.Allowed() {
				t.Errorf("the route's flow is stopped: %+v", v)
			}
		})
	}
}
