// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// What would lead around the companions, or make somebody else one of them, is
// refused on the way into the cluster, by daprise as it runs there.
func TestWaysAroundAreRefused(t *testing.T) {
	w := theWorld(t)
	for _, test := range []struct {
		name, manifest, want string
	}{
		{
			name: "a pod with the guarded label",
			manifest: `{apiVersion: v1, kind: Pod, metadata: {name: impostor, namespace: default, labels: {daprise.dev/companion: ingress}},
spec: {containers: [{name: c, image: "daprise/echo:test"}]}}`,
			want: "daprise-companion-label",
		},
		{
			name: "a route aimed at a companion's Service",
			manifest: `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: aim, namespace: default}, spec: {
parentRefs: [{name: default-gateway}], rules: [{backendRefs: [{name: ingress-dapr, port: 3500}]}]}}`,
			want: "DPR208",
		},
		{
			name: "a tenant's route aimed at a companion's Service",
			manifest: `{apiVersion: v1, kind: Namespace, metadata: {name: tenant}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: aim, namespace: tenant}, spec: {
parentRefs: [{name: default-gateway, namespace: default}], rules: [{backendRefs: [{name: whoami-dapr-api, namespace: default, port: 3500}]}]}}`,
			want: "DPR208",
		},
		{
			name: "an enrolled Service turned into an ExternalName",
			manifest: `{apiVersion: v1, kind: Service, metadata: {name: whoami, namespace: default, annotations: {daprise.dev/enabled: "true"}},
spec: {type: ExternalName, externalName: elsewhere.example.com}}`,
			want: "DPR308",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			// An admission that finds no time is tried again: only a refusal counts.
			eventually(ctx, t, "refused for "+test.want, func(ctx context.Context) error {
				out, err := w.KubectlIn(ctx, []byte(test.manifest), "apply", "--server-side", "--force-conflicts", "-f", "-")
				if err == nil {
					t.Fatalf("admitted: %s%s", out.Stdout, out.Stderr)
				}
				if !strings.Contains(out.Stderr, test.want) {
					return fmt.Errorf("refused, but for something else: %s", out.Stderr)
				}
				return nil
			})
		})
	}
}
