// SPDX-License-Identifier: Apache-2.0

package companion_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

func finding(code mesh.Code, key, message, fix string) *mesh.Finding {
	return &mesh.Finding{
		Code: code, Severity: mesh.Deny, Field: "metadata.annotations[" + key + "]", Message: message, Fix: fix, Invalid: true,
	}
}

func bad(key, message string) *mesh.Finding {
	return finding(mesh.CodeBadValue, key, message, "Correct the value or remove the annotation.")
}

func refused(key, reason string) *mesh.Finding {
	return finding(mesh.CodeDaprKeyRefused, key, "refused on an enrolled object: "+reason, "Remove the annotation.")
}

func TestCheckKey(t *testing.T) {
	tests := []struct {
		name, key, value, kind string
		want                   *mesh.Finding
	}{
		{name: "a good value", key: "dapr.io/log-level", value: "warn", kind: "Service"},
		{name: "a bad value", key: "dapr.io/log-level", value: "loud", kind: "Service",
			want: bad("dapr.io/log-level", `found "loud", allowed is "debug", "info", "warn", "error", "fatal"`)},
		{name: "a bool that Dapr would take", key: "dapr.io/log-as-json", value: "yes", kind: "Deployment",
			want: bad("dapr.io/log-as-json", `found "yes", allowed is "true", "false"`)},
		{name: "a number too large", key: "dapr.io/graceful-shutdown-seconds", value: "3601", kind: "Gateway",
			want: bad("dapr.io/graceful-shutdown-seconds", `found "3601", allowed is a number from 1 to 3600`)},
		{name: "a duration without unit", key: "dapr.io/block-shutdown-duration", value: "60", kind: "Service",
			want: bad("dapr.io/block-shutdown-duration", `found "60", allowed is a duration from 0s to 1h0m0s`)},
		{name: "a buffer that would wrap", key: "dapr.io/read-buffer-size", value: "4Mi", kind: "Gateway",
			want: bad("dapr.io/read-buffer-size", `found "4Mi", allowed is a quantity from 1Ki to 1Mi in whole bytes`)},
		{name: "half a byte", key: "dapr.io/max-body-size", value: "1500m", kind: "Service",
			want: bad("dapr.io/max-body-size", `found "1500m", allowed is a quantity from 1 to 1Gi in whole bytes`)},
		{name: "a listed image", key: "dapr.io/sidecar-image", value: "example.com/daprd:patched", kind: "Service"},
		{name: "another image", key: "dapr.io/sidecar-image", value: "evil.example.com/daprd", kind: "Service",
			want: bad("dapr.io/sidecar-image", `found "evil.example.com/daprd", allowed is an image of the list dapr.images in daprise's config file`)},
		{name: "listed variables", key: "dapr.io/env", value: "HTTPS_PROXY=http://a,b, OTEL_RESOURCE_ATTRIBUTES=team=shop", kind: "Service"},
		{name: "another variable", key: "dapr.io/env", value: "HTTPS_PROXY=x, DAPR_TRUST_ANCHORS=mine", kind: "Service",
			want: bad("dapr.io/env", `found "HTTPS_PROXY=x, DAPR_TRUST_ANCHORS=mine", allowed is "NAME=value, …" with names of the list companion.env in daprise's config file`)},
		{name: "a variable of our own, though listed", key: "dapr.io/env", value: "NAMESPACE=other", kind: "Service",
			want: bad("dapr.io/env", `found "NAMESPACE=other", allowed is "NAME=value, …" with names of the list companion.env in daprise's config file`)},
		{name: "a variable twice", key: "dapr.io/env", value: "HTTPS_PROXY=x, HTTPS_PROXY=y", kind: "Service",
			want: bad("dapr.io/env", `found "HTTPS_PROXY=x, HTTPS_PROXY=y", allowed is "NAME=value, …" with names of the list companion.env in daprise's config file`)},
		{name: "a path that is none", key: "dapr.io/app-health-check-path", value: "/a b", kind: "Service",
			want: bad("dapr.io/app-health-check-path", `found "/a b", allowed is an absolute URL path, "/healthz"`)},
		{name: "an audience with a blank", key: "dapr.io/sentry-request-jwt-audiences", value: "a, b c", kind: "Service",
			want: bad("dapr.io/sentry-request-jwt-audiences", `found "a, b c", allowed is a comma separated list of audiences`)},
		{name: "a Configuration", key: "dapr.io/config", value: "tracing", kind: "Deployment"},
		{name: "a Configuration on a Gateway", key: "dapr.io/config", value: "tracing", kind: "Gateway",
			want: refused("dapr.io/config", "a Gateway's companion has no app behind it and runs with daprise's own Configuration")},
		{name: "an app's port on a Gateway", key: "dapr.io/app-port", value: "80", kind: "Gateway",
			want: refused("dapr.io/app-port", "a Gateway's companion has no app behind it and runs with daprise's own Configuration")},
		{name: "a key of ours is judged elsewhere", key: "dapr.io/app-port", value: "no port", kind: "Service"},
		{name: "a Secret", key: "dapr.io/app-token-secret", value: "x", kind: "Service",
			want: refused("dapr.io/app-token-secret", "it names a Secret: whoever may annotate a Service must not thereby read one")},
		{name: "a sidecar", key: "dapr.io/enabled", value: "true", kind: "Deployment",
			want: refused("dapr.io/enabled", "it asks Dapr for a sidecar; daprise.dev/enabled asks for a companion")},
		{name: "an unknown key", key: "dapr.io/log-lvl", value: "info", kind: "Service",
			want: finding(mesh.CodeDaprKeyRefused, "dapr.io/log-lvl", "not a key of Dapr 1.18; the nearest is dapr.io/log-level",
				"Correct the key or remove the annotation.")},
		{name: "a long value is cut", key: "dapr.io/log-level", value: strings.Repeat("é", 1000), kind: "Service",
			want: bad("dapr.io/log-level", `found "`+strings.Repeat("é", 40)+`…", allowed is "debug", "info", "warn", "error", "fatal"`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, found := companion.CheckKey(tt.key, tt.value, tt.kind, config())
			if found != (tt.want != nil) {
				t.Fatalf("found %v: %+v", found, got)
			}
			if tt.want == nil {
				return
			}
			if diff := cmp.Diff(*tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckKeys(t *testing.T) {
	tests := []struct {
		name        string
		annotations map[string]string
		want        []mesh.Finding
	}{
		{name: "every mapped key", annotations: everyMappedKey()},
		{name: "others' annotations", annotations: map[string]string{"example.com/dapr.io": "x", "daprise.dev/enabled": "true"}},
		{
			name:        "several, in the order of their keys",
			annotations: map[string]string{"dapr.io/log-level": "loud", "dapr.io/debug-port": "1", "dapr.io/log-as-json": "true"},
			want: []mesh.Finding{
				*refused("dapr.io/debug-port", "it replaces daprd by a debugger that takes commands from the network"),
				*bad("dapr.io/log-level", `found "loud", allowed is "debug", "info", "warn", "error", "fatal"`),
			},
		},
		{
			name:        "a request over its limit",
			annotations: map[string]string{"dapr.io/sidecar-memory-request": "2Gi", "dapr.io/sidecar-memory-limit": "1Gi"},
			want:        []mesh.Finding{*bad("dapr.io/sidecar-memory-request", `found "2Gi", allowed is at most dapr.io/sidecar-memory-limit, 1Gi`)},
		},
		{
			name:        "a request as high as its limit",
			annotations: map[string]string{"dapr.io/sidecar-cpu-request": "1000m", "dapr.io/sidecar-cpu-limit": "1"},
		},
		{
			name:        "a health check longer than its interval",
			annotations: map[string]string{"dapr.io/app-health-probe-interval": "2", "dapr.io/app-health-probe-timeout": "2001"},
			want: []mesh.Finding{*bad("dapr.io/app-health-probe-timeout",
				`found "2001", allowed is at most dapr.io/app-health-probe-interval, 2000 milliseconds`)},
		},
		{
			name:        "a health check longer than the default interval",
			annotations: map[string]string{"dapr.io/app-health-probe-timeout": "5001"},
			want: []mesh.Finding{*bad("dapr.io/app-health-probe-timeout",
				`found "5001", allowed is at most dapr.io/app-health-probe-interval, 5000 milliseconds`)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, companion.CheckKeys(tt.annotations, "Service", config())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
