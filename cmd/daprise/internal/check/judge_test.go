// SPDX-License-Identifier: Apache-2.0

package check

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/webhook/hooks"
)

// brief is each line without its hint; a hint must be there exactly where something is to be done.
func brief(t *testing.T, lines []Line) []string {
	t.Helper()
	var all []string
	for _, line := range lines {
		all = append(all, fmt.Sprintf("%s %s", line.State, line.Message))
		if wants := line.State == Warn || line.State == Fail || line.State == Unread; wants != (line.Hint != "") && line.State != Skip {
			t.Errorf("%s %s: hint %q", line.State, line.Message, line.Hint)
		}
	}
	return all
}

func compare(t *testing.T, want []string, lines []Line) {
	t.Helper()
	if diff := cmp.Diff(want, brief(t, lines)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}

func now() time.Time { return time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC) }

func TestKubernetes(t *testing.T) {
	for _, test := range []struct{ version, want string }{
		{"v1.37.2", "ok v1.37.2"},
		{"v1.31.0-gke.100", "ok v1.31.0-gke.100"},
		{"v1.30.9", "fail v1.30.9 is too old: CEL match conditions and ValidatingAdmissionPolicies are used as of 1.31.0"},
		{"v0.0.0-master+$Format:%H$", "warn the API server says that it is v0.0.0-master+$Format:%H$, which is no version"},
	} {
		t.Run(test.version, func(t *testing.T) { compare(t, []string{test.want}, judgeKubernetes(test.version)) })
	}
}

func TestCilium(t *testing.T) {
	well := ciliumFacts{Cilium: mesh.Cilium{Version: "1.20.2"}, settings: map[string]string{"enable-gateway-api": "true"}}
	for _, test := range []struct {
		name  string
		tweak func(*ciliumFacts, *mesh.Config)
		want  []string
	}{
		{"well", func(*ciliumFacts, *mesh.Config) {}, []string{"ok 1.20.2"}},
		{"no kinds", func(f *ciliumFacts, _ *mesh.Config) { f.missing = []string{"CiliumNetworkPolicy"} }, []string{"fail the API server does not serve CiliumNetworkPolicy"}},
		{"no ConfigMap", func(f *ciliumFacts, _ *mesh.Config) { f.settings = nil }, []string{"fail ConfigMap kube-system/cilium-config is not found, so that coverage is not claimed [DPR403]"}},
		{"no version", func(f *ciliumFacts, _ *mesh.Config) { f.Version = "" }, []string{"warn coverage is not claimed: the version of Cilium is unknown [DPR403]"}},
		{"settings", func(f *ciliumFacts, _ *mesh.Config) {
			f.Unmodelled = []string{"enable-policy=always", "labels=k8s:app"}
		}, []string{
			"warn coverage is not claimed: cilium-config has enable-policy=always, labels=k8s:app, which changes verdicts [DPR403]",
		}},
		{"no gateways", func(f *ciliumFacts, _ *mesh.Config) { f.settings = map[string]string{} }, []string{
			"ok 1.20.2", "fail enable-gateway-api is not true in cilium-config: Cilium serves no Gateway",
		}},
		{"another gateway", func(f *ciliumFacts, c *mesh.Config) {
			f.settings, c.Gateway.Implementation = map[string]string{}, "traefik"
		}, []string{"ok 1.20.2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, config := well, mesh.DefaultConfig()
			test.tweak(&f, &config)
			compare(t, test.want, judgeCilium(f, config))
		})
	}
}

// TestOtherCilium: a version that mesh/policy does not model is told of, in its words.
func TestOtherCilium(t *testing.T) {
	f := ciliumFacts{Cilium: mesh.Cilium{Version: "1.9.1"}, settings: map[string]string{"enable-gateway-api": "true"}}
	lines := judgeCilium(f, mesh.DefaultConfig())
	if len(lines) != 1 || lines[0].State != Warn || !strings.HasPrefix(lines[0].Message, "coverage is not claimed: Cilium 1.9.1 ") || lines[0].Hint == "" {
		t.Errorf("lines are %+v", lines)
	}
}

func TestGatewayAPI(t *testing.T) {
	accepted := &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "cilium"}, Spec: gatewayv1.GatewayClassSpec{ControllerName: "io.cilium/gateway-controller"}}
	accepted.Status.Conditions = []metav1.Condition{{Type: "Accepted", Status: metav1.ConditionTrue}}
	for _, test := range []struct {
		name  string
		facts gatewayFacts
		want  []string
	}{
		{"well", gatewayFacts{bundle: "v1.6.3", classes: []*gatewayv1.GatewayClass{{}, accepted}}, []string{"ok v1.6.3", "ok GatewayClass cilium is accepted by io.cilium/gateway-controller"}},
		{"missing", gatewayFacts{missing: []string{"GRPCRoute", "ReferenceGrant"}}, []string{"fail the API server does not serve GRPCRoute, ReferenceGrant"}},
		{"no class, no release", gatewayFacts{classes: []*gatewayv1.GatewayClass{{}}}, []string{
			"ok its release is not known: CRD gateways.gateway.networking.k8s.io has no annotation gateway.networking.k8s.io/bundle-version",
			"warn no GatewayClass is accepted: no Gateway serves",
		}},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, test.want, judgeGatewayAPI(test.facts)) })
	}
}

func TestDapr(t *testing.T) {
	part := func(name, version string, available int32) *appsv1.Deployment {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "dapr-system", Name: name}}
		if version != "" {
			d.Labels = map[string]string{labelVersion: version}
		}
		d.Status.AvailableReplicas = available
		return d
	}
	running := []*appsv1.Deployment{part("dapr-sentry", "1.18.2", 1), part("dapr-operator", "1.18.9", 1)}
	both := []string{"ok dapr-sentry 1.18.2 is available", "ok dapr-operator 1.18.9 is available"}
	for _, test := range []struct {
		name  string
		facts daprFacts
		want  []string
	}{
		{"not installed", daprFacts{missing: []string{"Configuration"}}, []string{"fail the API server does not serve Configuration"}},
		{"no control plane", daprFacts{anchors: new("")}, []string{
			"fail Deployment dapr-system/dapr-sentry is not found", "fail Deployment dapr-system/dapr-operator is not found",
			"fail ConfigMap dapr-system/dapr-trust-bundle holds no certificate in key ca.crt",
		}},
		{"not available, another version", daprFacts{deployments: []*appsv1.Deployment{part("dapr-sentry", "1.18.2", 0), part("dapr-operator", "1.16.1", 1)}, anchors: new(caUntil(t, now().AddDate(0, 0, 400)))}, []string{
			"fail Deployment dapr-system/dapr-sentry has no available pod", "warn dapr-operator is 1.16.1, and companions are made for Dapr 1.18.2",
			"ok Dapr's root certificate is valid until 2027-07-06",
		}},
		{"versions not told", daprFacts{deployments: []*appsv1.Deployment{part("dapr-sentry", "", 1), part("dapr-operator", "", 1)}, anchors: new(caUntil(t, now().AddDate(0, 0, 400)))}, []string{
			"ok dapr-sentry is available", "ok dapr-operator is available", "ok Dapr's root certificate is valid until 2027-07-06",
		}},
		{"no trust bundle", daprFacts{deployments: running}, append(both, "fail ConfigMap dapr-system/dapr-trust-bundle is not found: companions are held [DPR404]")},
		{"expires", daprFacts{deployments: running, anchors: new(caUntil(t, now().AddDate(0, 0, 3)))}, append(both, "warn Dapr's root certificate expires on 2026-06-04")},
		{"expired", daprFacts{deployments: running, anchors: new(caUntil(t, now()))}, append(both, "fail Dapr's root certificate has expired on 2026-06-01")},
		{"one of two expired", daprFacts{deployments: running, anchors: new(caUntil(t, now()) + caUntil(t, now().AddDate(1, 0, 0)))}, append(both, "ok Dapr's root certificate is valid until 2027-06-01")},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, test.want, judgeDapr(test.facts, mesh.DefaultConfig(), now())) })
	}
}

func TestCertManager(t *testing.T) {
	certificate := func(ready, until string) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{
			"notAfter": until, "conditions": []any{map[string]any{"type": "Ready", "status": ready}},
		}}}
	}
	const name = "daprise-system/daprise-webhook-serving"
	for _, test := range []struct {
		name  string
		facts certFacts
		want  string
	}{
		{"not used", certFacts{}, "skip not used: daprise signs its certificate itself"},
		{"not installed", certFacts{used: name, missing: []string{"Certificate"}}, "fail the webhook configurations want the CA of Certificate " + name + ", and the API server does not serve that kind"},
		{"no Certificate", certFacts{used: name}, "fail Certificate " + name + " does not exist"},
		{"not ready", certFacts{used: name, certificate: certificate("False", "")}, "fail Certificate " + name + " is not ready"},
		{"well", certFacts{used: name, certificate: certificate("True", "2026-07-01T00:00:00Z")}, "ok Certificate " + name + " is ready and valid until 2026-07-01"},
		{"expired", certFacts{used: name, certificate: certificate("True", "2026-05-01T00:00:00Z")}, "fail Certificate " + name + " has expired on 2026-05-01"},
		{"no time", certFacts{used: name, certificate: certificate("True", "")}, "ok Certificate " + name + " is ready"},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, []string{test.want}, judgeCertManager(test.facts, now())) })
	}
}

func TestInstalled(t *testing.T) {
	deployment := func(want *int32, have int32) *appsv1.Deployment {
		d := &appsv1.Deployment{}
		d.Spec.Replicas, d.Status.AvailableReplicas = want, have
		return d
	}
	for _, test := range []struct {
		name  string
		facts serverFacts
		want  []string
	}{
		{"not at all", serverFacts{}, []string{"skip not installed"}},
		{"hooks alone", serverFacts{hooked: true}, []string{"fail Deployment daprise-system/daprise-webhook does not exist, but its hooks do: what they guard cannot be written"}},
		{"well", serverFacts{hooked: true, deployment: deployment(new(int32(2)), 2)}, []string{"ok 2 of 2 pods are available"}},
		{"one is missing", serverFacts{hooked: true, deployment: deployment(new(int32(2)), 1)}, []string{"warn 1 of 2 pods are available"}},
		{"none", serverFacts{hooked: true, deployment: deployment(nil, 0)}, []string{"fail 0 of 1 pods are available: routes and annotated objects cannot be written"}},
		{"a faulty config file", serverFacts{hooked: true, deployment: deployment(nil, 1), config: errors.New("defaults.coverage: x")}, []string{"fail defaults.coverage: x", "ok 1 of 1 pods are available"}},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, test.want, judgeInstalled(test.facts)) })
	}
}

func TestConfigurations(t *testing.T) {
	config := mesh.DefaultConfig()
	whole := func() hookFacts {
		mutating, validating := hooks.Configurations(hooks.Options{ExemptNamespaces: config.ExemptNamespaces})
		return hookFacts{
			stored: []configuration{mutatingOf(mutating), validatingOf(validating)},
			guards: map[string]bool{hooks.GuardName: true, hooks.AccessName: true, hooks.PowersName: true, hooks.PowersOverImagesName: true},
		}
	}
	for _, test := range []struct {
		name  string
		tweak func(*hookFacts)
		want  []string
	}{
		{"well", func(*hookFacts) {}, []string{"ok both webhook configurations and 4 policies are those of this version"}},
		{"not installed", func(f *hookFacts) { f.stored = nil }, []string{"skip daprise is not installed"}},
		{"one missing", func(f *hookFacts) { f.stored = f.stored[:1] }, []string{"fail ValidatingWebhookConfiguration daprise-webhook does not exist"}},
		{"a hook missing", func(f *hookFacts) { f.stored[0].hooks = f.stored[0].hooks[1:] }, []string{"fail MutatingWebhookConfiguration daprise-webhook has no hook enrolment.mutate.daprise.dev"}},
		{"open", func(f *hookFacts) { f.stored[1].hooks[1].failure = admissionregistrationv1.Ignore }, []string{"fail hook routes.validate.daprise.dev has failurePolicy Ignore instead of Fail"}},
		{"other rules", func(f *hookFacts) { f.stored[1].hooks[2].rules = nil }, []string{"warn hook policies.validate.daprise.dev has other rules than in this version"}},
		{"no guard", func(f *hookFacts) { f.guards[hooks.GuardName] = false }, []string{"fail ValidatingAdmissionPolicy daprise-companion-label or its binding does not exist"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := whole()
			test.tweak(&f)
			compare(t, test.want, judgeConfigurations(f, config))
		})
	}
}

func TestCertificate(t *testing.T) {
	with := func(bundles ...string) []configuration {
		var c configuration
		for _, b := range bundles {
			c.hooks = append(c.hooks, hook{name: "a.daprise.dev", caBundle: []byte(b)})
		}
		return []configuration{c}
	}
	for _, test := range []struct {
		name   string
		stored []configuration
		want   string
	}{
		{"not installed", nil, "skip daprise is not installed"},
		{"no bundle", with(caUntil(t, now().AddDate(1, 0, 0)), ""), "fail hook a.daprise.dev has no caBundle: the API server cannot call it"},
		{"well, an old one beside", with(caUntil(t, now()) + caUntil(t, now().AddDate(1, 0, 0))), "ok the CA in the caBundle is valid until 2027-06-01"},
		{"soon", with(caUntil(t, now().AddDate(0, 0, 29))), "warn the CA in the caBundle expires on 2026-06-30"},
		{"expired", with(caUntil(t, now().Add(-time.Hour))), "fail the CA in the caBundle has expired on 2026-05-31"},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, []string{test.want}, judgeCertificate(test.stored, now())) })
	}
}

func TestProof(t *testing.T) {
	p := proofs("default")[0]
	services := schema.GroupResource{Resource: "services"}
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"admitted", nil, "fail enrolment: what has to be refused is admitted"},
		{"refused", apierrors.NewForbidden(services, hooks.ProofName, errors.New(`admission webhook "enrolment.validate.daprise.dev" denied the request: ExternalName. [DPR308]`)), "ok enrolment: what has to be refused is refused"},
		{"refused for another reason", apierrors.NewForbidden(services, hooks.ProofName, errors.New(`admission webhook "enrolment.validate.daprise.dev" denied the request: x. [DPR301]`)), `warn enrolment: nothing is proved, it is refused by others: services "daprise-proof" is forbidden: admission webhook "enrolment.validate.daprise.dev" denied the request: x. [DPR301]`},
		{"refused by others", apierrors.NewForbidden(services, hooks.ProofName, errors.New("not yours")), `warn enrolment: nothing is proved, it is refused by others: services "daprise-proof" is forbidden: not yours`},
		{"down", apierrors.NewInternalError(errors.New("failed calling webhook")), "fail enrolment: daprise does not answer, and what it would judge cannot be written: Internal error occurred: failed calling webhook"},
		{"no answer", errors.New("connection refused"), "unread enrolment: connection refused"},
		{"no such kind", apierrors.NewNotFound(services, ""), "skip enrolment: the API server does not serve the kind"},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, []string{test.want}, []Line{judgeProof(p, test.err)}) })
	}
}

func TestLeftovers(t *testing.T) {
	for _, test := range []struct {
		name  string
		facts leftFacts
		want  []string
	}{
		{"nothing", leftFacts{}, []string{"ok nothing is left of the chart"}},
		{"all", leftFacts{roles: []string{"clusterrole/a-dapr-shared-secret-reader"}, workloads: []string{"DaemonSet shop/a-dapr-shared"}, keys: []string{"shop/a-shared-cm"}}, []string{
			"fail ConfigMap shop/a-shared-cm holds a private key of Dapr's CA: whoever reads it can be any app",
			"warn DaemonSet shop/a-dapr-shared is an instance of the dapr-shared chart",
			"warn ClusterRoles of the dapr-shared chart let its instances read every Secret: clusterrole/a-dapr-shared-secret-reader",
		}},
	} {
		t.Run(test.name, func(t *testing.T) { compare(t, test.want, judgeLeftovers(test.facts)) })
	}
	for name, want := range map[string]bool{
		"whoami-dapr-shared-secret-reader": true, "dapr-shared-configmap-creator": true, "dapr-shared-eu-secret-reader": true,
		"daprise-webhook": false, "dapr-operator-admin": false, "secret-reader": false,
	} {
		if got := chartRole().MatchString(name); got != want {
			t.Errorf("%s is of the chart: %v", name, got)
		}
	}
	for _, test := range []struct {
		data map[string]string
		want bool
	}{
		{map[string]string{"dapr-cert-key": "-----BEGIN EC PRIVATE KEY-----"}, true},
		{map[string]string{"issuer.key": "-----BEGIN PRIVATE KEY-----"}, true},
		{map[string]string{"dapr-cert-key": "", "dapr-trust-anchors": "-----BEGIN CERTIFICATE-----"}, false},
		{nil, false},
	} {
		if got := holdsKey(&corev1.ConfigMap{Data: test.data}); got != test.want {
			t.Errorf("%v holds a key: %v", test.data, got)
		}
	}
}

func TestWorst(t *testing.T) {
	for _, test := range []struct {
		states []State
		want   State
	}{
		{nil, OK}, {[]State{OK, Skip}, OK}, {[]State{OK, Warn, Skip}, Warn}, {[]State{Fail, Warn}, Fail}, {[]State{Fail, Unread, OK}, Unread},
	} {
		var lines []Line
		for _, s := range test.states {
			lines = append(lines, Line{State: s})
		}
		if got := Worst(lines); got != test.want {
			t.Errorf("the worst of %v is %s, want %s", test.states, got, test.want)
		}
	}
}
