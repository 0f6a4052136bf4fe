// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"strings"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/validate"
)

const (
	allowWhoami = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: whoami, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  ingress:
  - fromEndpoints: [{matchLabels: {dapr.io/app-id: ingress}}]
    toPorts: [{ports: [{port: "50002", protocol: TCP}]}]
`
	allowIngress = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: ingress, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: ingress}}
  ingress:
  - fromEntities: [ingress]
    toPorts: [{ports: [{port: "3500", protocol: TCP}]}]
`
	quarantine = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: quarantine, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  ingressDeny: [{fromEntities: [all]}]
`
	openShop = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: open, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  ingress:
  - fromEndpoints: [{matchLabels: {io.kubernetes.pod.namespace: shop, app: x}}]
    toPorts: [{ports: [{port: "50002"}]}]
`
	denyShop = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: deny, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  enableDefaultDeny: {ingress: false}
  ingressDeny: [{fromEndpoints: [{matchLabels: {io.kubernetes.pod.namespace: shop}}]}]
`
	invalid = `
apiVersion: cilium.io/v2
kind: CiliumNetworkPolicy
metadata: {name: whoami, namespace: default}
spec:
  endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}
  ingress:
  - fromEndpoints: [{}]
    fromEntities: [world]
`
	selectedByTeam = `
apiVersion: cilium.io/v2
kind: CiliumClusterwideNetworkPolicy
metadata: {name: team}
spec:
  endpointSelector:
    matchLabels: {io.cilium.k8s.namespace.labels.team: a, dapr.io/app-id: whoami}
  ingress:
  - fromEndpoints: [{matchLabels: {io.kubernetes.pod.namespace: default, dapr.io/app-id: ingress}}]
    toPorts: [{ports: [{port: "50002"}]}]
`
)

func scenario(tweaks ...func(*mesh.View)) *mesh.View {
	view := &mesh.View{
		Cilium:     mesh.Cilium{Version: "1.20.2"},
		Namespaces: map[string]map[string]string{"default": {"team": "a"}},
		Apps: []mesh.App{{
			AppRef:  mesh.AppRef{Namespace: "default", ID: "whoami"},
			Owner:   mesh.Owner{Object: mesh.Object{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "whoami"}},
			Service: "whoami", Port: 80, DaprAPI: true, Selector: map[string]string{"app": "whoami"},
			Companion: mesh.CompanionState{Live: true},
		}},
		Ingresses: []mesh.Ingress{{
			AppRef:    mesh.AppRef{Namespace: "default", ID: "ingress"},
			Owner:     mesh.Owner{Object: mesh.Object{Kind: "Gateway", Namespace: "default", Name: "default-gateway"}},
			Companion: mesh.CompanionState{Live: true},
		}},
		Routes: []mesh.RouteTarget{{
			Route:   mesh.Object{Kind: "HTTPRoute", Namespace: "default", Name: "whoami-route"},
			Ingress: mesh.AppRef{Namespace: "default", ID: "ingress"}, App: mesh.AppRef{Namespace: "default", ID: "whoami"},
		}},
	}
	for _, tweak := range tweaks {
		tweak(view)
	}
	return view
}

func compiled(t testing.TB, doc string) *policy.Policy {
	t.Helper()
	var head struct{ Kind string }
	if err := yaml.Unmarshal([]byte(doc), &head); err != nil {
		t.Fatal(err)
	}
	var err error
	var out *policy.Policy
	switch head.Kind {
	case policy.KindCCNP:
		var p ciliumv2.CiliumClusterwideNetworkPolicy
		err = yaml.Unmarshal([]byte(doc), &p)
		out = policy.CompileCCNP(&p)
	case policy.KindKNP:
		var p networkingv1.NetworkPolicy
		err = yaml.Unmarshal([]byte(doc), &p)
		out = policy.CompileKNP(&p)
	default:
		var p ciliumv2.CiliumNetworkPolicy
		err = yaml.Unmarshal([]byte(doc), &p)
		out = policy.CompileCNP(&p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func sets(t testing.TB, docs ...string) *policy.Set {
	t.Helper()
	set := policy.NewSet()
	for _, d := range docs {
		set = set.With(compiled(t, d))
	}
	return set
}

// brief is each finding as users read it, without the manifest.
func brief(findings []mesh.Finding) []string {
	var list []string
	for _, f := range findings {
		f.Manifest = ""
		list = append(list, f.Text())
	}
	return list
}

func TestPolicy(t *testing.T) {
	denyShopB := strings.Replace(denyShop, "namespace: shop}", "namespace: shop, tier: b}", 1)
	notLive := func(v *mesh.View) { v.Apps[0].Companion.Live = false }
	for name, tt := range map[string]struct {
		before, after []string
		operation     validate.Operation
		tweak         func(*mesh.View)
		user          string
		object        string
		want          []string
	}{
		"the isolating policy is deleted": {
			before: []string{allowWhoami, allowIngress}, after: []string{allowIngress}, operation: validate.Delete, object: "whoami",
			want: []string{`CiliumNetworkPolicy default/whoami refused: without it companion "whoami" (default) is open on 50002/TCP: any pod may reach it, since no policy selects it. Apply the policy below or label the namespace daprise.dev/coverage=warn. [DPR101]`},
		},
		"by the garbage collector": {
			before: []string{allowWhoami, allowIngress}, after: []string{allowIngress}, operation: validate.Delete, object: "whoami",
			user: "system:serviceaccount:kube-system:generic-garbage-collector",
		},
		"by the controller manager under its own name": {
			before: []string{allowWhoami, allowIngress}, after: []string{allowIngress}, operation: validate.Delete, object: "whoami",
			user: "system:kube-controller-manager",
		},
		"while another namespace terminates": {
			before: []string{allowWhoami, allowIngress}, after: []string{allowIngress}, operation: validate.Delete, object: "whoami",
			tweak: func(v *mesh.View) { v.Terminating = []string{"shop"} },
			want:  []string{`CiliumNetworkPolicy default/whoami refused: without it companion "whoami" (default) is open on 50002/TCP: any pod may reach it, since no policy selects it. Apply the policy below or label the namespace daprise.dev/coverage=warn. [DPR101]`},
		},
		"in a terminating namespace": {
			before: []string{allowWhoami, allowIngress}, after: []string{allowIngress}, operation: validate.Delete, object: "whoami",
			tweak: func(v *mesh.View) { v.Terminating = []string{"default"} },
		},
		"of a companion that does not run": {
			before: []string{allowWhoami, allowIngress}, after: []string{allowIngress}, operation: validate.Delete, object: "whoami", tweak: notLive,
		},
		"one of two isolating policies is deleted": {
			before: []string{allowWhoami, quarantine}, after: []string{quarantine}, operation: validate.Delete, object: "whoami",
		},
		"a policy opens": {
			before: []string{allowWhoami, allowIngress}, after: []string{allowWhoami, allowIngress, openShop}, operation: validate.Create, object: "open",
			want: []string{`CiliumNetworkPolicy default/open refused: with it companion "whoami" (default) is open on 50002/TCP: pod shop/app=x may reach it, since spec.ingress[0] of CiliumNetworkPolicy default/open allows it. Narrow that rule, apply the policy below, which denies all others, or label the namespace daprise.dev/coverage=warn. [DPR103]`},
		},
		"it was as open before": {
			before: []string{allowWhoami, allowIngress, openShop}, after: []string{allowWhoami, allowIngress, strings.Replace(openShop, "app: x", "app: x, tier: b", 1)},
			operation: validate.Update, object: "open",
		},
		"it was as open before, beside a deny": {
			before: []string{allowWhoami, allowIngress, openShop, denyShopB}, after: []string{allowWhoami, allowIngress, openShop, denyShopB},
			operation: validate.Update, object: "open",
		},
		"a deny that kept out goes": {
			before: []string{allowWhoami, allowIngress, openShop, denyShop}, after: []string{allowWhoami, allowIngress, openShop},
			operation: validate.Delete, object: "deny",
			want: []string{`CiliumNetworkPolicy default/deny refused: without it companion "whoami" (default) is open on 50002/TCP: pod shop/app=x may reach it, since spec.ingress[0] of CiliumNetworkPolicy default/open allows it. Narrow that rule, apply the policy below, which denies all others, or label the namespace daprise.dev/coverage=warn. [DPR103]`},
		},
		"a deny that kept out becomes narrower": {
			before: []string{allowWhoami, allowIngress, openShop, denyShop}, after: []string{allowWhoami, allowIngress, openShop, denyShopB},
			operation: validate.Update, object: "deny",
			want: []string{`CiliumNetworkPolicy default/deny refused: with it companion "whoami" (default) is open on 50002/TCP: pod shop/app=x may reach it, since spec.ingress[0] of CiliumNetworkPolicy default/open allows it. Narrow that rule, apply the policy below, which denies all others, or label the namespace daprise.dev/coverage=warn. [DPR103]`},
		},
		"it was open to all before": {
			before: nil, after: []string{openShop}, operation: validate.Create, object: "open",
			want: []string{`CiliumNetworkPolicy default/open admitted with a warning: with it ingress companion "ingress" (default) may not reach companion "whoami" (default) on 50002/TCP: CiliumNetworkPolicy default/open enables default deny at its ingress and no rule allows it, which HTTPRoute default/whoami-route needs. Apply the policy below. [DPR109]`},
		},
		"a quarantine is admitted with a warning": {
			before: []string{allowWhoami, allowIngress}, after: []string{allowWhoami, allowIngress, quarantine}, operation: validate.Create, object: "quarantine",
			want: []string{`CiliumNetworkPolicy default/quarantine admitted with a warning: with it ingress companion "ingress" (default) may not reach companion "whoami" (default) on 50002/TCP: spec.ingressDeny[0] of CiliumNetworkPolicy default/quarantine denies it, which HTTPRoute default/whoami-route needs. Narrow that rule or empty it (kubectl patch ciliumnetworkpolicy quarantine -n default --type=json -p='[{"op":"replace","path":"/spec/ingressDeny/0","value":{}}]'). [DPR109]`},
		},
		"an update voids": {
			before: []string{allowWhoami, allowIngress}, after: []string{invalid, allowIngress}, operation: validate.Update, object: "whoami",
			want: []string{
				`CiliumNetworkPolicy default/whoami refused: with it companion "whoami" (default) is open on 50002/TCP: any pod may reach it, since no policy selects it. Apply the policy below or label the namespace daprise.dev/coverage=warn. [DPR101]`,
				`CiliumNetworkPolicy default/whoami admitted with a warning: CiliumNetworkPolicy default/whoami selects companion "whoami" (default) and has no effect: Cilium rejects it, since ingress[0] combines fromEndpoints and fromEntities. Correct that rule: one invalid rule voids the whole object. [DPR106]`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			view := scenario()
			if tt.tweak != nil {
				tt.tweak(view)
			}
			got := validate.Policy(validate.PolicyWrite{
				Object:    mesh.Object{APIVersion: "cilium.io/v2", Kind: policy.KindCNP, Namespace: "default", Name: tt.object},
				Operation: tt.operation, User: tt.user, View: view,
				Before: sets(t, tt.before...), After: sets(t, tt.after...),
			})
			if diff := cmp.Diff(tt.want, brief(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestNamespace(t *testing.T) {
	for name, tt := range map[string]struct {
		after map[string]string
		want  []string
	}{
		"a label by which the isolating policy selects goes": {
			after: map[string]string{},
			want:  []string{`Namespace default refused: with these labels companion "whoami" (default) is open on 50002/TCP: any pod may reach it, since no policy selects it. Apply the policy below or label the namespace daprise.dev/coverage=warn. [DPR101]`},
		},
		"the mode is lowered": {after: map[string]string{"team": "a", mesh.LabelCoverage: "warn"}},
		"ztunnel takes over": {
			after: map[string]string{"team": "a", "io.cilium/mtls-enabled": "true"},
			want: []string{
				`Namespace default refused: with these labels namespace default has label io.cilium/mtls-enabled=true: ztunnel carries the traffic of companion "whoami" (default) past network policy for its ports. Take the label back (kubectl label namespace default io.cilium/mtls-enabled-): Dapr encrypts between companions by itself. [DPR108]`,
				`Namespace default refused: with these labels namespace default has label io.cilium/mtls-enabled=true: ztunnel carries the traffic of ingress companion "ingress" (default) past network policy for its ports. Take the label back (kubectl label namespace default io.cilium/mtls-enabled-): Dapr encrypts between companions by itself. [DPR108]`,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			before, after := scenario(), scenario()
			before.Namespaces = map[string]map[string]string{"default": {"team": "a"}}
			after.Namespaces = map[string]map[string]string{"default": tt.after}
			got := validate.Namespace(before, after, sets(t, selectedByTeam, allowIngress), "default")
			if diff := cmp.Diff(tt.want, brief(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestApplyModes(t *testing.T) {
	view := scenario()
	view.Namespaces = map[string]map[string]string{"a": {mesh.LabelCoverage: "audit"}, "w": {mesh.LabelCoverage: "warn"}, "e": {}, "x": {mesh.LabelCoverage: "typo"}}
	for name, tt := range map[string]struct {
		in   mesh.Finding
		want mesh.Severity
	}{
		"audit":             {mesh.Finding{Severity: mesh.Deny, Namespaces: []string{"a"}}, mesh.Audit},
		"strictest wins":    {mesh.Finding{Severity: mesh.Deny, Namespaces: []string{"a", "w"}}, mesh.Warn},
		"unknown value":     {mesh.Finding{Severity: mesh.Deny, Namespaces: []string{"x"}}, mesh.Deny},
		"warnings stay":     {mesh.Finding{Severity: mesh.Warn, Namespaces: []string{"x"}}, mesh.Warn},
		"no namespace":      {mesh.Finding{Severity: mesh.Deny}, mesh.Deny},
		"invalid is no gap": {mesh.Finding{Severity: mesh.Deny, Invalid: true, Namespaces: []string{"w"}}, mesh.Deny},
	} {
		t.Run(name, func(t *testing.T) {
			if got := validate.ApplyModes(view, []mesh.Finding{tt.in})[0].Severity; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestCoverageOfARouteThatIsNotStoredYet(t *testing.T) {
	view := scenario(func(v *mesh.View) { v.Routes = nil })
	route := mesh.Object{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Namespace: "default", Name: "new"}
	targets := []mesh.RouteTarget{{Route: route, Ingress: view.Ingresses[0].AppRef, App: view.Apps[0].AppRef}}
	world := policy.World{View: view, Set: sets(t, allowWhoami, allowIngress)}
	if diff := cmp.Diff([]string(nil), brief(validate.Coverage(world, route, targets))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	world.Set = sets(t, allowIngress)
	want := []string{`HTTPRoute default/new refused: companion "whoami" (default) is open on 50002/TCP: any pod may reach it, since no policy selects it. Apply the policy below or label the namespace daprise.dev/coverage=warn. [DPR101]`}
	if diff := cmp.Diff(want, brief(validate.Coverage(world, route, targets))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
