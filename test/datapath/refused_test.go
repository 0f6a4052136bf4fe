// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
)

const (
	noOneApp = `, which belongs to a companion, and it does not name one app in Dapr's form ` +
		`(/v1.0/invoke/<app-id>.<namespace>/method, or the header dapr-app-id). ` + nameTheApp
	nameTheApp = `Name the app's own Service in backendRefs: the way through its companion is written for you. [DPR208]`
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
			want: `ValidatingAdmissionPolicy 'daprise-companion-label' with binding 'daprise-companion-label' denied request: the label daprise.dev/companion ` +
				`marks the companions of daprise, and network policies let them in by it: daprise-test-admin may neither set it nor change what carries it. ` +
				`Remove the label; to get a companion, annotate the Service with daprise.dev/enabled=true`,
		},
		{
			name: "a route aimed at a companion's Service",
			manifest: `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: aim, namespace: default}, spec: {
parentRefs: [{name: default-gateway}], rules: [{backendRefs: [{name: ingress-dapr, port: 3500}]}]}}`,
			want: `HTTPRoute default/aim refused: spec.rules[0].backendRefs[0]: the rule names Service default/ingress-dapr` + noOneApp,
		},
		{
			name: "a tenant's route aimed at a companion's Service",
			manifest: `{apiVersion: v1, kind: Namespace, metadata: {name: tenant}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: aim, namespace: tenant}, spec: {
parentRefs: [{name: default-gateway, namespace: default}], rules: [{backendRefs: [{name: whoami-dapr-api, namespace: default, port: 3500}]}]}}`,
			want: `HTTPRoute tenant/aim refused: spec.rules[0].backendRefs[0]: the rule names Service default/whoami-dapr-api, which belongs to a companion, ` +
				`and only the companions of Gateways take requests from routes. ` + nameTheApp,
		},
		{
			name: "the same with a ReferenceGrant",
			manifest: `{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {name: aim, namespace: default}, spec: {
from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: tenant}], to: [{group: "", kind: Service}]}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: aim, namespace: tenant}, spec: {
parentRefs: [{name: default-gateway, namespace: default}], rules: [{backendRefs: [{name: ingress-dapr, namespace: default, port: 3500}]}]}}`,
			want: `HTTPRoute tenant/aim refused: spec.rules[0].backendRefs[0]: the rule names Service default/ingress-dapr` + noOneApp,
		},
		{
			name: "an enrolled Service turned into an ExternalName",
			manifest: `{apiVersion: v1, kind: Service, metadata: {name: whoami, namespace: default, annotations: {daprise.dev/enabled: "true"}},
spec: {type: ExternalName, externalName: elsewhere.example.com}}`,
			want: `Service default/whoami refused: spec.type: ExternalName would lead the companion to "elsewhere.example.com", which nothing in the cluster checks. ` +
				`Enrol a Service with a selector and a TCP port, or remove daprise.dev/enabled. [DPR308]`,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			// An admission that finds no time is tried again: only a refusal counts.
			eventually(ctx, t, "refused", func(ctx context.Context) error {
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

// While no replica of daprise runs, what would lead around the companions is
// refused all the same: the hooks on routes and enrolled objects fail closed, and
// the guarded label is kept by the API server itself.
func refusedWithoutDaprise(ctx context.Context, t *testing.T) {
	t.Helper()
	for want, manifest := range map[string]string{
		"ValidatingAdmissionPolicy 'daprise-companion-label' with binding 'daprise-companion-label' denied request": `{apiVersion: v1, kind: Pod, metadata: {name: impostor, namespace: default, labels: {daprise.dev/companion: ingress}},
spec: {containers: [{name: c, image: "daprise/echo:test"}]}}`,
		`failed calling webhook "routes.mutate.daprise.dev"`: `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: aim, namespace: default}, spec: {
parentRefs: [{name: default-gateway}], rules: [{backendRefs: [{name: ingress-dapr, port: 3500}]}]}}`,
		`failed calling webhook "enrolment.mutate.daprise.dev"`: `{apiVersion: v1, kind: Service, metadata: {name: whoami, namespace: default, annotations: {daprise.dev/enabled: "true"}},
spec: {type: ExternalName, externalName: elsewhere.example.com}}`,
	} {
		out, err := shared.KubectlIn(ctx, []byte(manifest), "apply", "--server-side", "--force-conflicts", "-f", "-")
		if err == nil || !strings.Contains(out.Stderr, want) {
			t.Errorf("want a refusal by %s, got %v: %s%s", want, err, out.Stdout, out.Stderr)
		}
	}
}

const (
	tenantHost = "tenant.example.com"
	aimed      = `{apiVersion: v1, kind: Namespace, metadata: {name: tenant}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: aim, namespace: tenant}, spec: {hostnames: [tenant.example.com],
parentRefs: [{name: default-gateway, namespace: default}], rules: [{backendRefs: [{name: ingress-dapr, namespace: default, port: 3500}]}]}}`
)

// Where daprise is gone, and its hooks with it, a tenant's route may name a
// companion's Service; without a ReferenceGrant the gateway does not follow it.
func hasNoEffect(ctx context.Context, t *testing.T) {
	t.Helper()
	if err := applied(ctx, []byte(aimed)); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the gateway refuses the reference", func(ctx context.Context) error {
		var route gatewayv1.HTTPRoute
		if err := shared.Client.Get(ctx, client.ObjectKey{Namespace: "tenant", Name: "aim"}, &route); err != nil {
			return err
		}
		for _, parent := range route.Status.Parents {
			for _, c := range parent.Conditions {
				if c.Type == string(gatewayv1.RouteConditionResolvedRefs) && c.Reason == string(gatewayv1.RouteReasonRefNotPermitted) {
					return nil
				}
			}
		}
		return fmt.Errorf("status %v", route.Status.Parents)
	})
	// The example's route takes what no other does: then the app sees all of the path.
	const path = "/v1.0/invoke/whoami.default/method/x"
	got, err := ask(ctx, request{host: tenantHost, path: path})
	if err != nil || got.app != "" && got.received != "GET "+path+" HTTP/1.1" {
		t.Errorf("the route has an effect: %s (%v)", got, err)
	}
	kubectl(ctx, t, "-n", "tenant", "delete", "httproute", "aim")
}
