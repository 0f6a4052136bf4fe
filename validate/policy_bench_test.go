// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/validate"
)

// BenchmarkClusterwide decides about clusterwide policies that may concern every companion, among 1,000 apps and among 4,000: the time of one
// that selects every pod is to grow with their number and not with its square, that of one for others hardly at all. What opens or stops every
// companion is told of each.
func BenchmarkClusterwide(b *testing.B) {
	const toDNS = `enableDefaultDeny: {egress: false}
  egress: [{toEndpoints: [{matchLabels: {"k8s:io.kubernetes.pod.namespace": kube-system, k8s-app: kube-dns}}], toPorts: [{ports: [{port: "53"}]}]}]`
	for _, apps := range []int{1000, 4000} {
		view, policies := grown(b, apps)
		set := policy.NewSet(policies...)
		for _, c := range []struct {
			name, spec string
			findings   int
		}{
			{"for nobody", `endpointSelector: {matchLabels: {app: none}}
  ` + toDNS, 0},
			{"for a team", `endpointSelector: {matchLabels: {io.kubernetes.pod.namespace: team-7}}
  ` + toDNS, 0},
			{"for every pod", `endpointSelector: {}
  ` + toDNS, 0},
			{"opens every pod", `endpointSelector: {}
  ingress: [{fromEntities: [cluster]}]`, apps + 1},
			{"closes every pod", `endpointSelector: {}
  ingressDeny: [{fromEntities: [all]}]`, 2*apps + 1},
		} {
			p := compiled(b, "apiVersion: cilium.io/v2\nkind: CiliumClusterwideNetworkPolicy\nmetadata: {name: bench}\nspec:\n  "+c.spec+"\n")
			write := validate.PolicyWrite{
				Object:    mesh.Object{APIVersion: "cilium.io/v2", Kind: policy.KindCCNP, Name: "bench"},
				Operation: validate.Create, View: view, Before: set, After: set.With(p),
			}
			b.Run(fmt.Sprintf("%d apps/%s", apps, c.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if found := validate.Policy(write); len(found) != c.findings {
						b.Fatalf("%d findings, want %d: %v", len(found), c.findings, found[:1])
					}
				}
			})
		}
	}
}

// grown is a cluster of apps, ten to a namespace, with one Gateway, and for each app a route and two policies.
func grown(t testing.TB, apps int) (*mesh.View, []*policy.Policy) {
	t.Helper()
	running := mesh.CompanionState{Live: true, Ready: true}
	ingress := mesh.Ingress{
		AppRef: mesh.AppRef{Namespace: "infra", ID: "ingress"}, Owner: mesh.Owner{Object: mesh.Object{Kind: "Gateway", Namespace: "infra", Name: "gateway"}},
		Gateway: "gateway", Companion: running,
	}
	view := &mesh.View{Config: mesh.DefaultConfig(), Namespaces: map[string]map[string]string{"infra": nil}, Ingresses: []mesh.Ingress{ingress}}
	policies := []*policy.Policy{compiled(t, strings.ReplaceAll(allowIngress, "namespace: default", "namespace: infra"))}
	for i := range apps {
		ref := mesh.AppRef{Namespace: fmt.Sprintf("team-%d", i/10), ID: fmt.Sprintf("app-%d", i)}
		app := mesh.App{
			AppRef: ref, Owner: mesh.Owner{Object: mesh.Object{Kind: "Service", Namespace: ref.Namespace, Name: ref.ID}}, Service: ref.ID, Port: 80,
			Selector: map[string]string{"app": ref.ID}, Companion: running,
		}
		view.Namespaces[ref.Namespace] = map[string]string{mesh.LabelNamespaceName: ref.Namespace}
		view.Apps = append(view.Apps, app)
		view.Services = append(view.Services, mesh.Service{Name: mesh.Name{Namespace: ref.Namespace, Name: ref.ID}, Selector: app.Selector})
		view.Routes = append(view.Routes, mesh.RouteTarget{
			Route: mesh.Object{Kind: mesh.KindHTTPRoute, Namespace: ref.Namespace, Name: ref.ID}, Ingress: ingress.AppRef, App: ref,
		})
		fill := strings.NewReplacer("NAMESPACE", ref.Namespace, "ID", ref.ID)
		policies = append(policies, compiled(t, fill.Replace(forCompanion)), compiled(t, fill.Replace(forPods)))
	}
	return view, policies
}

const (
	forCompanion = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: companion-ID, namespace: NAMESPACE}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: ID}}
  ingress:
  - fromEndpoints: [{matchLabels: {dapr.io/app-id: ingress, "k8s:io.kubernetes.pod.namespace": infra}}]
    toPorts: [{ports: [{port: "50002", protocol: TCP}]}]
`
	forPods = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: pods-ID, namespace: NAMESPACE}
spec:
  endpointSelector: {matchLabels: {app: ID}}
  ingress: [{fromEndpoints: [{matchLabels: {dapr.io/app-id: ID}}], toPorts: [{ports: [{port: "80", protocol: TCP}]}]}]
`
)
