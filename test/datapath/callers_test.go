// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// opened lets two companions call an app that has not named them as callers.
const opened = `{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: opened, namespace: default}, spec: {
endpointSelector: {matchLabels: {dapr.io/app-id: private}}, ingress: [{
fromEndpoints: [{matchLabels: {dapr.io/app-id: echo}}, {matchLabels: {dapr.io/app-id: ingress}}],
toPorts: [{ports: [{port: "50002", protocol: TCP}]}]}]}}`

// An app is closed twice to an app ID that is not among its callers: by policy,
// which is also kept closed; and where policy is open, by Dapr's access control,
// which goes by the caller's certificate.
func TestCallersAreCheckedTwice(t *testing.T) {
	w := theWorld(t)
	attacked(t)
	ctx, cancel := context.WithTimeout(t.Context(), changeLimit)
	defer cancel()
	if err := w.Policies.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	to := net.JoinHostPort(oneReady(ctx, t, "private").Status.PodIP, "50002")
	for _, who := range []string{"echo", "ingress"} {
		if err := connects(ctx, oneReady(ctx, t, who), to); err == nil {
			t.Errorf("policy is closed, and yet the companion of %s reaches the app's", who)
		}
	}
	out, err := w.KubectlIn(ctx, []byte(opened), "apply", "-f", "-")
	if err == nil {
		t.Fatalf("admitted: %s", out.Stdout)
	}
	const want = `CiliumNetworkPolicy default/opened refused: with it companion "private" (default) is open on 50002/TCP: pod default/dapr.io/app-id=echo may reach it, ` +
		`since spec.ingress[0] of CiliumNetworkPolicy default/opened allows it. ` +
		`Narrow that rule, apply the policy below, which denies all others, or label the namespace daprise.dev/coverage=warn. [DPR103]`
	if !strings.Contains(out.Stderr, want) {
		t.Errorf("refused, but for something else: %s", out.Stderr)
	}

	kubectl(ctx, t, "label", "namespace", namespace, "daprise.dev/coverage=audit")
	if err := applied(ctx, []byte(opened)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		kubectl(ctx, t, "delete", "ciliumnetworkpolicy", "opened")
		kubectl(ctx, t, "label", "namespace", namespace, "daprise.dev/coverage-")
		if err := w.Policies.Sync(ctx); err != nil {
			t.Error(err)
		}
	}()
	if err := w.Policies.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	for who, call := range callsToPrivate(ctx, t) {
		got := call()
		want := "access control policy has denied access to id: spiffe://public/ns/default/" + who
		if got.status != http.StatusForbidden || !strings.Contains(got.body, want) {
			t.Errorf("policy is open, and %s gets %d, want 403 for %s: %s", who, got.status, want, got.body)
		}
	}
}

// connects says whether a Pod gets a connection to an address before it can be taken for dropped.
func connects(ctx context.Context, from *corev1.Pod, address string) error {
	ctx, cancel := context.WithTimeout(ctx, dropped)
	defer cancel()
	conn, err := shared.Kubelet.DialFrom(ctx, from, address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// callsToPrivate are calls of an app by those that are no callers of it: another
// app by its own companion, and a client by aiming the ingress companion.
func callsToPrivate(ctx context.Context, t *testing.T) map[string]func() response {
	t.Helper()
	api, err := shared.ServiceAddress(ctx, client.ObjectKey{Namespace: namespace, Name: "echo-dapr-api"})
	if err != nil {
		t.Fatal(err)
	}
	outside, err := gateway(ctx)
	if err != nil {
		t.Fatal(err)
	}
	call := func(address string, r request) func() response {
		return func() response {
			got, err := send(ctx, address, r)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
	}
	return map[string]func() response{
		"echo": call(net.JoinHostPort(api, "3500"), request{
			path: "/v1.0/invoke/private.default/method/x", from: pod(t, client.MatchingLabels{"app": "echo"}),
		}),
		"ingress": call(outside, request{path: "/x", headers: [][2]string{basic("dapr-app-id", "private.default")}}),
	}
}

func kubectl(ctx context.Context, t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	eventually(ctx, t, "kubectl "+strings.Join(args, " "), func(ctx context.Context) error {
		_, err := shared.Kubectl(ctx, args...)
		return err
	})
}
