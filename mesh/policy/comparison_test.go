// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// TestComparedWhereSelected: companions that a changed policy does not select, at any end of their flows, lose nothing by it. To compare with
// a copy of the View looks at every companion.
func TestComparedWhereSelected(t *testing.T) {
	lost := 0
	compiled := map[string]*policy.Policy{}
	rapid.Check(t, func(r *rapid.T) {
		drawn := func(name string) *policy.Policy {
			doc := drawnPolicy(r, name)
			if compiled[doc] == nil {
				compiled[doc] = compile(t, doc)
			}
			return compiled[doc]
		}
		view := world(whoamiPods)
		var policies []*policy.Policy
		for i := range rapid.IntRange(0, 4).Draw(r, "policies") {
			policies = append(policies, drawn(fmt.Sprintf("p%d", i)))
		}
		before := policy.NewSet(policies...).InCilium(mesh.Cilium{Version: rapid.SampledFrom([]string{"1.16.0", "1.20.2"}).Draw(r, "cilium")})
		after := before
		if len(policies) > 0 && rapid.Bool().Draw(r, "remove") {
			after = after.Without(policies[0].Ref())
		}
		if rapid.Bool().Draw(r, "add") {
			after = after.With(drawn("p0"))
		}
		copied := *view
		some := policy.Compare(policy.World{View: view, Set: before}, policy.World{View: view, Set: after})
		every := policy.Compare(policy.World{View: view, Set: before}, policy.World{View: &copied, Set: after})
		same := func(opened, cut, allOpened, allCut []mesh.Finding) {
			if diff := cmp.Diff([][]mesh.Finding{allOpened, allCut}, [][]mesh.Finding{opened, cut}); diff != "" {
				r.Fatalf("(-every companion +those selected):\n%s", diff)
			}
			lost += len(opened) + len(cut)
		}
		opened, cut := some.App(view.Apps[0])
		allOpened, allCut := every.App(view.Apps[0])
		same(opened, cut, allOpened, allCut)
		opened, cut = some.Ingress(view.Ingresses[0])
		allOpened, allCut = every.Ingress(view.Ingresses[0])
		same(opened, cut, allOpened, allCut)
	})
	if lost == 0 {
		t.Error("no change took anything: the test shows nothing")
	}
}

// drawnPolicy is for one of the scenario's ends, for all, or for others.
func drawnPolicy(t *rapid.T, name string) string {
	kind, namespace := "CiliumNetworkPolicy", rapid.SampledFrom([]string{"default", "shop"}).Draw(t, "namespace")
	if rapid.Bool().Draw(t, "clusterwide") {
		kind, namespace = "CiliumClusterwideNetworkPolicy", `""`
	}
	subject := rapid.SampledFrom([]string{
		"{}", "{matchLabels: {dapr.io/app-id: whoami}}", "{matchLabels: {dapr.io/app-id: ingress}}", "{matchLabels: {app: whoami}}",
		"{matchLabels: {\"reserved:ingress\": \"\"}}", "{matchLabels: {app: other}}", "{matchExpressions: [{key: app, operator: DoesNotExist}]}",
		"{matchLabels: {io.kubernetes.pod.namespace: default}}", "{matchExpressions: [{key: dapr.io/app-id, operator: Exists}]}",
	}).Draw(t, "subject")
	rules := rapid.SampledFrom([]string{
		"ingress: [{fromEntities: [cluster]}]", "ingress: [{fromEntities: [ingress]}]", "ingress: [{}]", "egress: [{toEntities: [cluster]}]", "egress: [{}]",
		"ingressDeny: [{fromEntities: [ingress]}]", "egressDeny: [{toEntities: [all]}]",
		"ingress: [{fromEndpoints: [{matchLabels: {dapr.io/app-id: ingress}}], toPorts: [{ports: [{port: \"50002\"}]}]}]",
	}).Draw(t, "rules")
	return fmt.Sprintf("{apiVersion: cilium.io/v2, kind: %s, metadata: {name: %s, namespace: %s}, spec: {endpointSelector: %s, %s}}",
		kind, name, namespace, subject, rules)
}
