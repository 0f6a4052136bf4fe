// SPDX-License-Identifier: Apache-2.0

package injector

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

// difference between Dapr's sidecar and a companion; empty for absent.
type difference struct{ Path, Dapr, Ours, Why string }

// always differ, whatever is annotated.
func always() []difference {
	const (
		shared     = "a companion serves from another pod than its app's"
		restricted = "Pod Security restricted asks for it; Dapr's chart leaves it out by default"
		template   = "every companion has a Configuration"
		explicit   = "daprd's own default, written out"
	)
	return []difference{
		{"args --dapr-listen-addresses", "[::1],127.0.0.1", "0.0.0.0", shared},
		{"args --config", "", "whoami-dapr", template},
		{"args --disable-builtin-k8s-secret-store", "", "true", "a companion has no token for the Kubernetes API"},
		{"args --log-as-json", "", "true", "logs of the platform are read by programs"},
		{"args --dapr-graceful-shutdown-seconds", "-1", "20", "requests in flight get longer than Dapr's 5 s; the grace period fits"},
		{"args --max-body-size", "", "4Mi", explicit},
		{"env DAPR_HOST_IP", "", "status.podIP", "Dapr's chart has a switch for it (enableK8sDownwardAPIs)"},
		{"lifecycle.preStop.sleep.seconds", "", "55", "callers must learn that a pod leaves before it does: from EndpointSlices, the DNS and their own caches"},
		{"livenessProbe.initialDelaySeconds", "180", "10", "a companion waits for no app"},
		{"readinessProbe.httpGet.path", "/v1.0/healthz", "/v1.0/healthz/outbound", "the other stays 500 until the app listens"},
		{"readinessProbe.timeoutSeconds", "1", "3", "many companions share a node without one app's deadline"},
		{"readinessProbe.periodSeconds", "1", "5", "as above"},
		{"readinessProbe.failureThreshold", "5", "3", "as above"},
		{"securityContext.runAsUser", "", "65532", restricted},
		{"securityContext.runAsGroup", "", "65532", restricted},
		{"securityContext.capabilities.drop[0]", "", "ALL", restricted},
		{"securityContext.seccompProfile.type", "", "RuntimeDefault", restricted},
	}
}

type comparison struct {
	name        string
	annotations map[string]string
	companion   func(annotations map[string]string) mapper
	// but are differences that come on top of always or replace one of the same path; without Dapr and Ours, there is none.
	but []difference
}

type mapper func(t *testing.T) map[string]string

func asApp(tweak func(*mesh.App)) func(map[string]string) mapper {
	return func(annotations map[string]string) mapper {
		return func(t *testing.T) map[string]string {
			app := whoami(annotations)
			tweak(&app)
			return flat(t, podSpec(t, companion.App(app, input())))
		}
	}
}

func asIngress(annotations map[string]string) mapper {
	return func(t *testing.T) map[string]string {
		gateway := ingress()
		gateway.Dapr = annotations
		return flat(t, podSpec(t, companion.Ingress(gateway, input())))
	}
}

func basic(more map[string]string) map[string]string {
	annotations := map[string]string{"dapr.io/app-id": "whoami", "dapr.io/app-port": "80", "dapr.io/app-protocol": "http"}
	maps.Copy(annotations, more)
	return annotations
}

// channel is the one difference that makes a companion of a sidecar.
func channel() difference {
	return difference{"args --app-channel-address", "", "whoami.default.svc.cluster.local", "the app is elsewhere: at its Service"}
}

func appBuffer() difference {
	return difference{"args --read-buffer-size", "", "4Ki", "daprd's own default, written out"}
}

func comparisons() []comparison {
	return []comparison{
		{name: "an app", annotations: basic(nil), companion: asApp(func(*mesh.App) {}), but: []difference{channel(), appBuffer()}},
		{
			name:        "an app on Dapr's own port",
			annotations: basic(map[string]string{"dapr.io/app-port": "3500", "dapr.io/app-protocol": "grpcs"}),
			companion:   asApp(func(a *mesh.App) { a.Port, a.Protocol = 3500, "grpcs" }),
			but: []difference{
				channel(), appBuffer(),
				{"args --dapr-http-port", "3500", "3510", "daprd does not start with its app's number, even of another host's port"},
				{"port dapr-http", "3500", "3510", "as above"},
			},
		},
		{
			name: "an app without Dapr's API", annotations: basic(nil),
			companion: asApp(func(a *mesh.App) { a.DaprAPI = false }),
			but: []difference{
				channel(), appBuffer(),
				{"args --dapr-listen-addresses", "[::1],127.0.0.1", "127.0.0.1", "nobody is to use it"},
			},
		},
		{name: "every mapped key", annotations: basic(mappedKeys()), companion: asApp(func(*mesh.App) {}), but: withKeys()},
		{
			name: "a Gateway", annotations: map[string]string{"dapr.io/app-id": "ingress"}, companion: asIngress,
			but: []difference{
				{"args --config", "", "ingress-dapr", "every companion has a Configuration"},
				{"lifecycle.preStop.sleep.seconds", "", "5", "gateways learn from EndpointSlices that a pod leaves"},
				{"args --app-protocol", "http", "", "there is no app"},
				{"args --placement-host-address", "dapr-placement-server.dapr-system.svc.cluster.local:50005", "", "no actors without an app"},
				{"args --scheduler-host-address", "dapr-scheduler-server-a.dapr-system.svc.cluster.local:443", "", "no jobs without an app"},
				{"args --read-buffer-size", "", "32Ki", "Dapr's 4Ki answers 431 to ordinary cookies"},
			},
		},
	}
}

// mappedKeys has a value of each key that companions map but those whose only value is what they are anyway.
func mappedKeys() map[string]string {
	return map[string]string{
		"dapr.io/config":                                  "tracing",
		"dapr.io/log-level":                               "debug",
		"dapr.io/log-as-json":                             "true",
		"dapr.io/enable-api-logging":                      "true",
		"dapr.io/enable-metrics":                          "true",
		"dapr.io/graceful-shutdown-seconds":               "40",
		"dapr.io/block-shutdown-duration":                 "1m0s",
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
		"dapr.io/sentry-request-jwt-audiences":            "https://vault.example.com,sts.example.com",
		"dapr.io/disable-init-endpoints":                  "config,subscribe",
		"dapr.io/disable-builtin-k8s-secret-store":        "true",
		"dapr.io/sidecar-image":                           "example.com/daprd:patched",
		"dapr.io/env":                                     "HTTPS_PROXY=http://proxy:3128,with a comma",
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

// withKeys: a key that is set decides on both sides, so most of what always differs is alike.
func withKeys() []difference {
	but := []difference{
		channel(),
		{"args --dapr-http-max-request-size", "8", "", "the newer flag beats it in daprd, where both are given"},
		{"args --dapr-http-read-buffer-size", "8", "", "the newer flag beats it in daprd, where both are given"},
	}
	for _, alike := range []string{
		"args --config", "args --disable-builtin-k8s-secret-store", "args --log-as-json", "args --dapr-graceful-shutdown-seconds",
		"args --max-body-size", "livenessProbe.initialDelaySeconds", "readinessProbe.timeoutSeconds", "readinessProbe.periodSeconds",
		"readinessProbe.failureThreshold", "securityContext.seccompProfile.type",
	} {
		but = append(but, difference{Path: alike})
	}
	return but
}

func TestEveryDifferenceFromASidecarIsAccountedFor(t *testing.T) {
	for _, c := range comparisons() {
		t.Run(c.name, func(t *testing.T) {
			dapr, ours := flat(t, injected(t, c.annotations)), c.companion(c.annotations)(t)
			if diff := cmp.Diff(expected(c.but), found(dapr, ours)); diff != "" {
				t.Errorf("differences (-accounted for +found):\n%s", diff)
			}
		})
	}
}

func expected(but []difference) map[string]difference {
	want := map[string]difference{}
	for _, d := range append(always(), but...) {
		want[d.Path] = difference{Path: d.Path, Dapr: d.Dapr, Ours: d.Ours}
		if d.Dapr == "" && d.Ours == "" {
			delete(want, d.Path)
		}
	}
	return want
}

func found(dapr, ours map[string]string) map[string]difference {
	got := map[string]difference{}
	for _, path := range slices.Concat(slices.Collect(maps.Keys(dapr)), slices.Collect(maps.Keys(ours))) {
		if dapr[path] != ours[path] {
			got[path] = difference{Path: path, Dapr: dapr[path], Ours: ours[path]}
		}
	}
	return got
}

// TestEveryMappedKeyIsCompared: a key added to the table has to be added here.
func TestEveryMappedKeyIsCompared(t *testing.T) {
	compared := mappedKeys()
	for _, key := range companion.Keys() {
		if _, set := compared[key.Name]; set != (key.Use == companion.Mapped) {
			t.Errorf("%s is %s, compared: %v", key.Name, key.Use, set)
		}
	}
}
