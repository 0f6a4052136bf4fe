// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/policy/api"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"
	gatewayv1beta1 "sigs.k8s.io/gateway-api/apis/v1beta1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/policy"
)

func objectMeta(ns, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: ns, Name: name}
}

func admitted(object client.Object, id string) client.Object {
	object.SetLabels(map[string]string{mesh.LabelAppID: id})
	object.SetAnnotations(map[string]string{mesh.AnnotationEnabled: "true", mesh.AnnotationAppID: id})
	return object
}

func service(ns, name string) *corev1.Service {
	return &corev1.Service{ObjectMeta: objectMeta(ns, name), Spec: corev1.ServiceSpec{
		Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{{Name: "http", Port: 80}},
	}}
}

func gateway(ns, name string) *gatewayv1.Gateway {
	return &gatewayv1.Gateway{ObjectMeta: objectMeta(ns, name)}
}

// routeThrough is a rewritten route: through ingress companion "ingress" of a namespace to an app.
func routeThrough(ns, ingressNamespace string, app mesh.AppRef) *gatewayv1.HTTPRoute {
	r := &gatewayv1.HTTPRoute{ObjectMeta: objectMeta(ns, "route")}
	r.Spec.ParentRefs = []gatewayv1.ParentReference{{Name: "gateway", Namespace: new(gatewayv1.Namespace(ingressNamespace))}}
	r.Spec.Rules = []gatewayv1.HTTPRouteRule{{
		Filters: []gatewayv1.HTTPRouteFilter{{Type: gatewayv1.HTTPRouteFilterURLRewrite, URLRewrite: &gatewayv1.HTTPURLRewriteFilter{
			Path: &gatewayv1.HTTPPathModifier{Type: gatewayv1.PrefixMatchHTTPPathModifier, ReplacePrefixMatch: new(mesh.InvocationPath(app) + "//")},
		}}},
		BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{
			Name: "ingress-dapr", Namespace: new(gatewayv1.Namespace(ingressNamespace)), Port: new(gatewayv1.PortNumber(3500)),
		}}}},
	}}
	return r
}

// world of two namespaces: a Gateway in one and an app in the other, with a third that has nothing to do with them.
func objects() []client.Object {
	grant := &gatewayv1beta1.ReferenceGrant{ObjectMeta: objectMeta("infra", "grant")}
	grant.Spec.From = []gatewayv1beta1.ReferenceGrantFrom{{Group: gatewayv1.GroupName, Kind: "HTTPRoute", Namespace: "shop"}}
	grant.Spec.To = []gatewayv1beta1.ReferenceGrantTo{{Kind: "Service", Name: new(gatewayv1.ObjectName("ingress-dapr"))}}
	policy := &ciliumv2.CiliumNetworkPolicy{ObjectMeta: objectMeta("infra", "close"), Spec: &api.Rule{
		EndpointSelector: api.NewESFromMatchRequirements(map[string]string{"any.dapr.io/app-id": "ingress"}, nil), Ingress: []api.IngressRule{{}},
	}}
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{mesh.LabelCoverage: "warn"}}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "infra"}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "other", Labels: map[string]string{"a": "b"}}},
		admitted(service("shop", "whoami"), "whoami"), service("shop", "plain"),
		admitted(service("other", "unrelated"), "unrelated"),
		admitted(gateway("infra", "gateway"), "ingress"),
		routeThrough("shop", "infra", mesh.AppRef{Namespace: "shop", ID: "whoami"}), grant, policy,
		&corev1.ConfigMap{ObjectMeta: objectMeta("kube-system", "cilium-config"), Data: map[string]string{"enable-policy": "default"}},
		&appsv1.DaemonSet{ObjectMeta: objectMeta("kube-system", "cilium"), Spec: appsv1.DaemonSetSpec{Template: corev1.PodTemplateSpec{
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "cilium-agent", Image: "cilium:v1.20.2"}}},
		}}},
	}
}

func builder(t *testing.T, objects ...client.Object) *fake.ClientBuilder {
	t.Helper()
	scheme, err := Scheme()
	if err != nil {
		t.Fatal(err)
	}
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...)
}

func load(t *testing.T, reader client.Reader, need mesh.Need) *mesh.View {
	t.Helper()
	world, err := NewLoader(mesh.DefaultConfig(), reader).Load(t.Context(), need)
	if err != nil {
		t.Fatal(err)
	}
	return world.View
}

// summary is what these tests look at of a View.
type summary struct {
	namespaces map[string]map[string]string
	apps       []string
	ingresses  []string
	services   []string
	routes     []mesh.RouteTarget
	grants     []mesh.Grant
	cilium     mesh.Cilium
	missing    []string
}

func summaryOf(v *mesh.View) summary {
	s := summary{namespaces: v.Namespaces, routes: v.Routes, grants: v.Grants, cilium: v.Cilium, missing: v.Missing}
	for _, a := range v.Apps {
		s.apps = append(s.apps, a.String())
	}
	for _, g := range v.Ingresses {
		s.ingresses = append(s.ingresses, g.String())
	}
	for _, service := range v.Services {
		s.services = append(s.services, service.Name.String())
	}
	return s
}

func TestLoadFollowsRoutesToTheirOtherEnds(t *testing.T) {
	reader := builder(t, objects()...).Build()
	want := summary{
		namespaces: map[string]map[string]string{"shop": {mesh.LabelCoverage: "warn"}, "infra": nil},
		apps:       []string{"whoami.shop"}, ingresses: []string{"ingress.infra"},
		routes: []mesh.RouteTarget{{
			Route:   mesh.Object{APIVersion: "gateway.networking.k8s.io/v1", Kind: "HTTPRoute", Namespace: "shop", Name: "route"},
			Ingress: mesh.AppRef{Namespace: "infra", ID: "ingress"}, App: mesh.AppRef{Namespace: "shop", ID: "whoami"},
		}},
		grants: []mesh.Grant{{Namespace: "infra", FromKind: "HTTPRoute", FromNamespace: "shop", Service: "ingress-dapr"}},
		cilium: mesh.Cilium{Version: "1.20.2"},
	}
	tests := []struct {
		name     string
		need     mesh.Need
		services []string
	}{
		{name: "asked for the app's namespace", need: mesh.Need{Namespaces: []string{"shop"}}, services: []string{"shop/plain", "shop/whoami"}},
		{name: "asked for the Gateway's namespace", need: mesh.Need{Namespaces: []string{"infra"}}, services: []string{"shop/whoami"}},
		{name: "asked for the Gateway", need: mesh.Need{Gateways: []mesh.Name{{Namespace: "infra", Name: "gateway"}}}, services: []string{"shop/whoami"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want := want
			want.services = test.services
			got := summaryOf(load(t, reader, test.need))
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(summary{}), sorted()); diff != "" {
				t.Errorf("view (-want +got):\n%s", diff)
			}
		})
	}
}

func sorted() cmp.Option {
	return cmp.Transformer("sorted", func(in []string) map[string]bool {
		set := map[string]bool{}
		for _, s := range in {
			set[s] = true
		}
		return set
	})
}

func TestLoadOfAllNamespacesHoldsEveryEnrolment(t *testing.T) {
	view := load(t, builder(t, objects()...).Build(), mesh.Need{AllNamespaces: true})
	got := summaryOf(view)
	if diff := cmp.Diff([]string{"unrelated.other", "whoami.shop"}, got.apps); diff != "" {
		t.Errorf("apps (-want +got):\n%s", diff)
	}
	if view.Namespaces["other"]["a"] != "b" || view.Namespaces["shop"][mesh.LabelCoverage] != "warn" {
		t.Errorf("namespaces: %v", view.Namespaces)
	}
}

func TestLoadReadsServicesByName(t *testing.T) {
	view := load(t, builder(t, objects()...).Build(), mesh.Need{Services: []mesh.Name{
		{Namespace: "shop", Name: "plain"}, {Namespace: "shop", Name: "absent"},
	}})
	if _, ok := view.Service(mesh.Name{Namespace: "shop", Name: "plain"}); !ok {
		t.Error("a Service that is not enrolled is missing")
	}
	if _, ok := view.Service(mesh.Name{Namespace: "shop", Name: "absent"}); ok {
		t.Error("a Service that does not exist is there")
	}
}

func TestLoadFindsNamesThatAreTaken(t *testing.T) {
	ours := service("shop", "whoami-dapr-api")
	ours.Labels = mesh.ObjectLabels("whoami", mesh.ComponentApp)
	view := load(t, builder(t, append(objects(), ours, service("shop", "whoami-dapr"), service("other", "x-dapr"))...).Build(), mesh.Need{Namespaces: []string{"shop"}})
	want := []mesh.Object{{APIVersion: "v1", Kind: "Service", Namespace: "shop", Name: "whoami-dapr"}}
	if diff := cmp.Diff(want, view.Foreign); diff != "" {
		t.Errorf("foreign (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]mesh.Name{{Namespace: "shop", Name: "whoami-dapr-api"}}, view.CompanionServices); diff != "" {
		t.Errorf("companions' Services (-want +got):\n%s", diff)
	}
}

// A namespace that is being deleted is told apart: its policies may go.
func TestLoadTellsTerminatingNamespaces(t *testing.T) {
	going := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: "going", DeletionTimestamp: &metav1.Time{Time: metav1.Now().Time}, Finalizers: []string{"kubernetes"},
	}}
	view := load(t, builder(t, append(objects(), going)...).Build(), mesh.Need{Namespaces: []string{"going", "shop"}})
	if diff := cmp.Diff([]string{"going"}, view.Terminating); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A kind that is not installed has no objects, and the View says so; any other failure is one.
func TestLoadWithoutAKind(t *testing.T) {
	noMatch := func(gvk schema.GroupVersionKind) error { return &meta.NoKindMatchError{GroupKind: gvk.GroupKind()} }
	broken := errors.New("broken")
	failing := func(kind string, err func(schema.GroupVersionKind) error) client.Reader {
		return builder(t, objects()...).WithInterceptorFuncs(interceptor.Funcs{
			List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				gvk, kindErr := c.GroupVersionKindFor(list)
				if kindErr != nil {
					return kindErr
				}
				if gvk.Kind == kind+"List" {
					return err(gvk)
				}
				return c.List(ctx, list, options...)
			},
		}).Build()
	}
	for _, kind := range []string{"CiliumNetworkPolicy", "HTTPRoute", "Gateway", "ReferenceGrant"} {
		t.Run(kind, func(t *testing.T) {
			view := load(t, failing(kind, noMatch), mesh.Need{Namespaces: []string{"shop", "infra"}})
			if diff := cmp.Diff([]string{kind}, view.Missing); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
			loader := NewLoader(mesh.DefaultConfig(), failing(kind, func(schema.GroupVersionKind) error { return broken }))
			if _, err := loader.Load(t.Context(), mesh.Need{Namespaces: []string{"shop"}}); !errors.Is(err, broken) {
				t.Errorf("a failure to list %s gave %v", kind, err)
			}
		})
	}
}

func TestAnUnlabelledServiceIsACandidateOnly(t *testing.T) {
	asking := service("shop", "asking")
	asking.Annotations = map[string]string{mesh.AnnotationEnabled: "true"}
	view := load(t, builder(t, asking).Build(), mesh.Need{Namespaces: []string{"shop"}})
	if len(view.Apps) > 0 {
		t.Errorf("a Service that was not admitted is enrolled: %v", view.Apps)
	}
	if _, ok := view.Service(mesh.Name{Namespace: "shop", Name: "asking"}); !ok {
		t.Error("it is no candidate for a Deployment")
	}
}

// TestSetOfACluster judges by the name that Cilium knows the cluster by, and by its groups of addresses.
func TestSetOfACluster(t *testing.T) {
	settings := &corev1.ConfigMap{ObjectMeta: objectMeta("kube-system", "cilium-config"), Data: map[string]string{"cluster-name": "east"}}
	group := &ciliumv2.CiliumCIDRGroup{ObjectMeta: objectMeta("", "offices"), Spec: ciliumv2.CiliumCIDRGroupSpec{ExternalCIDRs: []api.CIDR{"192.0.2.0/24"}}}
	rule := func(name string, from api.IngressCommonRule) client.Object {
		return &ciliumv2.CiliumNetworkPolicy{ObjectMeta: objectMeta("shop", name), Spec: &api.Rule{
			EndpointSelector: api.NewESFromMatchRequirements(map[string]string{"any:app": "whoami"}, nil), Ingress: []api.IngressRule{{IngressCommonRule: from}},
		}}
	}
	east := rule("east", api.IngressCommonRule{FromEndpoints: []api.EndpointSelector{
		api.NewESFromMatchRequirements(map[string]string{"k8s:io.cilium.k8s.policy.cluster": "east"}, nil),
	}})
	office := rule("office", api.IngressCommonRule{FromCIDRSet: api.CIDRRuleSlice{{CIDRGroupRef: "offices"}}})
	world, err := NewLoader(mesh.DefaultConfig(), builder(t, settings, group, east, office).Build()).Load(t.Context(), mesh.Need{Namespaces: []string{"shop"}})
	if err != nil {
		t.Fatal(err)
	}
	app := policy.Endpoint{Namespace: "shop", Labels: map[string]string{"app": "whoami"}}
	for name, tt := range map[string]struct {
		from policy.Endpoint
		want bool
	}{
		"a pod of this cluster":      {policy.Endpoint{Namespace: "shop"}, true},
		"a pod of cluster default":   {policy.Endpoint{Namespace: "shop", Cluster: policy.DefaultCluster}, false},
		"an address of the group":    {policy.Endpoint{Address: netip.MustParseAddr("192.0.2.7")}, true},
		"an address of none of them": {policy.Endpoint{Address: netip.MustParseAddr("198.51.100.7")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := world.Set.Verdict(policy.Flow{From: tt.from, To: app, Port: 80}); got.Allowed() != tt.want {
				t.Errorf("allowed: %t, want %t (%s)", got.Allowed(), tt.want, got.IngressBy.Why)
			}
		})
	}
}

// TestLoadOfPods reads the pods of the app and of the backends of its GAMMA split, and keeps them for a moment.
func TestLoadOfPods(t *testing.T) {
	pod := func(ns, name string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: objectMeta(ns, name)}
		p.Labels = map[string]string{"app": name}
		return p
	}
	gamma := &gatewayv1.HTTPRoute{ObjectMeta: objectMeta("shop", "gamma")}
	gamma.Spec.ParentRefs = []gatewayv1.ParentReference{{Group: new(gatewayv1.Group("")), Kind: new(gatewayv1.Kind("Service")), Name: "whoami"}}
	gamma.Spec.Rules = []gatewayv1.HTTPRouteRule{{BackendRefs: []gatewayv1.HTTPBackendRef{{BackendRef: gatewayv1.BackendRef{BackendObjectReference: gatewayv1.BackendObjectReference{
		Name: "canary", Namespace: new(gatewayv1.Namespace("lab")), Port: new(gatewayv1.PortNumber(80)),
	}}}}}}
	lab := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "lab"}}
	reader := builder(t, append(objects(), gamma, lab, service("lab", "canary"), pod("shop", "whoami"), pod("lab", "canary"), pod("other", "unrelated"))...).Build()
	view := load(t, reader, mesh.Need{Namespaces: []string{"shop"}})
	var got []string
	for _, set := range view.Pods {
		got = append(got, set.Namespace+"/"+set.Name)
	}
	if diff := cmp.Diff([]string{"lab/canary", "shop/whoami"}, got); diff != "" {
		t.Errorf("pods (-want +got):\n%s", diff)
	}
	if _, ok := view.Service(mesh.Name{Namespace: "lab", Name: "canary"}); !ok || len(view.ServiceSplits) != 1 {
		t.Errorf("the split's backend is not known: %v", view.ServiceSplits)
	}
}

// TestPodsAreKeptForAMoment reads the pods of a cached load once for some seconds, and those of a live load each time.
func TestPodsAreKeptForAMoment(t *testing.T) {
	lists := 0
	reader := builder(t).WithInterceptorFuncs(interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			lists++
			return c.List(ctx, list, options...)
		},
	}).Build()
	now, pods := time.Unix(0, 0), newPodsRead()
	pods.now = func() time.Time { return now }
	cached := door{caches: noCaches{}, live: reader}
	for _, step := range []struct {
		name string
		door door
		pass time.Duration
		want int
	}{
		{"the first time", cached, 0, 1}, {"again", cached, podsFor - 1, 1}, {"later", cached, 1, 2}, {"live", cached.liveDoor(), 0, 3}, {"after a live load", cached, 0, 3},
	} {
		now = now.Add(step.pass)
		if _, err := pods.in(t.Context(), step.door, "shop"); err != nil {
			t.Fatal(err)
		}
		if lists != step.want {
			t.Errorf("%s: %d lists, want %d", step.name, lists, step.want)
		}
	}
}

// noCaches holds nothing.
type noCaches struct{}

func (noCaches) reader(kind) (client.Reader, bool) { return nil, false }
