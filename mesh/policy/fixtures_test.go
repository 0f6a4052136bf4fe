// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"strings"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

// Policies of the scenario, written by hand.
const (
	allowIngressToWhoami = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: allow-ingress-shared-to-whoami, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  ingress:
  - fromEndpoints:
    - matchLabels: {dapr.io/app-id: ingress}
    toPorts:
    - ports: [{port: "50002", protocol: TCP}]
`
	allowGatewayToIngress = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: allow-ingress-to-ingress-shared, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: ingress}}
  ingress:
  - fromEntities: [ingress]
    toPorts:
    - ports: [{port: "3500", protocol: TCP}]
`
	offices = `
apiVersion: cilium.io/v2
kind: CiliumCIDRGroup
metadata: {name: offices}
spec: {externalCIDRs: [192.0.2.0/24]}
`
)

// world is the scenario: Gateway default-gateway and Service whoami in namespace default, one route.
func world(tweaks ...func(*mesh.View)) *mesh.View {
	view := &mesh.View{
		Config:     mesh.DefaultConfig(),
		Cilium:     mesh.Cilium{Version: "1.20.2"},
		Namespaces: map[string]map[string]string{"default": {mesh.LabelNamespaceName: "default"}},
		Apps: []mesh.App{{
			AppRef:  mesh.AppRef{Namespace: "default", ID: "whoami"},
			Owner:   mesh.Owner{Object: mesh.Object{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "whoami"}},
			Service: "whoami", Port: 80, Protocol: "http", Strategy: mesh.StrategyDeployment, Replicas: 2, DaprAPI: true,
			Selector: map[string]string{"app": "whoami"},
		}},
		Ingresses: []mesh.Ingress{{
			AppRef:  mesh.AppRef{Namespace: "default", ID: "ingress"},
			Owner:   mesh.Owner{Object: mesh.Object{APIVersion: "gateway.networking.k8s.io/v1", Kind: "Gateway", Namespace: "default", Name: "default-gateway"}},
			Gateway: "default-gateway", Strategy: mesh.StrategyDaemonSet, Invoke: mesh.InvokePrefix,
		}},
		Routes: []mesh.RouteTarget{{
			Route:   mesh.Object{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Namespace: "default", Name: "whoami-route"},
			Ingress: mesh.AppRef{Namespace: "default", ID: "ingress"},
			App:     mesh.AppRef{Namespace: "default", ID: "whoami"},
		}},
	}
	for _, tweak := range tweaks {
		tweak(view)
	}
	return view
}

// setOf compiles the policies of YAML documents.
func setOf(t testing.TB, docs ...string) *policy.Set {
	t.Helper()
	var policies []*policy.Policy
	var groups []policy.CIDRGroup
	for _, doc := range docs {
		for _, part := range strings.Split(doc, "\n---\n") {
			if strings.Contains(part, "kind: CiliumCIDRGroup\n") {
				var g ciliumv2.CiliumCIDRGroup
				decode(t, part, &g)
				groups = append(groups, policy.CIDRGroupOf(&g))
				continue
			}
			policies = append(policies, compile(t, part))
		}
	}
	return policy.NewSet(policies...).WithCIDRGroups(groups...)
}

func compile(t testing.TB, doc string) *policy.Policy {
	t.Helper()
	var head struct{ Kind string }
	decode(t, doc, &head)
	switch head.Kind {
	case policy.KindCCNP:
		var p ciliumv2.CiliumClusterwideNetworkPolicy
		decode(t, doc, &p)
		return policy.CompileCCNP(&p)
	case policy.KindKNP:
		var p networkingv1.NetworkPolicy
		decode(t, doc, &p)
		return policy.CompileKNP(&p)
	default:
		var p ciliumv2.CiliumNetworkPolicy
		decode(t, doc, &p)
		return policy.CompileCNP(&p)
	}
}

func decode(t testing.TB, doc string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(doc), into); err != nil {
		t.Fatalf("decode %s: %v", doc, err)
	}
}

func texts(findings []mesh.Finding) []string {
	var list []string
	for _, f := range findings {
		f.Manifest = ""
		list = append(list, f.Text())
	}
	return list
}
