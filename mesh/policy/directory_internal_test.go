// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"

	"github.com/daprise/daprise/mesh"
)

// TestIndexedAsScanned: of each app the indexes of a View tell what a scan of it tells.
func TestIndexedAsScanned(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		view := drawnView(t)
		many := indexed(view)
		for _, app := range view.Apps {
			scanned, indexed := look(view).app(app), many.app(app)
			if !reflect.DeepEqual(scanned, indexed) {
				t.Fatalf("%s:\nscanned %+v\nindexed %+v", app.AppRef, scanned, indexed)
			}
		}
	})
}

// drawnView has few names, so that they meet.
func drawnView(t *rapid.T) *mesh.View {
	ref := func(what string) mesh.AppRef {
		return mesh.AppRef{Namespace: rapid.SampledFrom([]string{"a", "b"}).Draw(t, what+" namespace"), ID: rapid.SampledFrom([]string{"x", "y", "z"}).Draw(t, what)}
	}
	name := func(what string) mesh.Name {
		r := ref(what)
		return mesh.Name{Namespace: r.Namespace, Name: r.ID}
	}
	some := func(what string, add func()) {
		for range rapid.IntRange(0, 4).Draw(t, what) {
			add()
		}
	}
	labels := func(what string) map[string]string {
		return map[string]string{"app": rapid.SampledFrom([]string{"x", "y"}).Draw(t, what), "tier": rapid.SampledFrom([]string{"1", "2"}).Draw(t, what)}
	}
	view := &mesh.View{Namespaces: map[string]map[string]string{"a": {"team": "a"}}}
	view.Cilium.Version = rapid.SampledFrom([]string{"1.16.0", "1.20.2"}).Draw(t, "cilium")
	some("apps", func() {
		app := mesh.App{AppRef: ref("app"), Port: 80, DaprAPI: rapid.Bool().Draw(t, "api")}
		app.Service = rapid.SampledFrom([]string{"x", "y"}).Draw(t, "service")
		some("callers", func() { app.Callers = append(app.Callers, ref("caller")) })
		view.Apps = append(view.Apps, app)
	})
	some("ingresses", func() { view.Ingresses = append(view.Ingresses, mesh.Ingress{AppRef: ref("ingress")}) })
	some("routes", func() { view.Routes = append(view.Routes, mesh.RouteTarget{Ingress: ref("from"), App: ref("to")}) })
	some("services", func() {
		view.Services = append(view.Services, mesh.Service{
			Name: name("service"), Selector: map[string]string{"app": "x"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}},
		})
	})
	some("splits", func() {
		view.ServiceSplits = append(view.ServiceSplits, mesh.ServiceSplit{Service: name("split"), Backend: name("backend"), Port: 80})
	})
	some("pods", func() {
		ns := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "pods in")
		view.Pods = append(view.Pods, mesh.PodSet{Namespace: ns, Labels: labels("pods"), Ports: map[string]int32{"http": rapid.Int32Range(8080, 8081).Draw(t, "port")}})
	})
	return view
}
