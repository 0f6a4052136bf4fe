// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
	"github.com/daprise/daprise/mutate"
)

const (
	// appsPerNamespace is how many apps a team has.
	appsPerNamespace = 10
	// infra is the namespace of the one Gateway that all routes go through.
	infra = "grown-infra"
	// creators create apps at a time.
	creators = 16
)

// grower fills a cluster with apps as they are once daprise has enrolled them and their companions are ready, without daprise: each has
// an enrolled Service, its companion's objects with a status that says ready, two network policies, and a route through the ingress companion
// of one Gateway for all.
type grower struct {
	api     client.Client
	input   companion.Input
	ingress mesh.Ingress
}

// appName is the name of an app, its Service and its route; teamOf is its namespace.
func appName(i int) string { return fmt.Sprintf("app-%d", i) }
func teamOf(i int) string  { return fmt.Sprintf("grown-%d", i/appsPerNamespace) }

// begin makes the Gateway and its companion.
func (g *grower) begin(ctx context.Context) error {
	if err := g.api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: infra}}); err != nil {
		return err
	}
	gateway := &gatewayv1.Gateway{ObjectMeta: enrolledMeta(infra, "gateway", "ingress"), Spec: gatewayv1.GatewaySpec{
		GatewayClassName: "cilium",
		Listeners: []gatewayv1.Listener{{
			Name: "http", Port: 80, Protocol: gatewayv1.HTTPProtocolType,
			AllowedRoutes: &gatewayv1.AllowedRoutes{Namespaces: &gatewayv1.RouteNamespaces{From: new(gatewayv1.NamespacesFromAll)}},
		}},
	}}
	if err := g.api.Create(ctx, gateway); err != nil {
		return err
	}
	found := mesh.Enrol(mesh.Objects{Gateways: []*gatewayv1.Gateway{gateway}}, g.input.Config)
	if len(found.Ingresses) != 1 {
		return fmt.Errorf("the Gateway is not enrolled: %v", found.Findings)
	}
	g.ingress = found.Ingresses[0]
	if err := g.create(ctx, companion.Ingress(g.ingress, g.input)); err != nil {
		return err
	}
	g.ingress.Companion = mesh.CompanionState{Live: true, Ready: true}
	return g.policies(ctx, gatewayToIngress, infra, "ingress")
}

// grow adds the apps from one number to another.
func (g *grower) grow(ctx context.Context, from, to int) error {
	for i := from - from%appsPerNamespace; i < to; i += appsPerNamespace {
		if err := g.team(ctx, teamOf(i)); err != nil {
			return err
		}
	}
	errs := make([]error, to-from)
	slots := make(chan struct{}, creators)
	var group sync.WaitGroup
	for i := range errs {
		slots <- struct{}{}
		group.Go(func() {
			errs[i] = g.app(ctx, from+i)
			<-slots
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// team makes a namespace, and the grant for its routes.
func (g *grower) team(ctx context.Context, name string) error {
	if err := g.api.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
		return client.IgnoreAlreadyExists(err)
	}
	from := companion.RoutesFrom{Namespace: name, Kinds: []string{mesh.KindHTTPRoute}, Services: []string{mesh.CompanionName(g.ingress.ID)}}
	for _, grant := range companion.Grants(g.ingress, from) {
		if err := g.create(ctx, []runtime.Object{grant}); err != nil {
			return err
		}
	}
	return nil
}

// app makes one app.
func (g *grower) app(ctx context.Context, i int) error {
	service := &corev1.Service{ObjectMeta: enrolledMeta(teamOf(i), appName(i), appName(i)), Spec: corev1.ServiceSpec{
		ClusterIP: corev1.ClusterIPNone, Selector: map[string]string{"app": appName(i)}, Ports: []corev1.ServicePort{{Name: "http", Port: 80}},
	}}
	if err := g.api.Create(ctx, service); err != nil {
		return err
	}
	found := mesh.Enrol(mesh.Objects{Services: []*corev1.Service{service}}, g.input.Config)
	if len(found.Apps) != 1 {
		return fmt.Errorf("%s is not enrolled: %v", service.Name, found.Findings)
	}
	app := found.Apps[0]
	input := g.input
	input.Callers = []mesh.AppRef{g.ingress.AppRef}
	if err := g.create(ctx, companion.App(app, input)); err != nil {
		return err
	}
	app.Companion = mesh.CompanionState{Live: true, Ready: true}
	if err := g.policies(ctx, ingressToApp, app.Namespace, app.ID); err != nil {
		return err
	}
	route, err := g.route(app, app.ID)
	if err != nil {
		return err
	}
	return g.api.Create(ctx, route)
}

// route is an app's route as admission would rewrite it.
func (g *grower) route(app mesh.App, name string) (*gatewayv1.HTTPRoute, error) {
	raw, err := json.Marshal(direct(app.AppRef, name))
	if err != nil {
		return nil, fmt.Errorf("encode a route: %w", err)
	}
	view := &mesh.View{
		Config: g.input.Config, Apps: []mesh.App{app}, Ingresses: []mesh.Ingress{g.ingress},
		Namespaces: map[string]map[string]string{app.Namespace: nil, infra: nil},
		Services: []mesh.Service{{
			Name: mesh.Name{Namespace: app.Namespace, Name: app.Service}, Type: corev1.ServiceTypeClusterIP,
			Selector: app.Selector, Ports: []corev1.ServicePort{{Name: "http", Port: app.Port}},
		}},
		Grants: []mesh.Grant{{
			Namespace: infra, FromKind: mesh.KindHTTPRoute, FromNamespace: app.Namespace, Service: mesh.CompanionName(g.ingress.ID),
		}},
	}
	result, err := mutate.Route(mutate.Request{Kind: mesh.KindHTTPRoute, Object: raw}, view)
	if err != nil || len(result.Patch) == 0 {
		return nil, fmt.Errorf("%s is not rewritten: %v, %w", name, result.Findings, err)
	}
	patch, err := mutate.EncodePatch(result.Patch)
	if err != nil {
		return nil, fmt.Errorf("encode a patch: %w", err)
	}
	if raw, err = patched(raw, patch); err != nil {
		return nil, err
	}
	rewritten := &gatewayv1.HTTPRoute{}
	return rewritten, json.Unmarshal(raw, rewritten)
}

// direct is an app's route as its author writes it.
func direct(app mesh.AppRef, name string) *gatewayv1.HTTPRoute {
	prefix, path, port := gatewayv1.PathMatchPathPrefix, "/"+name, gatewayv1.PortNumber(80)
	return &gatewayv1.HTTPRoute{
		TypeMeta:   metav1.TypeMeta{APIVersion: gatewayv1.GroupVersion.String(), Kind: mesh.KindHTTPRoute},
		ObjectMeta: metav1.ObjectMeta{Namespace: app.Namespace, Name: name},
		Spec: gatewayv1.HTTPRouteSpec{
			CommonRouteSpec: gatewayv1.CommonRouteSpec{ParentRefs: []gatewayv1.ParentReference{{Name: "gateway", Namespace: new(gatewayv1.Namespace(infra))}}},
			Rules: []gatewayv1.HTTPRouteRule{{
				Matches: []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Type: &prefix, Value: &path}}},
				BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
					BackendObjectReference: gatewayv1.BackendObjectReference{Name: gatewayv1.ObjectName(app.ID), Port: &port},
				}}},
			}},
		},
	}
}

// create makes a companion's objects and says of its workload that it is ready.
func (g *grower) create(ctx context.Context, objects []runtime.Object) error {
	for _, rendered := range objects {
		content, err := companion.Content(rendered)
		if err != nil {
			return err
		}
		if err := g.api.Create(ctx, content, client.FieldOwner(mesh.FieldManager)); err != nil {
			return err
		}
		var workload client.Object
		var status any
		meta := metav1.ObjectMeta{Namespace: content.GetNamespace(), Name: content.GetName(), ResourceVersion: content.GetResourceVersion()}
		switch rendered.(type) {
		case *appsv1.Deployment:
			workload = &appsv1.Deployment{ObjectMeta: meta}
			status = appsv1.DeploymentStatus{ObservedGeneration: 1, Replicas: 2, UpdatedReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2}
		case *appsv1.DaemonSet:
			workload = &appsv1.DaemonSet{ObjectMeta: meta}
			status = appsv1.DaemonSetStatus{
				ObservedGeneration: 1, CurrentNumberScheduled: 1, DesiredNumberScheduled: 1, UpdatedNumberScheduled: 1, NumberReady: 1, NumberAvailable: 1,
			}
		default:
			continue
		}
		patch, err := json.Marshal(map[string]any{"status": status})
		if err != nil {
			return fmt.Errorf("encode a status: %w", err)
		}
		if err := g.api.Status().Patch(ctx, workload, client.RawPatch("application/merge-patch+json", patch)); err != nil {
			return err
		}
	}
	return nil
}

func (g *grower) policies(ctx context.Context, manifest func(namespace, id string) []string, namespace, id string) error {
	for _, document := range manifest(namespace, id) {
		content := map[string]any{}
		if err := yaml.Unmarshal([]byte(document), &content); err != nil {
			return fmt.Errorf("decode a policy: %w", err)
		}
		if err := g.api.Create(ctx, untyped(content)); err != nil {
			return err
		}
	}
	return nil
}

func enrolledMeta(namespace, name, id string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: namespace, Name: name, Labels: map[string]string{mesh.LabelAppID: id},
		Annotations: map[string]string{mesh.AnnotationEnabled: "true", mesh.AnnotationAppID: id},
	}
}
