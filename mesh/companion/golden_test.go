// SPDX-License-Identifier: Apache-2.0

package companion_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

type goldenCase struct {
	name    string
	objects []runtime.Object
}

func app(tweak func(*mesh.App, *companion.Input)) []runtime.Object {
	a, in := whoami(), input()
	tweak(&a, &in)
	return companion.App(a, in)
}

func gateway(tweak func(*mesh.Ingress, *companion.Input)) []runtime.Object {
	g, in := ingress(), input()
	tweak(&g, &in)
	return companion.Ingress(g, in)
}

func goldenCases() []goldenCase {
	return append(appCases(), ingressCases()...)
}

func appCases() []goldenCase {
	return []goldenCase{
		{"app", app(func(*mesh.App, *companion.Input) {})},
		{"app-daemonset", app(func(a *mesh.App, _ *companion.Input) {
			a.Strategy, a.Replicas, a.LocalRedirect = mesh.StrategyDaemonSet, 0, true
		})},
		{"app-one-replica", app(func(a *mesh.App, _ *companion.Input) { a.Replicas = 1 })},
		{"app-autoscaled", app(func(_ *mesh.App, in *companion.Input) { in.Autoscaled = true })},
		{"app-port-3500", app(func(a *mesh.App, _ *companion.Input) { a.Port, a.LocalRedirect = 3500, true })},
		{"app-port-50001", app(func(a *mesh.App, _ *companion.Input) { a.Port, a.Protocol = 50001, "grpc" })},
		{"app-long-names", app(func(a *mesh.App, _ *companion.Input) {
			a.ID = "an-app-id-of-fifty-four-characters-which-is-the-longes"
			a.Namespace = "a-namespace-of-sixty-three-characters-which-is-the-longest-name"
			a.Owner.Object.Name = "a-service-of-sixty-three-characters-which-is-as-long-as-can-be0"
			a.Service = a.Owner.Object.Name
		})},
		{"app-dapr-api-off", app(func(a *mesh.App, _ *companion.Input) { a.DaprAPI, a.LocalRedirect = false, true })},
		{"app-callers", app(func(_ *mesh.App, in *companion.Input) {
			in.Callers = []mesh.AppRef{
				{Namespace: "shop", ID: "cart"}, {Namespace: "default", ID: "ingress"},
				{Namespace: "default", ID: "ingress"}, {Namespace: "default", ID: "cart"},
			}
			in.TrustDomains = map[mesh.AppRef]string{{Namespace: "shop", ID: "cart"}: "shop.example.com"}
		})},
		{"app-no-callers", app(func(_ *mesh.App, in *companion.Input) { in.Callers = nil })},
		{"app-own-configuration", app(func(a *mesh.App, in *companion.Input) {
			a.Dapr = map[string]string{"dapr.io/config": "tracing"}
			in.UserConfiguration = `{"tracing":{"samplingRate":"1"}}`
		})},
		{"app-keys", app(func(a *mesh.App, _ *companion.Input) { a.Dapr = everyMappedKey() })},
		{"app-encryption-cilium", app(func(_ *mesh.App, in *companion.Input) { in.Config.Dapr.Encryption = mesh.EncryptionCilium })},
		{"app-placement", app(func(_ *mesh.App, in *companion.Input) {
			in.Config.Cluster.Domain = "corp.internal"
			in.Config.Dapr.ControlPlaneNamespace, in.Config.Dapr.TrustDomain = "dapr", "td.example.com"
			in.Config.Companion.NodeSelector = map[string]string{"pool": "system"}
			in.Config.Companion.Tolerations = []corev1.Toleration{{Key: "dedicated", Operator: corev1.TolerationOpExists}}
			in.Config.Companion.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
				PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
					Weight: 1,
					Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
						{Key: "pool", Operator: corev1.NodeSelectorOpExists},
					}},
				}},
			}}
			in.Config.Companion.PriorityClassName = "mesh"
			in.Config.Companion.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry"}}
		})},
	}
}

func ingressCases() []goldenCase {
	return []goldenCase{
		{"ingress", gateway(func(*mesh.Ingress, *companion.Input) {})},
		{"ingress-grpc", gateway(func(g *mesh.Ingress, _ *companion.Input) { g.GRPC, g.LocalRedirect = true, true })},
		{"ingress-splits", gateway(func(g *mesh.Ingress, _ *companion.Input) {
			g.Splits = []mesh.AppRef{{Namespace: "default", ID: "whoami"}, {Namespace: "shop", ID: "cart"}}
		})},
		{"ingress-deployment", gateway(func(g *mesh.Ingress, _ *companion.Input) {
			g.Strategy, g.Replicas, g.LocalRedirect = mesh.StrategyDeployment, 3, true
		})},
		{"ingress-keys", gateway(func(g *mesh.Ingress, _ *companion.Input) { g.Dapr = everyMappedKey() })},
	}
}

// everyMappedKey has a value other than the default for each mapped key but dapr.io/config.
func everyMappedKey() map[string]string {
	return map[string]string{
		"dapr.io/log-level":                               "debug",
		"dapr.io/log-as-json":                             "false",
		"dapr.io/enable-api-logging":                      "true",
		"dapr.io/enable-metrics":                          "false",
		"dapr.io/graceful-shutdown-seconds":               "40",
		"dapr.io/block-shutdown-duration":                 "1m0.2s",
		"dapr.io/max-body-size":                           "16Mi",
		"dapr.io/read-buffer-size":                        "64Ki",
		"dapr.io/http-max-request-size":                   "8",
		"dapr.io/http-read-buffer-size":                   "8",
		"dapr.io/app-max-concurrency":                     "10",
		"dapr.io/enable-app-health-check":                 "true",
		"dapr.io/app-health-check-path":                   "/ready",
		"dapr.io/app-health-probe-interval":               "7",
		"dapr.io/app-health-probe-timeout":                "700",
		"dapr.io/app-health-threshold":                    "4",
		"dapr.io/actors-disseminate-timeout":              "30s",
		"dapr.io/sentry-request-jwt-audiences":            "https://vault.example.com, sts.example.com",
		"dapr.io/disable-init-endpoints":                  "config, subscribe",
		"dapr.io/disable-builtin-k8s-secret-store":        "true",
		"dapr.io/sidecar-image":                           "example.com/daprd:patched",
		"dapr.io/env":                                     "OTEL_RESOURCE_ATTRIBUTES=team=shop,stage, HTTPS_PROXY=http://proxy:3128",
		"dapr.io/sidecar-cpu-request":                     "250m",
		"dapr.io/sidecar-cpu-limit":                       "2",
		"dapr.io/sidecar-memory-request":                  "1Gi",
		"dapr.io/sidecar-memory-limit":                    "2Gi",
		"dapr.io/sidecar-seccomp-profile-type":            "RuntimeDefault",
		"dapr.io/sidecar-liveness-probe-delay-seconds":    "21",
		"dapr.io/sidecar-liveness-probe-timeout-seconds":  "22",
		"dapr.io/sidecar-liveness-probe-period-seconds":   "23",
		"dapr.io/sidecar-liveness-probe-threshold":        "24",
		"dapr.io/sidecar-readiness-probe-delay-seconds":   "31",
		"dapr.io/sidecar-readiness-probe-timeout-seconds": "32",
		"dapr.io/sidecar-readiness-probe-period-seconds":  "33",
		"dapr.io/sidecar-readiness-probe-threshold":       "34",
	}
}

func TestGolden(t *testing.T) {
	cases := goldenCases()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			compareGolden(t, filepath.Join("testdata", c.name+".yaml"), manifest(t, c.objects))
		})
	}
	t.Run("none is stale", func(t *testing.T) {
		files, err := filepath.Glob(filepath.Join("testdata", "*.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			name := filepath.Base(file)
			if !slices.ContainsFunc(cases, func(c goldenCase) bool { return c.name+".yaml" == name }) {
				t.Errorf("%s belongs to no case", file)
			}
		}
	})
}

func manifest(t *testing.T, objects []runtime.Object) []byte {
	t.Helper()
	var out bytes.Buffer
	for i, object := range objects {
		if i > 0 {
			out.WriteString("---\n")
		}
		content, err := companion.Content(object)
		if err != nil {
			t.Fatal(err)
		}
		data, err := yaml.Marshal(content.Object)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(data)
	}
	return out.Bytes()
}

func compareGolden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
