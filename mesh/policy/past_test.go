// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// TestAppReachablePastItsCompanion: who calls an app's pods directly is warned of, and the mend keeps all out but the companion.
func TestAppReachablePastItsCompanion(t *testing.T) {
	const onlyCompanion = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: whoami, namespace: default}
spec:
  endpointSelector: {matchLabels: {app: whoami}}
  ingress: [{fromEndpoints: [{matchLabels: {daprise.dev/companion: whoami}}]}]
`
	for name, tt := range map[string]struct {
		policies []string
		tweak    func(*mesh.View)
		want     []string
	}{
		"no policy": {want: []string{`DPR110 the pods of Service "whoami" (default) can be reached on 8080/TCP past companion "whoami" (default): any pod may, since no policy closes them`}},
		"a policy for others": {policies: []string{closedApp}, want: []string{
			`DPR110 the pods of Service "whoami" (default) can be reached on 8080/TCP past companion "whoami" (default): pod default/app=frontend may, since spec.ingress[0] of NetworkPolicy default/closed allows it`,
		}},
		"the companion alone":         {policies: []string{onlyCompanion}},
		"another port":                {policies: []string{onlyCompanion, strings.Replace(closedApp, "from: [{podSelector: {matchLabels: {app: frontend}}}]", "ports: [{port: 9090}]", 1)}},
		"no pod":                      {tweak: func(v *mesh.View) { v.Pods = nil }},
		"a Service that is not known": {tweak: func(v *mesh.View) { v.Services = nil }},
		"the gateway, before 1.17.5":  {policies: []string{onlyCompanion, gatewayToWhoami}, tweak: func(v *mesh.View) { v.Cilium.Version = "1.17.4" }},
		"the gateway, which it need not": {policies: []string{onlyCompanion, gatewayToWhoami}, want: []string{
			`DPR110 the pods of Service "whoami" (default) can be reached on 8080/TCP past companion "whoami" (default): the gateway may, since spec.ingress[0] of CiliumNetworkPolicy default/gateway allows it`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			view := world(whoamiPods)
			if tt.tweak != nil {
				tt.tweak(view)
			}
			objects := map[string]string{}
			for _, doc := range tt.policies {
				objects[nameOf(t, doc)] = doc
			}
			set := func() *policy.Set { return setOf(t, docs(objects)...).InCilium(view.Cilium) }
			var got []string
			for _, f := range policy.Past(view, set(), view.Apps[0]) {
				got = append(got, string(f.Code)+" "+f.Message)
				if f.Severity != mesh.Warn {
					t.Error("it denies")
				}
				apply(t, objects, f)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if rest := policy.Past(view, set(), view.Apps[0]); len(rest) > 0 {
				t.Errorf("the mend does not mend: %v", texts(rest))
			}
			// The mend closes nothing else, and leaves the companion its way.
			pods := policy.Endpoint{Namespace: "default", Labels: map[string]string{"app": "whoami", "version": "v1"}, Ports: map[string]int32{"http": 8080}}
			own := policy.Endpoint{Namespace: "default", Labels: mesh.PodLabels("whoami", mesh.ComponentApp)}
			if tt.policies == nil && (!set().Verdict(policy.Flow{From: own, To: pods, Port: 8080}).Allowed() || !set().Verdict(policy.Flow{From: pods, To: pods, Port: 9090}).Allowed()) {
				t.Error("the mend closes more")
			}
		})
	}
}

const gatewayToWhoami = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: gateway, namespace: default}
spec:
  endpointSelector: {matchLabels: {app: whoami}}
  ingress: [{fromEntities: [ingress]}]
`

// TestSplitsArriveFromTheGateway: before Cilium 1.17.5 what a GAMMA route sends to its backends has the gateway's identity there, so that the
// backends must let in the gateway; since, the companion.
func TestSplitsArriveFromTheGateway(t *testing.T) {
	const fromCompanion = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: companion, namespace: default}
spec:
  endpointSelector: {matchLabels: {app: whoami}}
  ingress: [{fromEndpoints: [{matchLabels: {daprise.dev/companion: whoami}}]}]
`
	const notGateway = `the gateway may not reach the pods of Service "whoami" (default) on `
	const notCompanion = `companion "whoami" (default) may not reach the pods of Service "whoami" (default) on `
	for name, tt := range map[string]struct {
		version, policy, want string
		divided               bool
	}{
		"companion let in, before": {version: "1.17.4", policy: fromCompanion, divided: true, want: notGateway},
		"companion let in, since":  {version: "1.17.5", policy: fromCompanion, divided: true},
		"gateway let in, before":   {version: "1.16.19", policy: gatewayToWhoami, divided: true},
		"gateway let in, since":    {version: "1.18.0", policy: gatewayToWhoami, divided: true, want: notCompanion},
		"no split, before":         {version: "1.16.19", policy: fromCompanion},
	} {
		t.Run(name, func(t *testing.T) {
			view := world(whoamiPods)
			view.Cilium.Version = tt.version
			if !tt.divided {
				view.ServiceSplits = nil
			}
			objects := map[string]string{}
			for _, doc := range []string{allowIngressToWhoami, tt.policy} {
				objects[nameOf(t, doc)] = doc
			}
			judged := func() []mesh.Finding {
				return policy.App(view, setOf(t, docs(objects)...).InCilium(view.Cilium), view.Apps[0])
			}
			findings := judged()
			for _, f := range findings {
				if tt.want == "" || !strings.HasPrefix(f.Message, tt.want) {
					t.Errorf("found %s", f.Message)
				}
				apply(t, objects, f)
			}
			if tt.want != "" && len(findings) == 0 {
				t.Errorf("nothing found, want %s", tt.want)
			}
			if rest := judged(); len(rest) > 0 {
				t.Errorf("the mend does not mend: %v", texts(rest))
			}
		})
	}
}
