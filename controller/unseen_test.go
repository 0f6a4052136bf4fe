// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/daprise/daprise/mesh"
)

// TestUnseen: an enrolment that a View does not know is found by no more than a look at the objects that a route names.
func TestUnseen(t *testing.T) {
	name := func(namespace, name string) mesh.Name { return mesh.Name{Namespace: namespace, Name: name} }
	deployment := func() client.Object { return &appsv1.Deployment{ObjectMeta: objectMeta("shop", "worker")} }
	known := mesh.Ingress{AppRef: mesh.AppRef{Namespace: "infra", ID: "ingress"}, Gateway: "gateway"}
	for _, tt := range []struct {
		name    string
		cluster []client.Object
		view    mesh.View
		need    mesh.Need
		want    bool
		looks   string
	}{
		{
			name: "a Gateway that is not enrolled", cluster: []client.Object{gateway("infra", "gateway"), admitted(service("shop", "web"), "web")},
			need:  mesh.Need{Gateways: []mesh.Name{name("infra", "gateway")}, Services: []mesh.Name{name("shop", "web")}},
			looks: "Gateway infra/gateway",
		},
		{
			name: "no such Gateway", need: mesh.Need{Gateways: []mesh.Name{name("infra", "gateway")}}, looks: "Gateway infra/gateway",
		},
		{
			name: "a Gateway that was enrolled just now", cluster: []client.Object{admitted(gateway("infra", "gateway"), "ingress")},
			need: mesh.Need{Gateways: []mesh.Name{name("infra", "gateway")}, Services: []mesh.Name{name("shop", "web")}},
			want: true, looks: "Gateway infra/gateway",
		},
		{
			name: "the second of two", cluster: []client.Object{gateway("infra", "a"), admitted(gateway("infra", "b"), "ingress")},
			need: mesh.Need{Gateways: []mesh.Name{name("infra", "a"), name("infra", "b")}}, want: true, looks: "Gateway infra/a, Gateway infra/b",
		},
		{
			name: "a plain Service behind an enrolled Gateway", cluster: []client.Object{service("shop", "web")}, view: mesh.View{Ingresses: []mesh.Ingress{known}},
			need:  mesh.Need{Gateways: []mesh.Name{name("infra", "gateway")}, Services: []mesh.Name{name("shop", "web")}},
			looks: "Service shop/web, Deployments of shop",
		},
		{
			name: "a Service that was enrolled just now", cluster: []client.Object{admitted(service("shop", "web"), "web")}, view: mesh.View{Ingresses: []mesh.Ingress{known}},
			need: mesh.Need{Gateways: []mesh.Name{name("infra", "gateway")}, Services: []mesh.Name{name("shop", "web")}},
			want: true, looks: "Service shop/web",
		},
		{
			name: "all is known", view: mesh.View{Ingresses: []mesh.Ingress{known}, Apps: []mesh.App{{AppRef: mesh.AppRef{Namespace: "shop", ID: "web"}, Service: "web"}}},
			need: mesh.Need{Gateways: []mesh.Name{name("infra", "gateway")}, Services: []mesh.Name{name("shop", "web"), name("infra", "ingress-dapr")}},
		},
		{
			name: "two plain Services of one namespace", cluster: []client.Object{service("shop", "a"), service("shop", "b")}, view: mesh.View{Ingresses: []mesh.Ingress{known}},
			need:  mesh.Need{Gateways: []mesh.Name{name("infra", "gateway")}, Services: []mesh.Name{name("shop", "a"), name("shop", "b")}},
			looks: "Service shop/a, Service shop/b, Deployments of shop",
		},
		{
			name: "more Services than are looked at", view: mesh.View{Ingresses: []mesh.Ingress{known}}, want: true,
			need: mesh.Need{Gateways: []mesh.Name{name("infra", "gateway")}, Services: slices.Repeat([]mesh.Name{name("shop", "a")}, glancesAtMost+1)},
		},
		{
			name: "a companion that was made just now, behind any Gateway", cluster: []client.Object{frontOf()},
			need: mesh.Need{Gateways: []mesh.Name{name("infra", "other")}, Services: []mesh.Name{name("infra", "ingress-dapr")}},
			want: true, looks: "Gateway infra/other, Service infra/ingress-dapr",
		},
		{
			name: "a Deployment that was enrolled just now", cluster: []client.Object{service("shop", "web"), admitted(deployment(), "worker")},
			view: mesh.View{Ingresses: []mesh.Ingress{known}},
			need: mesh.Need{Gateways: []mesh.Name{name("infra", "gateway")}, Services: []mesh.Name{name("shop", "web")}},
			want: true, looks: "Service shop/web, Deployments of shop",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var looks []string
			live := builder(t, tt.cluster...).WithInterceptorFuncs(interceptor.Funcs{
				Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, opts ...client.GetOption) error {
					looks = append(looks, object.GetObjectKind().GroupVersionKind().Kind+" "+key.String())
					return c.Get(ctx, key, object, opts...)
				},
				List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
					var o client.ListOptions
					looks = append(looks, strings.TrimSuffix(list.GetObjectKind().GroupVersionKind().Kind, "List")+"s of "+o.ApplyOptions(opts).Namespace)
					return c.List(ctx, list, opts...)
				},
			}).Build()
			loader := NewLoader(mesh.DefaultConfig(), live)
			loader.door.caches = nothingYet{builder(t).Build()}
			got, err := loader.Unseen(t.Context(), tt.need, &tt.view)
			if err != nil || got != tt.want {
				t.Errorf("unseen %v, %v, want %v", got, err, tt.want)
			}
			if diff := cmp.Diff(tt.looks, strings.Join(looks, ", ")); diff != "" {
				t.Errorf("looks (-want +got):\n%s", diff)
			}
		})
	}
}

// nothingYet are caches that have heard of nothing.
type nothingYet struct{ client.Reader }

func (n nothingYet) reader(kind) (client.Reader, bool) { return n.Reader, true }

// TestUnseenNotKnown: where the API server cannot be read, that is told, and nothing is taken for absent.
func TestUnseenNotKnown(t *testing.T) {
	broken := errors.New("broken")
	live := builder(t).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return broken
		},
	}).Build()
	_, err := NewLoader(mesh.DefaultConfig(), live).Unseen(t.Context(), mesh.Need{Gateways: []mesh.Name{{Namespace: "infra", Name: "gateway"}}}, &mesh.View{})
	if !errors.Is(err, broken) || err.Error() != "get Gateway infra/gateway from the API server: broken" {
		t.Errorf("got %v", err)
	}
}
