// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh/policy"
)

func TestVerdictAsJSON(t *testing.T) {
	for name, tt := range map[string]struct {
		policies []string
		flow     string
		want     string
	}{
		"allowed by a rule": {
			policies: []string{allowGatewayToIngress},
			flow:     `{"from":{"entity":"ingress"},"to":{"namespace":"default","labels":{"dapr.io/app-id":"ingress"}},"port":3500,"protocol":"TCP"}`,
			want: `{"ingress":true,"egress":true,` +
				`"ingressBy":{"policy":"CiliumNetworkPolicy/default/allow-ingress-to-ingress-shared","spec":0,"rule":0,"why":"allowed by spec.ingress[0]"},` +
				`"egressBy":{"policy":"","spec":0,"rule":0,"why":"no policy selects it"}}`,
		},
		"default deny": {
			policies: []string{allowGatewayToIngress},
			flow:     `{"from":{"namespace":"default","labels":{"app":"x"}},"to":{"namespace":"default","labels":{"dapr.io/app-id":"ingress"}},"port":3500}`,
			want: `{"ingress":false,"egress":true,` +
				`"ingressBy":{"policy":"CiliumNetworkPolicy/default/allow-ingress-to-ingress-shared","spec":0,"rule":0,"why":"default deny, and no rule allows it"},` +
				`"egressBy":{"policy":"","spec":0,"rule":0,"why":"no policy selects it"}}`,
		},
		"deny wins": {
			policies: []string{allowGatewayToIngress, `
kind: CiliumClusterwideNetworkPolicy
metadata: {name: closed}
specs:
- endpointSelector: {}
  ingressDeny: [{}]
- endpointSelector: {}
  enableDefaultDeny: {ingress: false}
  ingressDeny: [{fromEntities: [health]}, {fromEntities: [ingress]}]
`},
			flow: `{"from":{"entity":"ingress"},"to":{"namespace":"default","labels":{"dapr.io/app-id":"ingress"}},"port":3500,"protocol":"tcp"}`,
			want: `{"ingress":false,"egress":true,` +
				`"ingressBy":{"policy":"CiliumClusterwideNetworkPolicy/closed","spec":1,"rule":1,"why":"denied by specs[1].ingressDeny[1]"},` +
				`"egressBy":{"policy":"","spec":0,"rule":0,"why":"no policy selects it"}}`,
		},
		"not judged": {
			policies: []string{`
kind: CiliumNetworkPolicy
metadata: {name: out, namespace: default}
spec:
  endpointSelector: {}
  egress: [{toFQDNs: [{matchName: example.org}]}]
`},
			flow: `{"from":{"namespace":"default","labels":{"app":"x"}},"to":{"entity":"world"},"port":443,"protocol":"TCP"}`,
			want: `{"ingress":true,"egress":false,` +
				`"ingressBy":{"policy":"","spec":0,"rule":0,"why":"no policy selects it"},` +
				`"egressBy":{"policy":"CiliumNetworkPolicy/default/out","spec":0,"rule":0,"why":"default deny, and no rule allows it"},` +
				`"unjudged":["CiliumNetworkPolicy/default/out spec.egress[0]: toFQDNs"]}`,
		},
		"the own node": {
			policies: []string{allowGatewayToIngress},
			flow:     `{"from":{"entity":"host"},"to":{"namespace":"default","labels":{"dapr.io/app-id":"ingress"}},"port":3501,"protocol":"TCP"}`,
			want: `{"ingress":true,"egress":true,` +
				`"ingressBy":{"policy":"","spec":0,"rule":0,"why":"Cilium lets a node reach its own pods"},` +
				`"egressBy":{"policy":"","spec":0,"rule":0,"why":"no policy selects it"}}`,
		},
		"a named port": {
			policies: []string{strings.Replace(allowGatewayToIngress, `port: "3500"`, `port: web`, 1)},
			flow:     `{"from":{"entity":"ingress"},"to":{"namespace":"default","labels":{"dapr.io/app-id":"ingress"},"ports":{"web":8080}},"port":8080}`,
			want: `{"ingress":true,"egress":true,` +
				`"ingressBy":{"policy":"CiliumNetworkPolicy/default/allow-ingress-to-ingress-shared","spec":0,"rule":0,"why":"allowed by spec.ingress[0]"},` +
				`"egressBy":{"policy":"","spec":0,"rule":0,"why":"no policy selects it"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var flow policy.Flow
			if err := json.Unmarshal([]byte(tt.flow), &flow); err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(setOf(t, tt.policies...).Verdict(flow))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestSetIsImmutable(t *testing.T) {
	gateway := policy.Flow{From: policy.Endpoint{Entity: policy.EntityIngress}, To: policy.Endpoint{Namespace: "default", Labels: map[string]string{"dapr.io/app-id": "ingress"}}, Port: 9999}
	allow := compile(t, allowGatewayToIngress)
	empty := policy.NewSet()
	with := empty.With(allow)
	without := with.Without(allow.Ref())
	for name, tt := range map[string]struct {
		set  *policy.Set
		want bool
	}{"empty": {empty, true}, "with": {with, false}, "without": {without, true}, "with nothing taken": {with.Without(policy.Ref{Name: "no"}), false}} {
		if got := tt.set.Verdict(gateway).Allowed(); got != tt.want {
			t.Errorf("%s: got %v, want %v", name, got, tt.want)
		}
	}
}

// TestOrderIsIrrelevant holds sets of the same policies to the same bytes.
func TestOrderIsIrrelevant(t *testing.T) {
	view := world()
	for name, tt := range cases() {
		forth := setOf(t, tt.policies...)
		reversed := slices.Clone(tt.policies)
		slices.Reverse(reversed)
		back := setOf(t, reversed...)
		if diff := cmp.Diff(found(view, forth), found(view, back)); diff != "" {
			t.Errorf("%s: -forth +back:\n%s", name, diff)
		}
	}
}
