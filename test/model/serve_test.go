// SPDX-License-Identifier: Apache-2.0

package model_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/test/model"
)

const served = `
namespaces:
- {metadata: {name: default}}
- {metadata: {name: shop, labels: {team: shop}}}
gateways:
- metadata: {namespace: default, name: g}
  spec:
    listeners:
    - {name: same, protocol: HTTP, port: 80, hostname: "*.example.com"}
    - {name: shop, protocol: HTTP, port: 80, allowedRoutes: {kinds: [{kind: HTTPRoute}], namespaces: {from: Selector, selector: {matchLabels: {team: shop}}}}}
    - {name: other, protocol: HTTP, port: 8080, allowedRoutes: {namespaces: {from: All}}}
services:
- {metadata: {namespace: default, name: app}, spec: {ports: [{name: http, port: 80}, {name: calls, port: 81, appProtocol: kubernetes.io/h2c}, {name: idle, port: 82}]}}
slices:
- metadata: {namespace: default, name: app-1, labels: {kubernetes.io/service-name: app}}
  ports: [{name: http, port: 8080}, {name: calls, port: 9090}]
  endpoints:
  - {addresses: [10.0.0.1]}
  - {addresses: [10.0.0.2], conditions: {ready: false}}
  - {addresses: [10.0.0.3], conditions: {ready: true}}
grants:
- {metadata: {namespace: default, name: shop}, spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}], to: [{group: "", kind: Service, name: app}]}}
`

func cluster(t *testing.T) model.Cluster {
	t.Helper()
	var c struct {
		Namespaces []corev1.Namespace
		Gateways   []gatewayv1.Gateway
		Services   []corev1.Service
		Slices     []discoveryv1.EndpointSlice
		Grants     []gatewayv1.ReferenceGrant
	}
	if err := yaml.Unmarshal([]byte(served), &c); err != nil {
		t.Fatal(err)
	}
	return model.Cluster{Namespaces: c.Namespaces, Gateways: c.Gateways, Services: c.Services, Slices: c.Slices, Grants: c.Grants}
}

func TestAttachment(t *testing.T) {
	gateway := model.Parent{Kind: "Gateway", Namespace: "default", Name: "g", Port: 80}
	service := model.Parent{Kind: "Service", Namespace: "default", Name: "app", Port: 80}
	for _, c := range []struct {
		name      string
		parent    model.Parent
		namespace string
		spec      string
		attached  bool
		hostnames []gatewayv1.Hostname
	}{
		{name: "own namespace", parent: gateway, spec: `{parentRefs: [{name: g}]}`, attached: true, hostnames: []gatewayv1.Hostname{"*.example.com"}},
		{name: "a hostname of the listener's", parent: gateway, spec: `{parentRefs: [{name: g}], hostnames: [a.example.com, b.example.org]}`,
			attached: true, hostnames: []gatewayv1.Hostname{"a.example.com"}},
		{name: "no hostname of the listener's", parent: gateway, spec: `{parentRefs: [{name: g}], hostnames: [b.example.org]}`},
		{name: "a namespace that is selected", parent: gateway, namespace: "shop", spec: `{parentRefs: [{name: g, namespace: default}]}`, attached: true},
		{name: "a namespace that is not", parent: gateway, namespace: "elsewhere", spec: `{parentRefs: [{name: g, namespace: default}]}`},
		{name: "another listener", parent: gateway, spec: `{parentRefs: [{name: g, sectionName: other}]}`},
		{name: "another port", parent: gateway, spec: `{parentRefs: [{name: g, port: 8080}]}`},
		{name: "the other port", parent: model.Parent{Kind: "Gateway", Namespace: "default", Name: "g", Port: 8080}, namespace: "elsewhere",
			spec: `{parentRefs: [{name: g, namespace: default}]}`, attached: true},
		{name: "another Gateway", parent: gateway, spec: `{parentRefs: [{name: h}]}`},
		{name: "a Service of that name", parent: model.Parent{Kind: "Gateway", Namespace: "default", Name: "app", Port: 80}, spec: `{parentRefs: [{group: "", kind: Service, name: app}]}`},
		{name: "a Service", parent: service, spec: `{parentRefs: [{group: "", kind: Service, name: app}], hostnames: [x.example.com]}`, attached: true},
		{name: "another port of the Service", parent: service, spec: `{parentRefs: [{group: "", kind: Service, name: app, port: 81}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			route := gatewayv1.HTTPRoute{}
			route.Namespace, route.Name = "default", "r"
			if c.namespace != "" {
				route.Namespace = c.namespace
			}
			if err := yaml.UnmarshalStrict([]byte(c.spec), &route.Spec); err != nil {
				t.Fatal(err)
			}
			world := cluster(t)
			world.HTTPRoutes = []gatewayv1.HTTPRoute{route}
			got := world.Serve(model.Cilium119, c.parent).HTTP.Routes
			if attached := len(got) == 1; attached != c.attached {
				t.Fatalf("attached: %t, want %t", attached, c.attached)
			}
			if !c.attached {
				return
			}
			if diff := cmp.Diff(c.hostnames, got[0].Spec.Hostnames); diff != "" {
				t.Errorf("hostnames (-want +got):\n%s", diff)
			}
		})
	}
}

// A listener takes no kinds but those it lists.
func TestAttachmentOfKinds(t *testing.T) {
	world := cluster(t)
	route := gatewayv1.GRPCRoute{}
	route.Namespace, route.Name = "shop", "r"
	route.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "g", Namespace: new(gatewayv1.Namespace("default"))}}
	world.GRPCRoutes = []gatewayv1.GRPCRoute{route}
	if got := world.Serve(model.Cilium119, model.Parent{Kind: "Gateway", Namespace: "default", Name: "g", Port: 80}).GRPC.Routes; len(got) > 0 {
		t.Error("a GRPCRoute is attached to listeners, one of which is for HTTPRoutes and the other for its own namespace")
	}
	if got := world.Serve(model.Cilium119, model.Parent{Kind: "Gateway", Namespace: "default", Name: "g", Port: 8080}).GRPC.Routes; len(got) != 1 {
		t.Error("a GRPCRoute is not attached to a listener for all")
	}
}

func TestBackend(t *testing.T) {
	ready := []string{"10.0.0.1:8080", "10.0.0.3:8080"}
	for _, c := range []struct {
		name     string
		delivery model.Delivery
		want     model.Backend
		status   int
	}{
		{name: "ready endpoints", delivery: model.Delivery{Kind: "HTTPRoute", From: "default", To: model.Service{Namespace: "default", Name: "app", Port: 80}}, want: model.Backend{Addresses: ready}},
		{name: "HTTP/2 by the port", delivery: model.Delivery{Kind: "HTTPRoute", From: "default", To: model.Service{Namespace: "default", Name: "app", Port: 81}},
			want: model.Backend{Addresses: []string{"10.0.0.1:9090", "10.0.0.3:9090"}, H2C: true}},
		{name: "HTTP/2 by the route", delivery: model.Delivery{Kind: "GRPCRoute", From: "default", To: model.Service{Namespace: "default", Name: "app", Port: 80}}, want: model.Backend{Addresses: ready, H2C: true}},
		{name: "nothing is ready", delivery: model.Delivery{Kind: "HTTPRoute", From: "default", To: model.Service{Namespace: "default", Name: "app", Port: 82}}, status: 503},
		{name: "no such port", delivery: model.Delivery{Kind: "HTTPRoute", From: "default", To: model.Service{Namespace: "default", Name: "app", Port: 83}}, status: 500},
		{name: "no such Service", delivery: model.Delivery{Kind: "HTTPRoute", From: "default", To: model.Service{Namespace: "default", Name: "none", Port: 80}}, status: 500},
		{name: "granted", delivery: model.Delivery{Kind: "HTTPRoute", From: "shop", To: model.Service{Namespace: "default", Name: "app", Port: 80}}, want: model.Backend{Addresses: ready}},
		{name: "not granted to the namespace", delivery: model.Delivery{Kind: "HTTPRoute", From: "elsewhere", To: model.Service{Namespace: "default", Name: "app", Port: 80}}, status: 500},
		{name: "not granted to the kind", delivery: model.Delivery{Kind: "GRPCRoute", From: "shop", To: model.Service{Namespace: "default", Name: "app", Port: 80}}, status: 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, status := model.Server{Cluster: cluster(t)}.Backend(c.delivery)
			if status != c.status {
				t.Fatalf("status %d, want %d", status, c.status)
			}
			if status == 0 {
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// A call that no GRPCRoute takes is an HTTP request like others, and a Service that no route divides serves itself.
func TestServerDelivers(t *testing.T) {
	world := cluster(t)
	route := gatewayv1.GRPCRoute{}
	route.Namespace, route.Name = "default", "calls"
	if err := yaml.UnmarshalStrict([]byte(`{parentRefs: [{name: g}], rules: [{matches: [{method: {service: a.B}}], backendRefs: [{name: app, port: 81}]}]}`), &route.Spec); err != nil {
		t.Fatal(err)
	}
	world.GRPCRoutes = []gatewayv1.GRPCRoute{route}
	call := model.Request{Method: http.MethodPost, Host: "x.example.com", Path: "/a.B/C", Header: http.Header{"Content-Type": {"application/grpc+proto"}}}
	server := world.Serve(model.Cilium119, model.Parent{Kind: "Gateway", Namespace: "default", Name: "g", Port: 80})
	if got := server.Deliver(call); got[0].Kind != "GRPCRoute" || got[0].To.Port != 81 {
		t.Errorf("a call: %+v", got)
	}
	call.Path = "/x.Y/Z"
	if got := server.Deliver(call); got[0].Status != http.StatusNotFound {
		t.Errorf("a call of something else: %+v", got)
	}
	own := model.Service{Namespace: "default", Name: "app", Port: 80}
	if got := world.Serve(model.Cilium119, model.Parent{Kind: "Service", Namespace: "default", Name: "app", Port: 80}).Deliver(get("/a/")); got[0].To != own || got[0].Request.Path != "/a/" {
		t.Errorf("a Service by itself: %+v", got)
	}
}
