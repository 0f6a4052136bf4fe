// SPDX-License-Identifier: Apache-2.0

//go:build e2e && linux

package datapath

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/test/model"
)

// played is a gateway and the model of it.
type played struct {
	name string
	// gateway is the Gateway that users' routes name, ingress the app ID of its companion.
	gateway, ingress string
	// service is where it takes requests.
	service client.ObjectKey
	model   model.Implementation
}

// gateways are Traefik, and the models of what does not run here.
func gateways() []played {
	return []played{
		{"traefik", "default-gateway", "ingress", client.ObjectKey{Namespace: "gateway-system", Name: "traefik"}, model.Traefik},
		{"cilium-1.18", "model-118", "ingress-118", client.ObjectKey{Namespace: "gateway-system", Name: "model-118"}, model.Cilium118},
		{"cilium-1.20", "model-120", "ingress-120", client.ObjectKey{Namespace: "gateway-system", Name: "model-120"}, model.Cilium119},
	}
}

func (p played) address(ctx context.Context) (string, error) {
	address, err := shared.ServiceAddress(ctx, p.service)
	return net.JoinHostPort(address, "80"), err
}

// models installs the gateways that are models, and the gRPC app, once.
func models(t *testing.T) {
	t.Helper()
	echo(t)
	if err := installModels(); err != nil {
		t.Fatal(err)
	}
}

//nolint:gochecknoglobals // one set of gateways for all tests of the package
var installModels = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*enrolLimit)
	defer cancel()
	if err := appliedFile(ctx, "models.yaml"); err != nil {
		return err
	}
	for _, p := range gateways()[1:] {
		err := errors.Join(shared.WaitDeployment(ctx, p.service), shared.WaitDaemonSet(ctx, client.ObjectKey{Namespace: namespace, Name: p.ingress + "-dapr"}))
		if err != nil {
			return err
		}
	}
	if err := applied(ctx, forGateways(splitRoute+"---"+callsRoutes)); err != nil {
		return err
	}
	for _, p := range gateways() {
		if err := shared.Eventually(ctx, p.name+" serves the apps", p.settled); err != nil {
			return err
		}
	}
	return nil
})

// settled says that every replica of the apps' companions knows the gateway's companion as a caller: those that started before its first
// route refuse it, until they are rolled.
func (p played) settled(ctx context.Context) error {
	address, err := p.address(ctx)
	if err != nil {
		return err
	}
	responses, err := sendAll(ctx, address, slices.Repeat([]request{{host: splitHost, path: "/"}}, 40))
	if err != nil {
		return err
	}
	reached := map[string]bool{}
	for _, r := range responses {
		if r.status != http.StatusOK || calledBy(r) != p.ingress {
			return fmt.Errorf("%d by way of %q: %.200s", r.status, calledBy(r), r.body)
		}
		reached[said(r).Get(calleeHeader)] = true
	}
	if len(reached) != 2 {
		return fmt.Errorf("only %v", reached)
	}
	for host, want := range map[string]string{plainCallsHost: "", callsHost: p.ingress} {
		if err := callsAnswer(ctx, address, host, want); err != nil {
			return err
		}
	}
	return nil
}

// forGateways are a manifest's objects for each of the gateways, with GATEWAY and SUFFIX replaced.
func forGateways(manifest string) []byte {
	var all []string
	for _, p := range gateways() {
		all = append(all, strings.NewReplacer("GATEWAY", p.gateway, "SUFFIX", strings.ReplaceAll(p.name, ".", "")).Replace(manifest))
	}
	return []byte(strings.Join(all, "\n---\n"))
}

// routed applies a manifest for each of the gateways, and takes the routes away again after the test.
func routed(t *testing.T, manifest string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*changeLimit)
	defer cancel()
	manifests := forGateways(manifest)
	if err := applied(ctx, manifests); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), changeLimit)
		defer cancel()
		if _, err := shared.KubectlIn(ctx, manifests, "delete", "--ignore-not-found", "-f", "-"); err != nil {
			t.Error(err)
		}
	})
}

// stored is what the API server has for a gateway to read.
func stored(ctx context.Context) (model.Cluster, error) {
	var (
		namespaces corev1.NamespaceList
		services   corev1.ServiceList
		slices     discoveryv1.EndpointSliceList
		gateways   gatewayv1.GatewayList
		httpRoutes gatewayv1.HTTPRouteList
		grpcRoutes gatewayv1.GRPCRouteList
	)
	for _, list := range []client.ObjectList{&namespaces, &services, &slices, &gateways, &httpRoutes, &grpcRoutes} {
		if err := shared.Client.List(ctx, list); err != nil {
			return model.Cluster{}, fmt.Errorf("list %T: %w", list, err)
		}
	}
	return model.Cluster{
		Namespaces: namespaces.Items, Services: services.Items, Slices: slices.Items,
		Gateways: gateways.Items, HTTPRoutes: httpRoutes.Items, GRPCRoutes: grpcRoutes.Items,
	}, nil
}

// serving is the model of a gateway with the routes as stored.
func (p played) serving(ctx context.Context) (model.Server, error) {
	cluster, err := stored(ctx)
	return cluster.Serve(p.model, model.Parent{Kind: "Gateway", Namespace: namespace, Name: p.gateway, Port: 80}), err
}

// calledBy is the caller that the app was told of, by Dapr.
func calledBy(r response) string { return said(r).Get(callerHeader) }
