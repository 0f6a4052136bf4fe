// SPDX-License-Identifier: Apache-2.0

package validate_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
	"github.com/daprise/daprise/validate"
)

const (
	enrolledService = `
metadata: {name: whoami, namespace: default, annotations: {daprise.dev/enabled: "true"}}
spec: {selector: {app: whoami}, ports: [{name: http, port: 80}]}
`
	enrolledDeployment = `
metadata: {name: whoami-v1, namespace: default, annotations: {daprise.dev/enabled: "true"}}
spec: {template: {metadata: {labels: {app: whoami}}}}
`
	enrolledGateway = `
metadata: {name: default-gateway, namespace: default, annotations: {daprise.dev/enabled: "true", dapr.io/app-id: ingress}}
`
)

func swap(t testing.TB, text, old, new string) string {
	t.Helper()
	if strings.Count(text, old) != 1 {
		t.Fatalf("%q is not once in %s", old, text)
	}
	return strings.Replace(text, old, new, 1)
}

func jsonOf(t testing.TB, text string) []byte {
	t.Helper()
	if text == "" {
		return nil
	}
	data, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// enrolmentWorld is a cluster with a plain Service whoami and the policies given.
func enrolmentWorld(t testing.TB, policies ...string) policy.World {
	t.Helper()
	plain := &corev1.Service{}
	text := swap(t, enrolledService, `, annotations: {daprise.dev/enabled: "true"}`, "")
	if err := yaml.UnmarshalStrict([]byte(text), plain); err != nil {
		t.Fatal(err)
	}
	return policy.World{
		View: &mesh.View{
			Config:     mesh.DefaultConfig(),
			Cilium:     mesh.Cilium{Version: "1.20.2"},
			Namespaces: map[string]map[string]string{"default": {}},
			Ingresses:  []mesh.Ingress{{AppRef: mesh.AppRef{Namespace: "default", ID: "ingress"}, Gateway: "default-gateway"}},
			Objects:    mesh.Objects{Services: []*corev1.Service{plain}},
		},
		Set: sets(t, policies...),
	}
}

// enrolmentFindings is each finding with its severity, and without manifest, after modes.
func enrolmentFindings(t testing.TB, w policy.World, e validate.EnrolmentWrite) []string {
	t.Helper()
	findings, err := validate.Enrolment(w, e)
	if err != nil {
		t.Fatal(err)
	}
	return brief(validate.ApplyModes(w.View, findings))
}

func TestEnrolment(t *testing.T) {
	foreign := func(kind, name string) func(*mesh.View) {
		return func(v *mesh.View) {
			v.Foreign = append(v.Foreign, mesh.Object{Kind: kind, Namespace: "default", Name: name})
		}
	}
	taken := func(object string) []string {
		return []string{`Service default/whoami refused: the companion of app ID "whoami" needs the name of ` + object +
			`, which daprise did not make. Rename or delete that object, or set dapr.io/app-id to another app ID. [DPR305]`}
	}
	for _, test := range []struct {
		name, kind, old, in string
		tweak               func(*mesh.View)
		want                []string
	}{
		{name: "admitted", kind: "Service", in: enrolledService},
		{name: "not enrolled", kind: "Service", in: swap(t, enrolledService, `"true"`, `"false"`)},
		{name: "Dapr's keys", kind: "Service", in: swap(t, enrolledService, `"true"`, `"true", dapr.io/api-token-secret: theirs, dapr.io/log-level: loud`), want: []string{
			`Service default/whoami refused: metadata.annotations[dapr.io/log-level]: found "loud", allowed is "debug", "info", "warn", "error", "fatal". Correct the value or remove the annotation. [DPR302]`,
			`Service default/whoami refused: metadata.annotations[dapr.io/api-token-secret]: refused on an enrolled object: it names a Secret: whoever may annotate a Service must not thereby read one. Remove the annotation. [DPR307]`,
		}},
		{name: "Dapr's keys without enrolment", kind: "Service", in: swap(t, enrolledService, `daprise.dev/enabled: "true"`, `dapr.io/api-token-secret: theirs`)},
		{
			name: "malformed before refused", kind: "Service", in: swap(t, enrolledService, `"true"`, `"true", daprise.dev/replica: "2"`), tweak: foreign("Service", "whoami-dapr"),
			want: []string{"Service default/whoami refused: metadata.annotations[daprise.dev/replica]: no such key is known; the nearest is daprise.dev/replicas. Correct the key or remove the annotation. [DPR301]"},
		},
		{
			name: "becomes an ExternalName", kind: "Service", old: enrolledService, in: swap(t, enrolledService, "selector: {app: whoami}", "type: ExternalName, externalName: evil.example"),
			want: []string{`Service default/whoami refused: spec.type: ExternalName would lead the companion to "evil.example", which nothing in the cluster checks. Enrol a Service with a selector and a TCP port, or remove daprise.dev/enabled. [DPR308]`},
		},
		{
			name: "loses its selector", kind: "Service", old: enrolledService, in: swap(t, enrolledService, "selector: {app: whoami}, ", ""),
			want: []string{"Service default/whoami refused: spec.selector: without a selector, whoever writes its endpoints could lead the companion anywhere. Enrol a Service with a selector and a TCP port, or remove daprise.dev/enabled. [DPR308]"},
		},
		{
			name: "loses its port", kind: "Service", old: swap(t, enrolledService, `"true"`, `"true", dapr.io/app-port: "80"`), in: swap(t, swap(t, enrolledService, `"true"`, `"true", dapr.io/app-port: "80"`), "port: 80", "port: 81"),
			want: []string{`Service default/whoami refused: metadata.annotations[dapr.io/app-port]: "80" is not a TCP port of the Service, which has http 81. Set one of them by number or name, or remove the annotation for the default (the only port, else the one named http). [DPR302]`},
		},
		{
			name: "an unrelated update of what is wrong already", kind: "Service",
			old:  swap(t, enrolledService, "selector: {app: whoami}, ", ""),
			in:   swap(t, swap(t, enrolledService, "selector: {app: whoami}, ", ""), "namespace: default", "namespace: default, labels: {a: b}"),
			want: []string{"Service default/whoami admitted with a warning: spec.selector: without a selector, whoever writes its endpoints could lead the companion anywhere. Enrol a Service with a selector and a TCP port, or remove daprise.dev/enabled. [DPR308]"},
		},
		{name: "being deleted", kind: "Service", in: swap(t, swap(t, enrolledService, "selector: {app: whoami}, ", ""), "namespace: default", `namespace: default, deletionTimestamp: "2026-01-01T00:00:00Z"`)},
		{name: "headless Service taken", kind: "Service", in: enrolledService, tweak: foreign("Service", "whoami-dapr"), want: taken("Service default/whoami-dapr")},
		{name: "API Service taken", kind: "Service", in: enrolledService, tweak: foreign("Service", "whoami-dapr-api"), want: taken("Service default/whoami-dapr-api")},
		{name: "ServiceAccount taken", kind: "Service", in: enrolledService, tweak: foreign("ServiceAccount", "whoami-dapr"), want: taken("ServiceAccount default/whoami-dapr")},
		{name: "a name of another kind", kind: "Service", in: enrolledService, tweak: foreign("ServiceAccount", "whoami-dapr-api")},
		{name: "a DaemonSet besides a Deployment", kind: "Service", in: enrolledService, tweak: foreign("DaemonSet", "whoami-dapr")},
		{name: "a policy where none is written", kind: "Service", in: enrolledService, tweak: foreign("CiliumNetworkPolicy", "whoami-dapr")},
		{name: "another app's", kind: "Service", in: enrolledService, tweak: foreign("Service", "other-dapr")},
		{name: "taken since", kind: "Service", old: enrolledService, in: swap(t, enrolledService, "port: 80", "port: 81"), tweak: foreign("Service", "whoami-dapr")},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := enrolmentWorld(t, allowWhoami)
			if test.tweak != nil {
				test.tweak(w.View)
			}
			got := enrolmentFindings(t, w, validate.EnrolmentWrite{Kind: test.kind, Object: jsonOf(t, test.in), OldObject: jsonOf(t, test.old)})
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEnrolmentCoverage(t *testing.T) {
	const open = `Service default/whoami VERB: companion "whoami" (default) is open on 50002/TCP: any pod may reach it, since no policy selects it. `
	for _, test := range []struct {
		name, mode, policies string
		kind, old, in        string
		given                []string
		severities           []mesh.Severity
	}{
		{name: "covered, in strict", mode: "strict", kind: "Service", in: enrolledService, given: []string{allowWhoami}},
		{name: "a Gateway, covered, in strict", mode: "strict", kind: "Gateway", in: enrolledGateway, given: []string{allowIngress}},
		{name: "a Deployment, covered, in strict", mode: "strict", kind: "Deployment", in: enrolledDeployment, given: []string{allowWhoami}},
		{name: "open, in strict", mode: "strict", kind: "Service", in: enrolledService, severities: []mesh.Severity{mesh.Deny}},
		{name: "a Gateway, open, in strict", mode: "strict", kind: "Gateway", in: enrolledGateway, severities: []mesh.Severity{mesh.Deny}},
		{name: "a Deployment, open, in strict", mode: "strict", kind: "Deployment", in: enrolledDeployment, severities: []mesh.Severity{mesh.Deny}},
		{name: "open to others, in strict", mode: "strict", kind: "Service", in: enrolledService, given: []string{allowWhoami, openShop}, severities: []mesh.Severity{mesh.Deny}},
		{name: "a caller that cannot reach it, in strict", mode: "strict", kind: "Service", in: swap(t, enrolledService, `"true"`, `"true", daprise.dev/callers: ingress`), given: []string{quarantine}, severities: []mesh.Severity{mesh.Deny}},
		{name: "closed to a route to come, in strict", mode: "strict", kind: "Service", in: enrolledService, given: []string{quarantine}},
		{name: "open, in enforce", mode: "enforce", kind: "Service", in: enrolledService, severities: []mesh.Severity{mesh.Warn}},
		{name: "open, in warn", mode: "warn", kind: "Service", in: enrolledService, severities: []mesh.Severity{mesh.Warn}},
		{name: "open, in audit", mode: "audit", kind: "Service", in: enrolledService, severities: []mesh.Severity{mesh.Audit}},
		{name: "a mode that does not exist", mode: "strickt", kind: "Service", in: enrolledService, severities: []mesh.Severity{mesh.Warn}},
		{name: "policies to be generated", mode: "strict", policies: "generate", kind: "Service", in: enrolledService},
		{name: "an update that changes nothing that is judged", mode: "strict", kind: "Service", old: enrolledService, in: swap(t, enrolledService, `"true"`, `"true", daprise.dev/replicas: "3"`)},
		{name: "an update of what is judged", mode: "strict", kind: "Service", old: enrolledService, in: swap(t, enrolledService, `"true"`, `"true", daprise.dev/callers: shop`), severities: []mesh.Severity{mesh.Deny}},
		{name: "a Gateway that is enrolled already", mode: "strict", kind: "Gateway", old: enrolledGateway, in: swap(t, enrolledGateway, `"true"`, `"true", daprise.dev/invoke: header`)},
		{name: "leaving", mode: "strict", kind: "Service", old: enrolledService, in: swap(t, enrolledService, `"true"`, `"false"`)},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := enrolmentWorld(t, test.given...)
			w.View.Namespaces["default"] = map[string]string{mesh.LabelCoverage: test.mode, mesh.LabelPolicies: test.policies}
			findings, err := validate.Enrolment(w, validate.EnrolmentWrite{Kind: test.kind, Object: jsonOf(t, test.in), OldObject: jsonOf(t, test.old)})
			if err != nil {
				t.Fatal(err)
			}
			var have []mesh.Severity
			for _, f := range validate.ApplyModes(w.View, findings) {
				have = append(have, f.Severity)
				if f.Invalid || !f.Code.Coverage() {
					t.Errorf("not a finding of coverage: %s", f.Text())
				}
			}
			if diff := cmp.Diff(test.severities, have); diff != "" {
				t.Errorf("severities (-want +got):\n%s\n%s", diff, strings.Join(brief(findings), "\n"))
			}
		})
	}
	t.Run("text", func(t *testing.T) {
		w := enrolmentWorld(t)
		w.View.Namespaces["default"][mesh.LabelCoverage] = "strict"
		got := enrolmentFindings(t, w, validate.EnrolmentWrite{Kind: "Service", Object: jsonOf(t, enrolledService)})
		if want := strings.Replace(open, "VERB", "refused", 1); len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("got %q, want the beginning %q", got, want)
		}
	})
}

func TestEnrolmentLeaving(t *testing.T) {
	const text = `Service default/whoami refused: metadata.annotations[daprise.dev/enabled]: app ID "whoami" would leave the mesh while HTTPRoute shop/r sends traffic through its companion, and a namespace of mode strict is concerned. Delete the route or point it elsewhere first, or label the namespace daprise.dev/coverage=enforce while the app leaves. [DPR310]`
	left := swap(t, enrolledService, `"true"`, `"false"`)
	for _, test := range []struct {
		name, in string
		strict   string
		tweak    func(*mesh.View)
		want     []string
	}{
		{name: "strict", in: left, strict: "default", want: []string{text}},
		{name: "strict where the route is", in: left, strict: "shop", want: []string{text}},
		{name: "another app ID", in: swap(t, enrolledService, `"true"`, `"true", dapr.io/app-id: other`), strict: "shop", want: []string{text}},
		{name: "enforce", in: left},
		{name: "no route", in: left, strict: "default", tweak: func(v *mesh.View) { v.Routes = nil }},
		{name: "staying", in: enrolledService, strict: "default"},
		{name: "a Deployment keeps it", in: left, strict: "default", tweak: func(v *mesh.View) {
			d := &appsv1.Deployment{}
			if err := yaml.UnmarshalStrict([]byte(enrolledDeployment), d); err != nil {
				t.Fatal(err)
			}
			v.Objects.Deployments = append(v.Objects.Deployments, d)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := enrolmentWorld(t, allowWhoami)
			w.View.Namespaces[test.strict] = map[string]string{mesh.LabelCoverage: "strict", mesh.LabelPolicies: "generate"}
			w.View.Routes = []mesh.RouteTarget{{
				Route:   mesh.Object{Kind: "HTTPRoute", Namespace: "shop", Name: "r"},
				Ingress: mesh.AppRef{Namespace: "default", ID: "ingress"}, App: mesh.AppRef{Namespace: "default", ID: "whoami"},
			}}
			if test.tweak != nil {
				test.tweak(w.View)
			}
			var want []string
			for _, f := range enrolmentFindings(t, w, validate.EnrolmentWrite{Kind: "Service", Object: jsonOf(t, test.in), OldObject: jsonOf(t, enrolledService)}) {
				if strings.HasSuffix(f, "[DPR310]") {
					want = append(want, f)
				}
			}
			if diff := cmp.Diff(test.want, want); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
