// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/daprise/daprise/mesh"
)

// frontOf is the Service of ingress companion "ingress" in namespace infra, with the port for GRPCRoutes.
func frontOf() *corev1.Service {
	front := service("infra", "ingress-dapr")
	front.Labels = mesh.ObjectLabels("ingress", mesh.ComponentIngress)
	front.Spec.Ports = []corev1.ServicePort{{Name: "dapr-http", Port: mesh.PortHTTP}, {Name: "dapr-grpc", Port: mesh.PortGRPC}}
	return front
}

// TestNarrowLoad: what else goes through the Gateway of a route is not read for it, and what its companion is made of is not forgotten.
func TestNarrowLoad(t *testing.T) {
	for _, tt := range []struct {
		name         string
		need         mesh.Need
		apps, routes []string
	}{
		{
			name: "a route of another namespace of the same Gateway",
			need: mesh.Need{Namespaces: []string{"infra", "other"}, Gateways: []mesh.Name{{Namespace: "infra", Name: "gateway"}}, Narrow: true},
			apps: []string{"unrelated.other"},
		},
		{
			name: "a route of the Gateway's own namespace",
			need: mesh.Need{Namespaces: []string{"infra"}, Gateways: []mesh.Name{{Namespace: "infra", Name: "gateway"}}, Narrow: true},
		},
		{
			name: "a route to the same app", apps: []string{"whoami.shop"}, routes: []string{"shop/route"},
			need: mesh.Need{Namespaces: []string{"infra", "shop"}, Gateways: []mesh.Name{{Namespace: "infra", Name: "gateway"}}, Narrow: true},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			view := load(t, builder(t, append(objects(), frontOf())...).Build(), tt.need)
			got := summaryOf(view)
			var routes []string
			for _, r := range got.routes {
				routes = append(routes, r.Route.Namespace+"/"+r.Route.Name)
			}
			if diff := cmp.Diff([][]string{tt.apps, tt.routes, {"ingress.infra"}}, [][]string{got.apps, routes, got.ingresses}); diff != "" {
				t.Errorf("apps, routes, ingresses (-want +got):\n%s", diff)
			}
			ingress, app := mesh.AppRef{Namespace: "infra", ID: "ingress"}, mesh.AppRef{Namespace: "shop", ID: "whoami"}
			if diff := cmp.Diff([]mesh.IngressRoutes{{Ingress: ingress, Apps: []mesh.AppRoutes{{App: app, Routes: 1}}}}, view.Through); diff != "" {
				t.Errorf("what goes through (-want +got):\n%s", diff)
			}
			if len(view.Ingresses) == 1 && !view.Ingresses[0].GRPC {
				t.Error("the companion serves GRPCRoutes, and the View says that it is not to")
			}
		})
	}
}

// TestTargetIndex: routes are found by where they send to, not by the companion on the way.
func TestTargetIndex(t *testing.T) {
	direct := &gatewayv1.HTTPRoute{ObjectMeta: objectMeta("shop", "direct")}
	direct.Spec.Rules = []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{
		BackendObjectReference: gatewayv1.BackendObjectReference{Name: "a", Namespace: new(gatewayv1.Namespace("other"))},
	}}}}}
	for _, tt := range []struct {
		name  string
		route client.Object
		want  []string
	}{
		{"through a companion", routeThrough("shop", "infra", mesh.AppRef{Namespace: "apps", ID: "whoami"}), []string{"apps"}},
		{"straight to a Service", direct, []string{"other"}},
	} {
		if diff := cmp.Diff(tt.want, byTarget().keys(tt.route)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// refusing fails every read but that of pods, which are read live once per namespace.
type refusing struct {
	client.Reader
	t *testing.T
}

func (r refusing) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	r.t.Errorf("%T %s is read live", object, key)
	return errors.New("no live reads")
}

func (r refusing) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if _, ok := list.(*corev1.PodList); ok {
		return r.Reader.List(ctx, list, options...)
	}
	r.t.Errorf("%T is read live", list)
	return errors.New("no live reads")
}

// asSelected are caches that hold of Services the enrolled ones in one and those of companions in another, as they do in a cluster.
type asSelected struct{ client.Reader }

func (c asSelected) reader(k kind) (client.Reader, bool) {
	if k == kindService {
		return enrolledAlone(c), true
	}
	return c.Reader, true
}

type enrolledAlone struct{ client.Reader }

func (r enrolledAlone) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	err := r.Reader.Get(ctx, key, object, options...)
	if err == nil && object.GetLabels()[mesh.LabelAppID] == "" {
		return apierrors.NewNotFound(corev1.Resource("services"), key.Name)
	}
	return err
}

func (r enrolledAlone) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	err := r.Reader.List(ctx, list, options...)
	if services, ok := list.(*corev1.ServiceList); ok {
		services.Items = slices.DeleteFunc(services.Items, func(s corev1.Service) bool { return s.Labels[mesh.LabelAppID] == "" })
	}
	return err
}

// indexed is a fake with the indexes that loads ask for.
func indexed(fakes *fake.ClientBuilder) *fake.ClientBuilder {
	for _, object := range []client.Object{&gatewayv1.HTTPRoute{}, &gatewayv1.GRPCRoute{}} {
		for _, by := range []index{byNamespace(), byTarget(), byReference()} {
			fakes = fakes.WithIndex(object, by.field, by.keys)
		}
	}
	return fakes.WithIndex(&gatewayv1beta1.ReferenceGrant{}, byGranted().field, byGranted().keys)
}

// TestRewrittenRouteIsJudgedFromCaches: the companion's Service that it names is not among the enrolled ones, and yet is cached.
func TestRewrittenRouteIsJudgedFromCaches(t *testing.T) {
	route := routeThrough("shop", "infra", mesh.AppRef{Namespace: "shop", ID: "whoami"})
	reader := indexed(builder(t, append(objects(), frontOf())...)).Build()
	l := newLoader(mesh.DefaultConfig(), door{caches: asSelected{reader}, live: refusing{reader, t}, kinds: kindsWatched()})
	// Dapr's version is read once for the whole cluster.
	l.dapr.at = time.Now()
	world, err := l.Load(t.Context(), mesh.NeedOfHTTPRoute(route))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := world.View.Service(mesh.Name{Namespace: "infra", Name: "ingress-dapr"}); ok {
		t.Error("the View has the companion's Service, which nothing asks for")
	}
	want := mesh.Grant{Namespace: "infra", FromKind: "HTTPRoute", FromNamespace: "shop", Service: "ingress-dapr"}
	if !slices.Contains(world.View.Grants, want) {
		t.Errorf("grants %v, want %v among them", world.View.Grants, want)
	}
}

// TestNarrowLoadsReadServicesThatMatter: of the Services that a route names, those that are not enrolled are read, each of them live, only
// where the route may divide an app's traffic.
func TestNarrowLoadsReadServicesThatMatter(t *testing.T) {
	for _, test := range []struct {
		name     string
		services []mesh.Name
		want     bool
	}{
		{"an app's Service among them", []mesh.Name{{Namespace: "shop", Name: "plain"}, {Namespace: "shop", Name: "whoami"}}, true},
		{"none of an app", []mesh.Name{{Namespace: "shop", Name: "plain"}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			view := load(t, builder(t, objects()...).Build(), mesh.Need{Services: test.services, Narrow: true})
			if _, ok := view.Service(mesh.Name{Namespace: "shop", Name: "plain"}); ok != test.want {
				t.Errorf("a Service that is not enrolled is read: %v, want %v", ok, test.want)
			}
		})
	}
}

// TestAlikeRoutes: of a thousand routes of one app a narrow load keeps two, and of those of others each.
func TestAlikeRoutes(t *testing.T) {
	all := append(objects(), frontOf())
	for _, name := range []string{"one", "two", "three", "four"} {
		route := routeThrough("shop", "infra", mesh.AppRef{Namespace: "shop", ID: "whoami"})
		route.Name = name
		all = append(all, route)
	}
	elsewhere := routeThrough("other", "infra", mesh.AppRef{Namespace: "shop", ID: "whoami"})
	elsewhere.Name = "elsewhere"
	all = append(all, elsewhere)
	reader := builder(t, all...).Build()
	need := mesh.Need{Namespaces: []string{"infra", "shop"}, Gateways: []mesh.Name{{Namespace: "infra", Name: "gateway"}}}
	wide := load(t, reader, need)
	need.Narrow = true
	narrow := load(t, reader, need)
	if len(wide.Routes) != 6 || len(narrow.Routes) != 3 {
		t.Errorf("%d routes, %d in a narrow load, want 6 and 3", len(wide.Routes), len(narrow.Routes))
	}
	ingress, app := mesh.AppRef{Namespace: "infra", ID: "ingress"}, mesh.AppRef{Namespace: "shop", ID: "whoami"}
	want := []mesh.IngressRoutes{{Ingress: ingress, Apps: []mesh.AppRoutes{{App: app, Routes: 6}}}}
	if diff := cmp.Diff(want, narrow.Through); diff != "" {
		t.Errorf("what goes through (-want +got):\n%s", diff)
	}
}

// TestLikeness: routes are alike unless something differs that loading reads.
func TestLikeness(t *testing.T) {
	base := func() *gatewayv1.HTTPRoute {
		return routeThrough("shop", "infra", mesh.AppRef{Namespace: "shop", ID: "whoami"})
	}
	for _, tt := range []struct {
		name   string
		change func(*gatewayv1.HTTPRoute)
		alike  bool
	}{
		{"name", func(r *gatewayv1.HTTPRoute) { r.Name = "another" }, true},
		{"path", func(r *gatewayv1.HTTPRoute) {
			r.Spec.Rules[0].Matches = []gatewayv1.HTTPRouteMatch{{Path: &gatewayv1.HTTPPathMatch{Value: new("/a")}}}
		}, true},
		{"namespace", func(r *gatewayv1.HTTPRoute) { r.Namespace = "other" }, false},
		{"kept out of the mesh", func(r *gatewayv1.HTTPRoute) { r.Annotations = map[string]string{mesh.AnnotationEnabled: "false"} }, false},
		{"Gateway", func(r *gatewayv1.HTTPRoute) { r.Spec.ParentRefs[0].Name = "another" }, false},
		{"app", func(r *gatewayv1.HTTPRoute) {
			r.Spec.Rules[0].Filters[0].URLRewrite.Path.ReplacePrefixMatch = new(mesh.InvocationPath(mesh.AppRef{Namespace: "shop", ID: "x"}) + "//")
		}, false},
		{"backend", func(r *gatewayv1.HTTPRoute) { r.Spec.Rules[0].BackendRefs[0].Name = "x" }, false},
		{"port", func(r *gatewayv1.HTTPRoute) { r.Spec.Rules[0].BackendRefs[0].Port = new(gatewayv1.PortNumber(1)) }, false},
		{"no traffic", func(r *gatewayv1.HTTPRoute) { r.Spec.Rules[0].BackendRefs[0].Weight = new(int32(0)) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			changed := base()
			tt.change(changed)
			alike := likenessOf(mesh.ObjectOfHTTPRoute(base())) == likenessOf(mesh.ObjectOfHTTPRoute(changed))
			if alike != tt.alike {
				t.Errorf("alike: %t, want %t", alike, tt.alike)
			}
		})
	}
}
