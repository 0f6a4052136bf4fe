// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/daprise/daprise/mesh/policy"
)

// TestReadsNamespaceLabels: a change of labels makes a difference where any selector of any policy reads one that changes.
func TestReadsNamespaceLabels(t *testing.T) {
	const cilium = `{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p, namespace: shop}, spec: %s}`
	const kubernetes = `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p, namespace: shop}, spec: %s}`
	for name, tt := range map[string]struct {
		policy        string
		before, after map[string]string
		want          bool
	}{
		"a peer by value": {
			fmt.Sprintf(cilium, `{endpointSelector: {}, ingress: [{fromEndpoints: [{matchLabels: {"k8s:io.cilium.k8s.namespace.labels.team": a}}]}]}`),
			map[string]string{"team": "a"}, map[string]string{"team": "b"}, true,
		},
		"a peer by value, which stays": {
			fmt.Sprintf(cilium, `{endpointSelector: {}, ingress: [{fromEndpoints: [{matchLabels: {"k8s:io.cilium.k8s.namespace.labels.team": a}}]}]}`),
			map[string]string{"team": "a"}, map[string]string{"team": "a", "tier": "x"}, false,
		},
		"a peer by absence": {
			fmt.Sprintf(cilium, `{endpointSelector: {}, egressDeny: [{toEndpoints: [{matchExpressions: [{key: "io.cilium.k8s.namespace.labels.team", operator: DoesNotExist}]}]}]}`),
			map[string]string{}, map[string]string{"team": ""}, true,
		},
		"a clusterwide subject": {
			`{apiVersion: cilium.io/v2, kind: CiliumClusterwideNetworkPolicy, metadata: {name: p}, spec: {endpointSelector: {matchLabels: {"k8s:io.cilium.k8s.namespace.labels.team": a}}, ingress: [{}]}}`,
			map[string]string{"team": "a"}, nil, true,
		},
		"a namespaceSelector": {
			fmt.Sprintf(kubernetes, `{podSelector: {}, ingress: [{from: [{namespaceSelector: {matchExpressions: [{key: team, operator: In, values: [a, b]}]}}]}]}`),
			map[string]string{"team": "a"}, map[string]string{"team": "b"}, true,
		},
		"a pod's label of that name": {
			fmt.Sprintf(kubernetes, `{podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {team: a}}}]}]}`),
			map[string]string{"team": "a"}, map[string]string{"team": "b"}, false,
		},
		"Cilium itself": {
			fmt.Sprintf(kubernetes, "{podSelector: {}}"),
			map[string]string{}, map[string]string{"io.cilium/mtls-enabled": "true"}, true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := policy.NewSet(compile(t, tt.policy)).ReadsNamespaceLabels(tt.before, tt.after); got != tt.want {
				t.Errorf("reads them: %v, want %v", got, tt.want)
			}
		})
	}
}

// TestLabelsThatNoPolicyReads: where no policy reads what changes, every flow has the same verdict as before.
func TestLabelsThatNoPolicyReads(t *testing.T) {
	var docs []*policy.Policy
	for i, spec := range []string{
		`{endpointSelector: {}, ingress: [{fromEndpoints: [{matchLabels: {"k8s:io.cilium.k8s.namespace.labels.team": a}}]}]}`,
		`{endpointSelector: {}, egress: [{toEndpoints: [{matchExpressions: [{key: "io.cilium.k8s.namespace.labels.tier", operator: DoesNotExist}]}]}]}`,
		`{endpointSelector: {matchLabels: {app: a}}, ingress: [{fromEndpoints: [{matchLabels: {"k8s:io.kubernetes.pod.namespace": shop}}]}]}`,
		`{endpointSelector: {matchLabels: {app: b}}, ingressDeny: [{fromEndpoints: [{matchExpressions: [{key: "k8s:io.cilium.k8s.namespace.labels.tier", operator: NotIn, values: [x]}]}]}]}`,
		`{endpointSelector: {}, ingress: [{fromEntities: [cluster]}]}`,
	} {
		docs = append(docs, compile(t, fmt.Sprintf(`{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: p%d, namespace: shop}, spec: %s}`, i, spec)))
	}
	rapid.Check(t, func(t *rapid.T) {
		var some []*policy.Policy
		for _, p := range docs {
			if rapid.Bool().Draw(t, "policy") {
				some = append(some, p)
			}
		}
		set := policy.NewSet(some...)
		labels := func(name string) map[string]string {
			all := map[string]string{}
			for _, key := range []string{"team", "tier", "else"} {
				if value := rapid.SampledFrom([]string{"", "a", "x"}).Draw(t, name+" "+key); value != "" {
					all[key] = value
				}
			}
			return all
		}
		before, after := labels("before"), labels("after")
		if set.ReadsNamespaceLabels(before, after) {
			return
		}
		pod := func(name string) policy.Endpoint {
			return policy.Endpoint{
				Namespace: rapid.SampledFrom([]string{"shop", "other"}).Draw(t, name+" namespace"), Labels: map[string]string{"app": rapid.SampledFrom([]string{"a", "b"}).Draw(t, name)},
				NamespaceLabels: map[string]string{},
			}
		}
		flow := policy.Flow{From: pod("from"), To: pod("to"), Port: 80}
		verdict := func(shop map[string]string) (bool, bool) {
			for _, e := range []*policy.Endpoint{&flow.From, &flow.To} {
				if e.Namespace == "shop" {
					e.NamespaceLabels = shop
				}
			}
			v := set.Verdict(flow)
			return v.Ingress, v.Egress
		}
		inBefore, outBefore := verdict(before)
		inAfter, outAfter := verdict(after)
		if inBefore != inAfter || outBefore != outAfter {
			t.Fatalf("with %v and %v: ingress %v and %v, egress %v and %v", before, after, inBefore, inAfter, outBefore, outAfter)
		}
	})
}
