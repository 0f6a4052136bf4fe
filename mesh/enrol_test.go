// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
)

// Fixtures: the smallest objects that enrol, to be changed in one place by a test.
const (
	serviceYAML = `
metadata: {name: whoami, namespace: default, uid: s, creationTimestamp: "2026-01-02T00:00:00Z", annotations: {daprise.dev/enabled: "true"}}
spec: {selector: {app: whoami}, ports: [{name: http, port: 80, targetPort: 8080}]}
`
	deploymentYAML = `
metadata: {name: whoami-v1, namespace: default, uid: d, creationTimestamp: "2026-01-03T00:00:00Z", annotations: {daprise.dev/enabled: "true"}}
spec: {template: {metadata: {labels: {app: whoami, version: v1}}, spec: {containers: [{name: c, ports: [{name: web, containerPort: 8080}]}]}}}
`
	gatewayYAML = `
metadata: {name: default-gateway, namespace: default, uid: g, creationTimestamp: "2026-01-01T00:00:00Z", annotations: {daprise.dev/enabled: "true", dapr.io/app-id: ingress}}
spec: {gatewayClassName: cilium}
`
)

func read[T any](t testing.TB, text string) *T {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), object); err != nil {
		t.Fatalf("fixture: %v\n%s", err, text)
	}
	return object
}

// change replaces one thing in a fixture and fails if it is not there exactly once.
func change(t testing.TB, text, old, new string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q is not once in %s", old, text)
	}
	return strings.Replace(text, old, new, 1)
}

const enabledYAML = `daprise.dev/enabled: "true"`

// annotated adds annotations to an enrolled fixture.
func annotated(t testing.TB, text, annotations string) string {
	return change(t, text, enabledYAML, enabledYAML+", "+annotations)
}

// plain takes the annotations of an enrolled Service away.
func plain(t testing.TB, text string) string {
	return change(t, text, `, annotations: {daprise.dev/enabled: "true"}`, "")
}

type fixture struct{ services, deployments, gateways []string }

func (f fixture) objects(t testing.TB) mesh.Objects {
	var o mesh.Objects
	for _, text := range f.services {
		o.Services = append(o.Services, read[corev1.Service](t, text))
	}
	for _, text := range f.deployments {
		o.Deployments = append(o.Deployments, read[appsv1.Deployment](t, text))
	}
	for _, text := range f.gateways {
		o.Gateways = append(o.Gateways, read[gatewayv1.Gateway](t, text))
	}
	return o
}

func deepCopy(o mesh.Objects) mesh.Objects {
	var c mesh.Objects
	for _, s := range o.Services {
		c.Services = append(c.Services, s.DeepCopy())
	}
	for _, d := range o.Deployments {
		c.Deployments = append(c.Deployments, d.DeepCopy())
	}
	for _, g := range o.Gateways {
		c.Gateways = append(c.Gateways, g.DeepCopy())
	}
	return c
}

// enrol is mesh.Enrol, and fails if an argument is modified.
func enrol(t testing.TB, o mesh.Objects) mesh.Enrolled {
	t.Helper()
	before := deepCopy(o)
	enrolled := mesh.Enrol(o, mesh.DefaultConfig())
	if diff := cmp.Diff(before, o); diff != "" {
		t.Errorf("Enrol modified its argument (-want +got):\n%s", diff)
	}
	return enrolled
}

func texts(findings []mesh.Finding) []string {
	var all []string
	for _, f := range findings {
		all = append(all, f.Text())
	}
	return all
}

func whoami() mesh.App {
	return mesh.App{
		AppRef:   mesh.AppRef{Namespace: "default", ID: "whoami"},
		Owner:    mesh.Owner{Object: mesh.Object{APIVersion: "v1", Kind: "Service", Namespace: "default", Name: "whoami"}, UID: "s"},
		Service:  "whoami",
		Port:     80,
		Protocol: "http",
		Strategy: mesh.StrategyDeployment,
		Replicas: 2,
		DaprAPI:  true,
		Selector: map[string]string{"app": "whoami"},
	}
}

func ingress() mesh.Ingress {
	return mesh.Ingress{
		AppRef: mesh.AppRef{Namespace: "default", ID: "ingress"},
		Owner: mesh.Owner{
			Object: mesh.Object{APIVersion: "gateway.networking.k8s.io/v1", Kind: "Gateway", Namespace: "default", Name: "default-gateway"},
			UID:    "g",
		},
		Gateway:  "default-gateway",
		Strategy: mesh.StrategyDaemonSet,
		Invoke:   mesh.InvokePrefix,
	}
}

func TestEnrolService(t *testing.T) {
	for _, test := range []struct {
		name, annotations, old, new string
		tweak                       func(*mesh.App)
	}{
		{name: "defaults", tweak: func(*mesh.App) {}},
		{name: "app ID", annotations: "dapr.io/app-id: other", tweak: func(a *mesh.App) { a.ID = "other" }},
		{name: "daemonset", annotations: "daprise.dev/strategy: daemonset", tweak: func(a *mesh.App) { a.Strategy, a.Replicas = mesh.StrategyDaemonSet, 0 }},
		{name: "replicas", annotations: `daprise.dev/replicas: "100"`, tweak: func(a *mesh.App) { a.Replicas = 100 }},
		{name: "local redirect", annotations: `daprise.dev/local-redirect: "true"`, tweak: func(a *mesh.App) { a.LocalRedirect = true }},
		{name: "no API", annotations: `daprise.dev/dapr-api: "false"`, tweak: func(a *mesh.App) { a.DaprAPI = false }},
		{name: "protocol", annotations: "dapr.io/app-protocol: grpcs", tweak: func(a *mesh.App) { a.Protocol = "grpcs" }},
		{name: "the port's protocol", old: "port: 80,", new: "port: 80, appProtocol: kubernetes.io/h2c,", tweak: func(a *mesh.App) { a.Protocol = "h2c" }},
		{name: "callers", annotations: "daprise.dev/callers: 'shop, cart.sales,b'", tweak: func(a *mesh.App) {
			a.Callers = []mesh.AppRef{{Namespace: "default", ID: "b"}, {Namespace: "default", ID: "shop"}, {Namespace: "sales", ID: "cart"}}
		}},
		{name: "a caller said in two ways", annotations: "daprise.dev/callers: 'shop,shop.default'", tweak: func(a *mesh.App) {
			a.Callers = []mesh.AppRef{{Namespace: "default", ID: "shop"}}
		}},
		{name: "suppressed warnings", annotations: "daprise.dev/suppress: DPR110=legacy clients until 2026-12-31; DPR111=ok until 2027-01-01", tweak: func(*mesh.App) {}},
		{name: "Dapr's keys are handed on", annotations: "dapr.io/log-level: debug", tweak: func(a *mesh.App) { a.Dapr = map[string]string{"dapr.io/log-level": "debug"} }},
		{name: "other keys are not ours", annotations: "example.com/daprise.dev: x", tweak: func(*mesh.App) {}},
		{name: "the port named http", old: "ports: [", new: "ports: [{name: other, port: 81}, ", tweak: func(*mesh.App) {}},
		{name: "the only TCP port", old: "ports: [{name: http,", new: "ports: [{name: dns, port: 53, protocol: UDP}, {name: x,", tweak: func(*mesh.App) {}},
		{name: "a port by number", annotations: `dapr.io/app-port: "80"`, tweak: func(*mesh.App) {}},
		{name: "a port by name", annotations: "dapr.io/app-port: http", tweak: func(*mesh.App) {}},
		{name: "headless, the pods' own port", old: "port: 80, targetPort: 8080}]", new: "port: 8080}], clusterIP: None", tweak: func(a *mesh.App) { a.Port = 8080 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := serviceYAML
			if test.annotations != "" {
				text = annotated(t, text, test.annotations)
			}
			if test.old != "" {
				text = change(t, text, test.old, test.new)
			}
			want := whoami()
			test.tweak(&want)
			got := enrol(t, fixture{services: []string{text}}.objects(t))
			if diff := cmp.Diff(mesh.Enrolled{Apps: []mesh.App{want}}, got); diff != "" {
				t.Errorf("enrolled (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEnrolGateway(t *testing.T) {
	for _, test := range []struct {
		name, old, new string
		tweak          func(*mesh.Ingress)
	}{
		{name: "defaults", tweak: func(*mesh.Ingress) {}},
		{name: "default app ID", old: ", dapr.io/app-id: ingress", new: "", tweak: func(g *mesh.Ingress) { g.ID = "default-gateway-ingress" }},
		{name: "deployment", old: enabledYAML, new: enabledYAML + ", daprise.dev/strategy: deployment", tweak: func(g *mesh.Ingress) { g.Strategy, g.Replicas = mesh.StrategyDeployment, 2 }},
		{
			name: "replicas", old: enabledYAML, new: enabledYAML + `, daprise.dev/strategy: deployment, daprise.dev/replicas: "3"`,
			tweak: func(g *mesh.Ingress) { g.Strategy, g.Replicas = mesh.StrategyDeployment, 3 },
		},
		{name: "header form", old: enabledYAML, new: enabledYAML + ", daprise.dev/invoke: header", tweak: func(g *mesh.Ingress) { g.Invoke = mesh.InvokeHeader }},
		{name: "local redirect", old: enabledYAML, new: enabledYAML + `, daprise.dev/local-redirect: "true"`, tweak: func(g *mesh.Ingress) { g.LocalRedirect = true }},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := gatewayYAML
			if test.old != "" {
				text = change(t, text, test.old, test.new)
			}
			want := ingress()
			test.tweak(&want)
			got := enrol(t, fixture{gateways: []string{text}}.objects(t))
			if diff := cmp.Diff(mesh.Enrolled{Ingresses: []mesh.Ingress{want}}, got); diff != "" {
				t.Errorf("enrolled (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEnrolDeployment(t *testing.T) {
	service := plain(t, serviceYAML)
	v1 := change(t, change(t, service, "name: whoami,", "name: whoami-v1,"), "{app: whoami}", "{app: whoami, version: v1}")
	owned := func(a *mesh.App) {
		a.Owner = mesh.Owner{Object: mesh.Object{APIVersion: "apps/v1", Kind: "Deployment", Namespace: "default", Name: "whoami-v1"}, UID: "d"}
	}
	for _, test := range []struct {
		name  string
		given fixture
		tweak func(*mesh.App)
	}{
		{"through the one Service that selects it", fixture{services: []string{service, change(t, v1, "version: v1", "version: v2")}, deployments: []string{deploymentYAML}}, owned},
		{
			"through the Service that it names",
			fixture{services: []string{service, v1}, deployments: []string{annotated(t, deploymentYAML, "daprise.dev/service: whoami")}}, owned,
		},
		{"a container port by number", fixture{services: []string{service}, deployments: []string{annotated(t, deploymentYAML, `dapr.io/app-port: "8080"`)}}, owned},
		{"a container port by name", fixture{services: []string{service}, deployments: []string{annotated(t, deploymentYAML, "dapr.io/app-port: web")}}, owned},
		{
			"a target port by name",
			fixture{services: []string{change(t, service, "targetPort: 8080", "targetPort: web")}, deployments: []string{annotated(t, deploymentYAML, `dapr.io/app-port: "8080"`)}}, owned,
		},
		{
			"no target port",
			fixture{services: []string{change(t, service, "port: 80, targetPort: 8080", "port: 8080")}, deployments: []string{annotated(t, deploymentYAML, "dapr.io/app-port: web")}},
			func(a *mesh.App) { owned(a); a.Port = 8080 },
		},
		{
			"among several ports",
			fixture{
				services:    []string{change(t, service, "ports: [{name: http,", "ports: [{name: admin, port: 81, targetPort: 9000}, {name: x,")},
				deployments: []string{annotated(t, deploymentYAML, "dapr.io/app-port: web")},
			}, owned,
		},
		{
			"of two that lead there the one named http",
			fixture{
				services:    []string{change(t, service, "ports: [", "ports: [{name: alt, port: 81, targetPort: 8080}, ")},
				deployments: []string{annotated(t, deploymentYAML, "dapr.io/app-port: web")},
			}, owned,
		},
		{"with its Service, which agrees", fixture{services: []string{serviceYAML}, deployments: []string{deploymentYAML}}, func(*mesh.App) {}},
		{
			"what one says holds for both",
			fixture{
				services: []string{annotated(t, serviceYAML, `daprise.dev/replicas: "3", dapr.io/log-level: debug`)},
				deployments: []string{
					annotated(t, deploymentYAML, `dapr.io/app-port: web, daprise.dev/dapr-api: "false"`),
					change(t, change(t, annotated(t, deploymentYAML, "daprise.dev/callers: shop"), "whoami-v1", "whoami-v2"), "version: v1", "version: v2"),
				},
			},
			func(a *mesh.App) {
				a.Replicas, a.DaprAPI, a.Dapr = 3, false, map[string]string{"dapr.io/log-level": "debug"}
				a.Callers = []mesh.AppRef{{Namespace: "default", ID: "shop"}}
			},
		},
		{
			"the same in other words",
			fixture{
				services:    []string{annotated(t, serviceYAML, "dapr.io/app-port: http, daprise.dev/callers: 'a,b'")},
				deployments: []string{annotated(t, deploymentYAML, "dapr.io/app-port: web, daprise.dev/callers: 'b.default,a'")},
			},
			func(a *mesh.App) {
				a.Callers = []mesh.AppRef{{Namespace: "default", ID: "a"}, {Namespace: "default", ID: "b"}}
			},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			want := whoami()
			test.tweak(&want)
			got := enrol(t, test.given.objects(t))
			if diff := cmp.Diff(mesh.Enrolled{Apps: []mesh.App{want}}, got); diff != "" {
				t.Errorf("enrolled (-want +got):\n%s", diff)
			}
		})
	}
}

// TestNotEnrolled: who does not ask, or is leaving, is in the mesh no more and is told nothing.
func TestNotEnrolled(t *testing.T) {
	for _, test := range []struct {
		name  string
		given fixture
	}{
		{"no annotation", fixture{services: []string{plain(t, serviceYAML)}}},
		{"false", fixture{services: []string{change(t, serviceYAML, `"true"`, `"false"`)}}},
		{"Dapr's keys alone are not for us", fixture{services: []string{change(t, serviceYAML, enabledYAML, "dapr.io/app-id: _")}}},
		{"being deleted", fixture{services: []string{change(t, serviceYAML, "uid: s,", `uid: s, deletionTimestamp: "2026-02-01T00:00:00Z",`)}}},
		{"being deleted and malformed", fixture{gateways: []string{change(t, annotated(t, gatewayYAML, "daprise.dev/x: y"), "uid: g,", `uid: g, deletionTimestamp: "2026-02-01T00:00:00Z",`)}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(mesh.Enrolled{}, enrol(t, test.given.objects(t))); diff != "" {
				t.Errorf("enrolled (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOlderStands: of two that claim the same, the older one has it, whatever their order.
func TestOlderStands(t *testing.T) {
	other := change(t, annotated(t, serviceYAML, "dapr.io/app-id: whoami"), "name: whoami,", "name: other,")
	for _, test := range []struct{ name, created, loser string }{
		{"older", "2026-01-01T00:00:00Z", "whoami"},
		{"younger", "2026-01-03T00:00:00Z", "other"},
		{"as old, by name", "2026-01-02T00:00:00Z", "whoami"},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := fixture{services: []string{serviceYAML, change(t, other, "2026-01-02T00:00:00Z", test.created)}}.objects(t)
			got := enrol(t, o)
			if len(got.Apps) != 1 || len(got.Findings) != 1 || got.Findings[0].Object.Name != test.loser || got.Findings[0].Code != mesh.CodeAppIDTaken {
				t.Errorf("want DPR304 for %s alone, got %+v, %q", test.loser, got.Apps, texts(got.Findings))
			}
		})
	}
	t.Run("not stored yet", func(t *testing.T) {
		o := fixture{services: []string{serviceYAML, other}}.objects(t)
		o.Services[1].CreationTimestamp = metav1.Time{}
		if got := enrol(t, o); len(got.Findings) != 1 || got.Findings[0].Object.Name != "other" {
			t.Errorf("want DPR304 for other, got %q", texts(got.Findings))
		}
	})
}
