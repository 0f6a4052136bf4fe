// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/validate"
)

const rewrittenRoute = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: whoami-route
  namespace: default
  annotations: {example.com/owner: team}
spec:
  parentRefs: [{name: default-gateway}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /}}]
    filters:
    - type: URLRewrite
      urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /v1.0/invoke/whoami.default/method//}}
    - type: RequestHeaderModifier
      requestHeaderModifier: {remove: [dapr-api-token, dapr-app-id, dapr-callee-app-id, dapr-caller-app-id, dapr-caller-namespace]}
    backendRefs: [{group: "", kind: Service, name: ingress-dapr, port: 3500, weight: 1}]
`

const headerRoute = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: whoami-route, namespace: default}
spec:
  parentRefs: [{name: default-gateway}]
  rules:
  - filters:
    - type: RequestHeaderModifier
      requestHeaderModifier:
        set: [{name: dapr-app-id, value: whoami.default}]
        remove: [dapr-api-token, dapr-callee-app-id, dapr-caller-app-id, dapr-caller-namespace]
    backendRefs: [{name: ingress-dapr, port: 3500}]
`

const dividedRoute = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: whoami-route, namespace: default}
spec:
  parentRefs: [{name: default-gateway}]
  rules:
  - filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {remove: [dapr-api-token, dapr-callee-app-id, dapr-caller-app-id, dapr-caller-namespace]}
    backendRefs:
    - {name: ingress-dapr-to-whoami, port: 3500, weight: 1, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: dapr-app-id, value: whoami.default}]}}]}
    - {name: ingress-dapr-to-cart-shop, port: 3500, weight: 3, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: dapr-app-id, value: cart.shop}]}}]}
`

// granted lets routes of the route's namespace refer to the second app.
func granted(v *mesh.View) {
	v.Grants = []mesh.Grant{{Namespace: "shop", FromKind: mesh.KindHTTPRoute, FromNamespace: "default"}}
}

const directRoute = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: whoami-route, namespace: default}
spec:
  parentRefs: [{name: default-gateway}]
  rules:
  - backendRefs: [{name: whoami, port: 80}]
`

// routeView is the seed's world with a second app, cart, in another namespace.
func routeView(tweaks ...func(*mesh.View)) *mesh.View {
	return scenario(append([]func(*mesh.View){func(v *mesh.View) {
		v.Ingresses[0].Gateway = "default-gateway"
		v.Apps = append(v.Apps, mesh.App{AppRef: mesh.AppRef{Namespace: "shop", ID: "cart"}, Service: "cart", Port: 8000})
		v.Namespaces["shop"] = map[string]string{}
		v.Routes = nil
	}}, tweaks...)...)
}

func mode(namespace, value string) func(*mesh.View) {
	return func(v *mesh.View) { v.Namespaces[namespace][mesh.LabelCoverage] = value }
}

type routeCase struct {
	name   string
	base   string
	tweaks []string // old, new, old, new, …
	view   []func(*mesh.View)
	open   bool
	// generated says that daprise is about to close what is open.
	generated bool
	want      []string
}

func routeCases() []routeCase {
	const refused, warned = "HTTPRoute default/whoami-route refused: ", "HTTPRoute default/whoami-route admitted with a warning: "
	const ownService = " Name the app's own Service in backendRefs: the way through its companion is written for you. [DPR208]"
	return []routeCase{
		{name: "rewritten", base: rewrittenRoute},
		{name: "header form", base: headerRoute},
		{name: "open until daprise has written the policies", base: rewrittenRoute, open: true, generated: true, view: []func(*mesh.View){func(v *mesh.View) {
			v.Namespaces["default"][mesh.LabelPolicies] = string(mesh.PoliciesGenerate)
		}}},
		{name: "another mesh's business", base: rewrittenRoute, view: []func(*mesh.View){func(v *mesh.View) { v.Ingresses, v.Apps = nil, nil }}},
		{name: "being deleted", base: rewrittenRoute, tweaks: []string{"name: whoami-route\n", "name: whoami-route\n  deletionTimestamp: \"2026-01-01T00:00:00Z\"\n", "name: ingress-dapr", "name: whoami-dapr"}},
		{name: "a header left to the client", base: rewrittenRoute, tweaks: []string{"dapr-app-id, ", ""}, want: []string{
			refused + `spec.rules[0].filters: the rule invokes app "whoami.default" and lets clients send dapr-app-id, by which they could choose another target or caller. Remove these headers with a RequestHeaderModifier, or name the app's own Service and leave the way through its companion to daprise. [DPR204]`,
		}},
		{name: "a caller given", base: headerRoute, tweaks: []string{"set: [", "set: [{name: Dapr-Caller-App-Id, value: admin}, "}, want: []string{
			refused + `spec.rules[0].filters[0].requestHeaderModifier: the rule invokes app "whoami.default" and gives a value to header "Dapr-Caller-App-Id", in which Dapr may find another target or caller. Leave the header out of the modifier. [DPR204]`,
		}},
		{name: "a target given by Authorization", base: rewrittenRoute, tweaks: []string{"{remove:", "{set: [{name: authorization, value: Basic ZGFwci1hcHAtaWQ6Y2FydA==}], remove:"}, want: []string{
			refused + `spec.rules[0].filters[1].requestHeaderModifier: the rule invokes app "whoami.default" and gives a value to header "authorization", in which Dapr may find another target or caller. Leave the header out of the modifier. [DPR204]`,
		}},
		{name: "a target given at the backend", base: headerRoute, tweaks: []string{"port: 3500}", "port: 3500, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: dapr-app-id, value: cart.shop}]}}]}"}, want: []string{
			refused + "spec.rules[0].backendRefs[0]: the rule names Service default/ingress-dapr, which belongs to a companion, and it does not invoke one enrolled app through the companion of a Gateway." + ownService,
		}},
		{name: "divided between apps", base: dividedRoute, view: []func(*mesh.View){granted}},
		{name: "divided without a grant", base: dividedRoute, want: []string{
			refused + `spec.rules[0]: the rule invokes app "cart.shop", and no ReferenceGrant in namespace shop lets an HTTPRoute of namespace default refer to its Service cart. Ask the owner of Service shop/cart for a ReferenceGrant. [DPR207]`,
		}},
		{name: "divided at one Service", base: dividedRoute, tweaks: []string{"name: ingress-dapr-to-cart-shop", "name: ingress-dapr"}, view: []func(*mesh.View){granted}, want: []string{
			refused + "spec.rules[0].backendRefs[1]: the rule names Service default/ingress-dapr, which belongs to a companion, and a backendRef that names its own app needs the Service for that app: Cilium keeps their headers apart by Service." + ownService,
		}},
		{name: "divided at another app's Service", base: dividedRoute, tweaks: []string{"value: cart.shop", "value: whoami.default"}, want: []string{
			refused + "spec.rules[0].backendRefs[1]: the rule names Service default/ingress-dapr-to-cart-shop, which belongs to a companion, and its backendRefs name different companions." + ownService,
		}},
		{name: "a name that Cilium would not read", base: dividedRoute, tweaks: []string{"{set: [{name: dapr-app-id, value: cart.shop}]}}", "{set: [{name: dapr-app-id, value: cart.shop}]}}, {type: ResponseHeaderModifier, responseHeaderModifier: {remove: [x-a]}}"}, view: []func(*mesh.View){granted}, want: []string{
			refused + "spec.rules[0].backendRefs[1]: the rule names Service default/ingress-dapr-to-cart-shop, which belongs to a companion, and Cilium takes only the last filter of a backendRef, which must be the one that names the app." + ownService,
		}},
		{name: "divided, and named for all", base: dividedRoute, tweaks: []string{"{remove: [", "{set: [{name: dapr-app-id, value: whoami.default}], remove: ["}, want: []string{
			refused + "spec.rules[0].backendRefs[0]: the rule names Service default/ingress-dapr-to-whoami, which belongs to a companion, and it does not invoke one enrolled app through the companion of a Gateway." + ownService,
			refused + "spec.rules[0].backendRefs[1]: the rule names Service default/ingress-dapr-to-cart-shop, which belongs to a companion, and it does not invoke one enrolled app through the companion of a Gateway." + ownService,
		}},
		{name: "divided, and one is plain", base: dividedRoute, tweaks: []string{"name: ingress-dapr-to-cart-shop, port: 3500", "name: legacy, port: 8080"}, want: []string{
			refused + `spec.rules[0].backendRefs[1]: backend "legacy" is outside the mesh, and the rule goes through the companion of Gateway default/default-gateway to app "whoami.default". Give each a rule of its own. [DPR201]`,
		}},
		{name: "two targets", base: headerRoute, tweaks: []string{"set: [", "set: [{name: DAPR-APP-ID, value: cart.shop}, "}, want: []string{
			refused + "spec.rules[0].backendRefs[0]: the rule names Service default/ingress-dapr, which belongs to a companion, and it does not invoke one enrolled app through the companion of a Gateway." + ownService,
		}},
		{name: "an app that is not enrolled", base: rewrittenRoute, tweaks: []string{"whoami.default", "ghost.default"}, want: []string{
			refused + "spec.rules[0].backendRefs[0]: the rule names Service default/ingress-dapr, which belongs to a companion, and it does not invoke one enrolled app through the companion of a Gateway." + ownService,
		}},
		{name: "a path out of the invocation", base: rewrittenRoute, tweaks: []string{"method//", "method/%2e%2e/x"}, want: []string{
			refused + "spec.rules[0].backendRefs[0]: the rule names Service default/ingress-dapr, which belongs to a companion, and it does not invoke one enrolled app through the companion of a Gateway." + ownService,
		}},
		{name: "another Gateway", base: rewrittenRoute, tweaks: []string{"name: default-gateway", "name: other"}, want: []string{
			refused + "spec.rules[0].backendRefs[0]: the rule names Service default/ingress-dapr, which belongs to a companion, and the companion belongs to Gateway default/default-gateway, which is not the one Gateway of this route." + ownService,
		}},
		{name: "another port", base: rewrittenRoute, tweaks: []string{"3500", "50001"}, want: []string{
			refused + "spec.rules[0].backendRefs[0]: the rule names Service default/ingress-dapr, which belongs to a companion, and its port is not 3500." + ownService,
		}},
		{name: "an app's companion", base: directRoute, tweaks: []string{"{name: whoami, port: 80}", "{name: whoami-dapr-api, port: 3500}"}, want: []string{
			refused + "spec.rules[0].backendRefs[0]: the rule names Service default/whoami-dapr-api, which belongs to a companion, and it does not invoke one enrolled app through the companion of a Gateway." + ownService,
		}},
		{name: "the companion of a leaving app", base: directRoute, tweaks: []string{"name: whoami,", "name: gone-dapr,"},
			view: []func(*mesh.View){func(v *mesh.View) {
				v.CompanionServices = []mesh.Name{{Namespace: "default", Name: "gone-dapr"}}
			}}, want: []string{
				refused + "spec.rules[0].backendRefs[0]: the rule names Service default/gone-dapr, which belongs to a companion, and it does not invoke one enrolled app through the companion of a Gateway." + ownService,
			}},
		{name: "a mirror", base: directRoute, tweaks: []string{"name: default-gateway", "name: other", "- backendRefs", "- filters: [{type: RequestMirror, requestMirror: {backendRef: {name: ingress-dapr, port: 3500}}}]\n    backendRefs"}, want: []string{
			refused + "spec.rules[0].filters[0].requestMirror.backendRef: the filter sends requests to Service default/ingress-dapr, which belongs to a companion. Send them to a Service outside the mesh. [DPR208]",
		}},
		{name: "external authorization", base: directRoute, tweaks: []string{"name: default-gateway", "name: other", "- backendRefs", "- filters: [{type: ExternalAuth, externalAuth: {protocol: HTTP, backendRef: {name: ingress-dapr, port: 3500}}}]\n    backendRefs"}, want: []string{
			refused + "spec.rules[0].filters[0].externalAuth.backendRef: the filter sends requests to Service default/ingress-dapr, which belongs to a companion. Send them to a Service outside the mesh. [DPR208]",
		}},
		{name: "a companion as GAMMA parent", base: directRoute, tweaks: []string{"[{name: default-gateway}]", `[{group: "", kind: Service, name: ingress-dapr}]`}, want: []string{
			refused + "spec.parentRefs: parent Service default/ingress-dapr belongs to a companion, whose traffic no route may take over. Name the app's own Service as the parent. [DPR208]",
		}},
		{name: "a Service as parent too", base: rewrittenRoute, tweaks: []string{"[{name: default-gateway}]", `[{name: default-gateway}, {group: "", kind: Service, name: whoami}]`}, want: []string{
			refused + "spec.parentRefs: Service default/whoami is a parent of a route whose rules go through the companion of Gateway default/default-gateway. Write two routes, one for each kind of parent. [DPR202]",
		}},
		{name: "a plain backend beside", base: rewrittenRoute, tweaks: []string{"weight: 1}", "weight: 1}, {name: legacy, port: 8080}"}, want: []string{
			refused + `spec.rules[0].backendRefs[1]: backend "legacy" is outside the mesh, and the rule goes through the companion of Gateway default/default-gateway to app "whoami.default". Give each a rule of its own. [DPR201]`,
		}},
		{name: "an app of another namespace", base: headerRoute, tweaks: []string{"whoami.default", "cart.shop"}, want: []string{
			refused + `spec.rules[0]: the rule invokes app "cart.shop", and no ReferenceGrant in namespace shop lets an HTTPRoute of namespace default refer to its Service cart. Ask the owner of Service shop/cart for a ReferenceGrant. [DPR207]`,
		}},
		{name: "opting out", base: directRoute, tweaks: []string{"namespace: default}", "namespace: default, annotations: {daprise.dev/enabled: \"false\"}}"}},
		{name: "opting out of strict", base: directRoute, tweaks: []string{"namespace: default}", "namespace: default, annotations: {daprise.dev/enabled: \"false\"}}"},
			view: []func(*mesh.View){mode("default", "strict")}, want: []string{
				refused + `metadata.annotations[daprise.dev/enabled]: the route would reach app "whoami.default" past its companion, and a namespace of mode strict is concerned. Remove the annotation. [DPR310]`,
			}},
		{name: "joining", base: directRoute, want: []string{
			warned + "spec.rules: Joining: rules go straight to Service default/whoami until the companions of app whoami.default and Gateway default/default-gateway can take requests. Wait: they are rewritten then. The conditions of the enrolled objects say what is missing. [DPR212]",
		}},
		{name: "prefix form in strict", base: rewrittenRoute, view: []func(*mesh.View){mode("default", "strict")}, want: []string{
			refused + "spec.rules[0]: the rule is in prefix form, which a client can aim at another app by an Authorization header, and a namespace of mode strict is concerned. Use header form: annotate the route daprise.dev/invoke=header. [DPR211]",
		}},
		{name: "prefix form beside another app", base: rewrittenRoute, view: []func(*mesh.View){func(v *mesh.View) {
			v.Routes = []mesh.RouteTarget{{Route: mesh.Object{Kind: "HTTPRoute", Namespace: "shop", Name: "cart"}, Ingress: v.Ingresses[0].AppRef, App: v.Apps[1].AppRef}}
		}}, want: []string{
			warned + `spec.rules[0]: a client can aim this rule to app "whoami.default" at cart.shop by an Authorization header. Use header form: annotate the route daprise.dev/invoke=header. [DPR211]`,
		}},
		{name: "prefix form beside many apps", base: rewrittenRoute, view: []func(*mesh.View){func(v *mesh.View) {
			for _, id := range []string{"e", "d", "c", "b", "a"} {
				v.Routes = append(v.Routes, mesh.RouteTarget{
					Route: mesh.Object{Kind: "HTTPRoute", Namespace: "shop", Name: id}, Ingress: v.Ingresses[0].AppRef, App: mesh.AppRef{Namespace: "shop", ID: id},
				})
			}
		}}, want: []string{
			warned + `spec.rules[0]: a client can aim this rule to app "whoami.default" at a.shop, b.shop, c.shop and 2 more by an Authorization header. Use header form: annotate the route daprise.dev/invoke=header. [DPR211]`,
		}},
		{name: "prefix form beside an app of a namespace that was not loaded", base: rewrittenRoute, view: []func(*mesh.View){func(v *mesh.View) {
			v.Through = through(v, mesh.AppRoutes{App: mesh.AppRef{Namespace: "far", ID: "cart"}, Routes: 1}, mesh.AppRoutes{App: v.Apps[0].AppRef, Routes: 3})
		}}, want: []string{
			warned + `spec.rules[0]: a client can aim this rule to app "whoami.default" at cart.far by an Authorization header. Use header form: annotate the route daprise.dev/invoke=header. [DPR211]`,
		}},
		{name: "prefix form beside what the route itself went to", base: rewrittenRoute, view: []func(*mesh.View){func(v *mesh.View) {
			old := mesh.AppRef{Namespace: "far", ID: "old"}
			v.Routes = []mesh.RouteTarget{{Route: mesh.Object{Kind: "HTTPRoute", Namespace: "default", Name: "whoami-route"}, Ingress: v.Ingresses[0].AppRef, App: old}}
			v.Through = through(v, mesh.AppRoutes{App: old, Routes: 1})
		}}},
		{name: "uncovered", base: rewrittenRoute, open: true},
	}
}

func through(v *mesh.View, apps ...mesh.AppRoutes) []mesh.IngressRoutes {
	return []mesh.IngressRoutes{{Ingress: v.Ingresses[0].AppRef, Apps: apps}}
}

func TestRoute(t *testing.T) {
	for _, c := range routeCases() {
		t.Run(c.name, func(t *testing.T) {
			docs := []string{allowWhoami, allowIngress}
			if c.open {
				docs = nil
			}
			text := c.base
			for i := 0; i < len(c.tweaks); i += 2 {
				text = swap(t, text, c.tweaks[i], c.tweaks[i+1])
			}
			w := policy.World{View: routeView(c.view...), Set: sets(t, docs...)}
			object := jsonOf(t, text)
			findings, err := validate.Route(w, validate.RouteWrite{Kind: mesh.KindHTTPRoute, Object: object})
			if err != nil {
				t.Fatal(err)
			}
			got := brief(slices.DeleteFunc(slices.Clone(findings), func(f mesh.Finding) bool { return isCoverage(f) && !c.open }))
			if c.open && !c.generated {
				checkOpen(t, findings)
				return
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			again, err := validate.Route(w, validate.RouteWrite{Kind: mesh.KindHTTPRoute, Object: object, OldObject: object})
			if err != nil {
				t.Fatal(err)
			}
			if mesh.Denied(again) || len(again) != len(findings) {
				t.Errorf("an update that changes nothing: %v", brief(again))
			}
		})
	}
}

func isCoverage(f mesh.Finding) bool { return strings.HasPrefix(string(f.Code), "DPR1") }

// checkOpen wants the companions of both ends to be found open, said of the route.
func checkOpen(t *testing.T, findings []mesh.Finding) {
	t.Helper()
	var open []string
	for _, f := range findings {
		if f.Code == mesh.CodeNotIsolated && f.Object.Name == "whoami-route" && f.Severity == mesh.Deny && len(f.Namespaces) > 0 {
			open = append(open, f.Message)
		}
	}
	for _, companion := range []string{`ingress companion "ingress"`, `companion "whoami"`} {
		if !slices.ContainsFunc(open, func(s string) bool { return strings.Contains(s, companion) }) {
			t.Errorf("%s is not found open: %v", companion, open)
		}
	}
}

// TestRouteCoverageCountsItsOwnTargets wants the flow from the ingress companion to the app to be judged before the route is stored, and
// a target that the write takes away not to be.
func TestRouteCoverageCountsItsOwnTargets(t *testing.T) {
	view := routeView()
	w := policy.World{View: view, Set: sets(t, allowIngress, swap(t, allowWhoami, "dapr.io/app-id: ingress", "dapr.io/app-id: nobody"))}
	findings, err := validate.Route(w, validate.RouteWrite{Kind: mesh.KindHTTPRoute, Object: jsonOf(t, rewrittenRoute)})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(findings, func(f mesh.Finding) bool { return f.Code == mesh.CodeFlowDenied }) {
		t.Errorf("the flow to the app is not judged: %v", brief(findings))
	}
	if len(view.Routes) != 0 {
		t.Errorf("the View was modified: %v", view.Routes)
	}
}

// TestRouteAcceptsWhatMutateGives runs the goldens of mutate through validation: what one half writes the other accepts, and a rule that
// names a companion without right is refused by both.
func TestRouteAcceptsWhatMutateGives(t *testing.T) {
	folders, err := filepath.Glob("../mutate/testdata/route/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no goldens: %v", err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			out, err := os.ReadFile(filepath.Join(folder, "out.yaml"))
			refused := os.IsNotExist(err)
			if refused {
				out, err = os.ReadFile(filepath.Join(folder, "in.yaml"))
			}
			if err != nil {
				t.Fatal(err)
			}
			world, err := os.ReadFile(filepath.Join(folder, "view.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			var view mesh.View
			if err := yaml.UnmarshalStrict(world, &view); err != nil {
				t.Fatal(err)
			}
			object := jsonOf(t, string(out))
			var meta struct{ Kind string }
			if err := json.Unmarshal(object, &meta); err != nil {
				t.Fatal(err)
			}
			findings, err := validate.Route(policy.World{View: &view, Set: policy.NewSet()}, validate.RouteWrite{Kind: meta.Kind, Object: object})
			if err != nil {
				t.Fatal(err)
			}
			findings = slices.DeleteFunc(findings, func(f mesh.Finding) bool { return isCoverage(f) || f.Code == mesh.CodeCiliumSetting })
			if !refused && mesh.Denied(findings) {
				t.Errorf("what mutate gives is refused: %v", brief(findings))
			}
			if refused && strings.Contains(string(out), "-dapr\n") && !mesh.Denied(findings) {
				t.Error("a companion is named without right, and nothing is refused")
			}
		})
	}
}
