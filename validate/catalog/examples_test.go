// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/validate"
	"github.com/daprise/daprise/validate/catalog"
)

// world is the scenario: an app, an ingress and a route between them.
func world(policies ...*policy.Policy) policy.World {
	app, ingress := mesh.AppRef{Namespace: "default", ID: "whoami"}, mesh.AppRef{Namespace: "default", ID: "ingress"}
	return policy.World{
		View: &mesh.View{
			Config:     mesh.DefaultConfig(),
			Cilium:     mesh.Cilium{Version: "1.20.2"},
			Namespaces: map[string]map[string]string{"default": {}},
			Apps: []mesh.App{{
				AppRef: app, Owner: mesh.Owner{Object: mesh.Object{Kind: "Service", Namespace: "default", Name: "whoami"}},
				Service: "whoami", Port: 80, DaprAPI: true, Selector: map[string]string{"app": "whoami"}, Companion: mesh.CompanionState{Live: true},
			}},
			Ingresses: []mesh.Ingress{{
				AppRef: ingress, Owner: mesh.Owner{Object: mesh.Object{Kind: "Gateway", Namespace: "default", Name: "default-gateway"}},
				Gateway: "default-gateway", Companion: mesh.CompanionState{Live: true},
			}},
			Routes: []mesh.RouteTarget{{Route: mesh.Object{Kind: "HTTPRoute", Namespace: "default", Name: "whoami-route"}, Ingress: ingress, App: app}},
		},
		Set: policy.NewSet(policies...),
	}
}

// cnp is a policy on an app ID with one rule.
func cnp(t *testing.T, name, id, rule string) *policy.Policy {
	t.Helper()
	var p ciliumv2.CiliumNetworkPolicy
	text := "metadata: {name: " + name + ", namespace: default}\nspec: {endpointSelector: {matchLabels: {dapr.io/app-id: " + id + "}}, " + rule + "}"
	if err := yaml.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return policy.CompileCNP(&p)
}

// coverage are the findings about the app and the ingress of a world.
func coverage(w policy.World) []mesh.Finding {
	return append(policy.App(w.View, w.Set, w.View.Apps[0]), policy.Ingress(w.View, w.Set, w.View.Ingresses[0])...)
}

// write are the findings of writing one policy in a world.
func write(name string, w policy.World, p *policy.Policy) []mesh.Finding {
	return validate.Policy(validate.PolicyWrite{
		View: w.View, Before: w.Set, After: w.Set.With(p), Operation: validate.Create,
		Object: mesh.Object{Kind: policy.KindCNP, Namespace: "default", Name: name},
	})
}

func policyExamples(t *testing.T) []mesh.Finding {
	t.Helper()
	const allow = `ingress: [{fromEndpoints: [{matchLabels: {dapr.io/app-id: ingress}}], toPorts: [{ports: [{port: "50002", protocol: TCP}]}]}]`
	allowed := cnp(t, "whoami", "whoami", allow)
	shop := cnp(t, "open", "whoami", `ingress: [{fromEndpoints: [{matchLabels: {io.kubernetes.pod.namespace: shop, app: x}}], toPorts: [{ports: [{port: "50002"}]}]}]`)
	quarantine := cnp(t, "quarantine", "whoami", "ingressDeny: [{fromEntities: [all]}]")
	ztunnel, unknown := world(allowed), world(allowed)
	ztunnel.View.Namespaces["default"]["io.cilium/mtls-enabled"] = "true"
	unknown.View.Cilium.Version = ""
	held := world(allowed)
	held.View.Pods = []mesh.PodSet{{Namespace: "default", Name: "old", Labels: map[string]string{mesh.LabelCompanion: "whoami"}}}
	var findings []mesh.Finding
	for _, w := range []policy.World{
		world(), world(allowed, quarantine), world(allowed, shop), ztunnel, unknown, held,
		world(cnp(t, "whoami", "whoami", strings.Replace(allow, `"50002"`, "dapr", 1))),
		world(allowed, cnp(t, "ingress", "ingress", `ingress: [{fromEntities: [ingress], authentication: {mode: required}, toPorts: [{ports: [{port: "3500"}]}]}]`)),
		world(cnp(t, "whoami", "whoami", strings.Replace(allow, "protocol: TCP}]", "protocol: TCP}], rules: {http: [{}]}", 1))),
		world(cnp(t, "whoami", "whoami", "ingress: [{fromGroups: [{aws: {region: x}}]}]")),
		world(cnp(t, "whoami", "whoamy", allow)),
	} {
		findings = append(findings, coverage(w)...)
	}
	findings = append(findings, write("quarantine", world(allowed), quarantine)...)
	direct := world(allowed)
	direct.View.Services = []mesh.Service{{Name: mesh.Name{Namespace: "default", Name: "whoami"}, Selector: map[string]string{"app": "whoami"}, Ports: []corev1.ServicePort{{Port: 80}}}}
	direct.View.Pods = []mesh.PodSet{{Namespace: "default", Name: "whoami-1", Labels: map[string]string{"app": "whoami"}}}
	findings = append(findings, policy.Past(direct.View, direct.Set, direct.View.Apps[0])...)
	return append(findings, write("whoami", world(allowed), cnp(t, "whoami", "whoami", "ingress: [{fromEndpoints: [{}], fromEntities: [world]}]"))...)
}

func enrolmentExamples(t *testing.T) []mesh.Finding {
	t.Helper()
	const service = `metadata: {name: whoami, namespace: default, annotations: {daprise.dev/enabled: "true"}}` + "\n" + "spec: {selector: {app: whoami}, ports: [{name: http, port: 80}]}"
	const deployment = `metadata: {name: whoami-v1, namespace: default, annotations: {daprise.dev/enabled: "true"}}` + "\n" + "spec: {template: {metadata: {labels: {app: whoami}}}}"
	const gateway = `metadata: {name: default-gateway, namespace: default, annotations: {daprise.dev/enabled: "true", daprise.dev/local-redirect: "true"}}` + "\n" + "spec: {gatewayClassName: cilium}"
	stored := func(texts ...string) []*corev1.Service {
		var services []*corev1.Service
		for _, text := range texts {
			s := &corev1.Service{}
			if err := yaml.Unmarshal([]byte(text), s); err != nil {
				t.Fatal(err)
			}
			s.CreationTimestamp = metav1.Unix(1, 0)
			services = append(services, s)
		}
		return services
	}
	plain := strings.Replace(service, `daprise.dev/enabled: "true"`, "", 1)
	foreign := []mesh.Object{{Kind: "Service", Namespace: "default", Name: "whoami-dapr"}}
	leaving := world().View.Routes
	leaving[0].Route.Namespace, leaving[0].Route.Name = "shop", "r"
	var findings []mesh.Finding
	for _, test := range []struct {
		kind, text, old, new string
		view                 mesh.View
		before               string
	}{
		{kind: "Service", text: service, old: `"true"`, new: `"true", daprise.dev/replica: "2"`},
		{kind: "Service", text: service, old: `"true"`, new: `"true", daprise.dev/replicas: two`},
		{kind: "Service", text: service, old: "{name: http,", new: "{name: admin, port: 81}, {name: web,"},
		{kind: "Service", text: strings.Replace(service, "name: whoami", "name: other", 1), old: `"true"`, new: `"true", dapr.io/app-id: whoami`, view: mesh.View{Objects: mesh.Objects{Services: stored(service)}}},
		{kind: "Service", text: service, view: mesh.View{Foreign: foreign}},
		{kind: "Deployment", text: deployment, old: "labels: {app", new: `annotations: {dapr.io/enabled: "true"}, labels: {app`, view: mesh.View{Objects: mesh.Objects{Services: stored(plain)}}},
		{kind: "Service", text: service, old: `"true"`, new: `"true", dapr.io/api-token-secret: theirs`},
		{kind: "Service", text: service, old: "selector: {app: whoami}", new: "type: ExternalName, externalName: evil.example"},
		{kind: "Deployment", text: deployment, view: mesh.View{Objects: mesh.Objects{Services: stored(plain, strings.Replace(plain, "name: whoami", "name: other", 1))}}},
		{kind: "Service", text: service, old: `"true"`, new: `"false"`, before: service, view: mesh.View{Routes: leaving}},
		{kind: "Service", text: service, old: `"true"`, new: `"true", dapr.io/config: tracing`, view: mesh.View{Configurations: []mesh.Configuration{{Name: mesh.Name{Namespace: "default", Name: "tracing"}, Content: "{}"}}}},
		{kind: "Gateway", text: gateway, view: mesh.View{Cilium: mesh.Cilium{LocalRedirects: true}}},
	} {
		view := test.view
		view.Config = mesh.DefaultConfig()
		view.Namespaces = map[string]map[string]string{"default": {mesh.LabelCoverage: "strict", mesh.LabelPolicies: "generate"}}
		e := validate.EnrolmentWrite{Kind: test.kind, Object: jsonOf(t, strings.Replace(test.text, test.old, test.new, 1))}
		if test.before != "" {
			e.OldObject = jsonOf(t, test.before)
		}
		found, err := validate.Enrolment(policy.World{View: &view, Set: policy.NewSet()}, e)
		if err != nil {
			t.Fatal(err)
		}
		findings = append(findings, found...)
	}
	return findings
}

func jsonOf(t *testing.T, text string) []byte {
	t.Helper()
	data, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestExamples: every example is what is really said: by the rules of coverage and enrolment, run here, or in a golden of routes.
func TestExamples(t *testing.T) {
	said := map[string]bool{}
	for _, f := range append(policyExamples(t), enrolmentExamples(t)...) {
		f.Manifest = ""
		said[f.Text()] = true
	}
	for _, pattern := range []string{"error.txt", "warnings.txt"} {
		files, err := filepath.Glob("../../mutate/testdata/route/*/" + pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no goldens of routes: %v", err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(data)) {
				said[strings.TrimSpace(line)] = true
			}
		}
	}
	for _, r := range catalog.Rules() {
		if r.Example == "" || said[r.Example] {
			continue
		}
		t.Errorf("%s: nothing says\n%s\nbut", r.Code, r.Example)
		for text := range said {
			if strings.HasSuffix(text, "["+string(r.Code)+"]") {
				t.Errorf("    %s", text)
			}
		}
	}
}
