// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"net"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// dropped is how long a dial is tried that is to be dropped.
const dropped = 2 * time.Second

func pod(t *testing.T, labels client.MatchingLabels) *corev1.Pod {
	t.Helper()
	pods, err := theWorld(t).ReadyPods(t.Context(), namespace, labels)
	if err != nil || len(pods) == 0 {
		t.Fatalf("no ready pod with %v: %v", labels, err)
	}
	return &pods[0]
}

// Nobody reaches a companion but those that the covering policies name, by
// Cilium's own verdicts.
func TestNobodyElseReachesTheCompanions(t *testing.T) {
	w := theWorld(t)
	echo(t)
	if err := w.Policies.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	ingress, whoami, other := client.MatchingLabels{"daprise.dev/companion": "ingress"}, client.MatchingLabels{"daprise.dev/companion": "whoami"},
		client.MatchingLabels{"app": "echo"}
	app := client.MatchingLabels{"app": "whoami", "version": "v1"}
	for _, test := range []struct {
		name     string
		from, to client.MatchingLabels
		port     string
		reached  bool
	}{
		{name: "an app the app itself", from: other, to: app, port: "8080", reached: true}, // it has no policy: DPR110 warns
		{name: "an app the ingress companion", from: other, to: ingress, port: "3500"},
		{name: "an app the ingress companion's gRPC API", from: other, to: ingress, port: "50001"},
		{name: "an app the ingress companion's health port", from: other, to: ingress, port: "3501"},
		{name: "an app another app's companion", from: other, to: whoami, port: "50002"},
		{name: "an app another app's Dapr API", from: other, to: whoami, port: "3500"},
		{name: "an app another app's health port", from: other, to: whoami, port: "3501"},
		{name: "another companion the app's companion", from: client.MatchingLabels{"daprise.dev/companion": "echo"}, to: whoami, port: "50002"},
		{name: "the ingress companion the app's companion", from: ingress, to: whoami, port: "50002", reached: true},
		{name: "the ingress companion the app's Dapr API", from: ingress, to: whoami, port: "3500"},
		{name: "the app's companion the ingress companion", from: whoami, to: ingress, port: "50002"},
	} {
		t.Run(test.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), dropped)
			defer cancel()
			conn, err := w.Kubelet.DialFrom(ctx, pod(t, test.from), net.JoinHostPort(pod(t, test.to).Status.PodIP, test.port))
			if err == nil {
				_ = conn.Close()
			}
			if reached := err == nil; reached != test.reached {
				t.Errorf("reached: %t (%v), want %t", reached, err, test.reached)
			}
		})
	}
}

// An app that is not among an app's callers does not get through by its own
// companion, which it may use.
func TestOtherAppsAreNoCallers(t *testing.T) {
	w := theWorld(t)
	echo(t)
	api, err := w.ServiceAddress(t.Context(), client.ObjectKey{Namespace: namespace, Name: "echo-dapr-api"})
	if err != nil {
		t.Fatal(err)
	}
	from := pod(t, client.MatchingLabels{"app": "echo"})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	own, err := send(ctx, net.JoinHostPort(api, "3500"), request{path: "/v1.0/invoke/echo/method/x", from: from})
	if err != nil || own.status != 200 {
		t.Fatalf("an app cannot use its own companion: %d %s %v", own.status, own.body, err)
	}
	got, err := send(ctx, net.JoinHostPort(api, "3500"), request{path: "/v1.0/invoke/whoami.default/method/x", from: from})
	if err == nil && (got.status < 400 || read(got.status, got.body).app != "") {
		t.Errorf("the app answered: %d %s", got.status, got.body)
	}
}

// A policy that closes the way really does: what the tests of this package see
// passes under policy and not beside it.
func TestPoliciesAreInForce(t *testing.T) {
	w := theWorld(t)
	const (
		closed = `{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: quarantine, namespace: default}, spec: {
endpointSelector: {matchLabels: {dapr.io/app-id: whoami}}, ingressDeny: [{fromEntities: [all]}]}}`
	)
	ctx, cancel := context.WithTimeout(t.Context(), changeLimit)
	defer cancel()
	if err := answersThroughCompanions(ctx); err != nil {
		t.Fatal(err)
	}
	if err := applied(ctx, []byte(closed)); err != nil {
		t.Fatal(err)
	}
	if err := w.Policies.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	short, cancelShort := context.WithTimeout(ctx, 3*time.Second)
	defer cancelShort()
	if a, err := ask(short, request{path: "/"}); err == nil && a.app != "" {
		t.Errorf("the app is reached in quarantine: %s", a)
	}
	if _, err := w.Kubectl(ctx, "delete", "ciliumnetworkpolicy", "quarantine"); err != nil {
		t.Fatal(err)
	}
	eventually(ctx, t, "the way is open again", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
		defer cancel()
		return answersThroughCompanions(ctx)
	})
}
