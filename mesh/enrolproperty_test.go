// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/daprise/daprise/mesh"
)

// anyAnnotations draws from every key, with values that fit some of them, so that most draws get past the grammar.
func anyAnnotations(t *rapid.T) map[string]string {
	keys := []string{
		mesh.AnnotationAppID, mesh.AnnotationStrategy, mesh.AnnotationReplicas, mesh.AnnotationLocalRedirect, mesh.AnnotationService,
		mesh.AnnotationAppPort, mesh.AnnotationAppProtocol, mesh.AnnotationCallers, mesh.AnnotationDaprAPI, mesh.AnnotationInvoke,
		"dapr.io/log-level", "daprise.dev/unknown", "example.com/x",
	}
	values := map[string][]string{
		mesh.AnnotationAppID: {"a", "b"}, mesh.AnnotationStrategy: {"deployment", "daemonset"}, mesh.AnnotationReplicas: {"1", "2"},
		mesh.AnnotationLocalRedirect: {"true", "false"}, mesh.AnnotationService: {"a", "b"}, mesh.AnnotationAppPort: {"80", "http", "8080", "web"},
		mesh.AnnotationAppProtocol: {"http", "grpc"}, mesh.AnnotationCallers: {"a", "b,a"}, mesh.AnnotationDaprAPI: {"true", "false"},
		mesh.AnnotationInvoke: {"prefix", "header"},
	}
	annotations := map[string]string{mesh.AnnotationEnabled: rapid.SampledFrom([]string{"true", "true", "true", "false", "x"}).Draw(t, "enabled")}
	for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom(keys), 0, 2, rapid.ID[string]).Draw(t, "keys") {
		some := append(slices.Clone(values[key]), "")
		annotations[key] = rapid.SampledFrom(some).Draw(t, key)
	}
	return annotations
}

func anyMeta(t *rapid.T, name string) metav1.ObjectMeta {
	day := rapid.IntRange(0, 2).Draw(t, "day")
	meta := metav1.ObjectMeta{Namespace: "default", Name: name, Annotations: anyAnnotations(t)}
	if day > 0 {
		meta.CreationTimestamp = metav1.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)
	}
	return meta
}

func anyObjects(t *rapid.T) mesh.Objects {
	var o mesh.Objects
	names := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3, rapid.ID[string])
	apps := rapid.SampledFrom([]string{"x", "y"})
	for _, name := range names.Draw(t, "services") {
		s := &corev1.Service{ObjectMeta: anyMeta(t, name)}
		s.Spec.Selector = map[string]string{"app": apps.Draw(t, "app")}
		s.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromString("web")}, {Name: "other", Port: 81}}
		s.Spec.Ports = s.Spec.Ports[:rapid.IntRange(0, 2).Draw(t, "ports")]
		o.Services = append(o.Services, s)
	}
	for _, name := range names.Draw(t, "deployments") {
		d := &appsv1.Deployment{ObjectMeta: anyMeta(t, name)}
		d.Spec.Template.Labels = map[string]string{"app": apps.Draw(t, "app")}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Ports: []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}}}
		o.Deployments = append(o.Deployments, d)
	}
	for _, name := range names.Draw(t, "gateways") {
		o.Gateways = append(o.Gateways, &gatewayv1.Gateway{ObjectMeta: anyMeta(t, name)})
	}
	return o
}

// TestEnrolProperties: whatever there is, in whatever order, the answer is the same, no app ID is enrolled twice, every object that asks
// is enrolled or told why not, and nothing is modified.
func TestEnrolProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyObjects(t)
		kept := deepCopy(o)
		got := mesh.Enrol(o, mesh.DefaultConfig())
		if diff := cmp.Diff(kept, o); diff != "" {
			t.Fatalf("modified (-want +got):\n%s", diff)
		}
		shuffled := mesh.Objects{
			Services:    rapid.Permutation(o.Services).Draw(t, "services"),
			Deployments: rapid.Permutation(o.Deployments).Draw(t, "deployments"),
			Gateways:    rapid.Permutation(o.Gateways).Draw(t, "gateways"),
		}
		if diff := cmp.Diff(got, mesh.Enrol(shuffled, mesh.DefaultConfig())); diff != "" {
			t.Fatalf("order matters (-want +got):\n%s", diff)
		}
		seen := map[mesh.AppRef]bool{}
		for _, app := range got.Apps {
			if seen[app.AppRef] || !mesh.IsAppID(app.ID) || app.Port == 0 || app.Strategy == mesh.StrategyDeployment && app.Replicas < 1 {
				t.Fatalf("not a sound app: %+v", app)
			}
			seen[app.AppRef] = true
		}
		for _, ingress := range got.Ingresses {
			if seen[ingress.AppRef] {
				t.Fatalf("app ID enrolled twice: %+v", ingress)
			}
			seen[ingress.AppRef] = true
		}
		answered(t, o, got)
	})
}

// answered checks that every object that asks comes to an enrolment or a refusal.
func answered(t *rapid.T, o mesh.Objects, got mesh.Enrolled) {
	told := map[string]bool{}
	for _, f := range got.Findings {
		if f.Message == "" || f.Fix == "" || f.Code == "" || f.Severity != mesh.Deny {
			t.Fatalf("not a whole refusal: %+v", f)
		}
		told[f.Object.Kind+f.Object.Name] = true
	}
	for _, s := range o.Services {
		enrolled := slices.ContainsFunc(got.Apps, func(a mesh.App) bool { return a.Service == s.Name && a.Owner.Object.Kind == "Service" })
		if asks := s.Annotations[mesh.AnnotationEnabled] == "true"; asks && enrolled == told["Service"+s.Name] {
			t.Fatalf("Service %s: enrolled %t, refused %t", s.Name, enrolled, told["Service"+s.Name])
		}
	}
	for _, g := range o.Gateways {
		enrolled := slices.ContainsFunc(got.Ingresses, func(i mesh.Ingress) bool { return i.Gateway == g.Name })
		if asks := g.Annotations[mesh.AnnotationEnabled] == "true"; asks && enrolled == told["Gateway"+g.Name] {
			t.Fatalf("Gateway %s: enrolled %t, refused %t", g.Name, enrolled, told["Gateway"+g.Name])
		}
	}
}

// anyOf draws one of the objects.
func anyOf(t *rapid.T, o mesh.Objects) metav1.Object {
	var all []metav1.Object
	for _, s := range o.Services {
		all = append(all, s)
	}
	for _, d := range o.Deployments {
		all = append(all, d)
	}
	for _, g := range o.Gateways {
		all = append(all, g)
	}
	if len(all) == 0 {
		return nil
	}
	return rapid.SampledFrom(all).Draw(t, "considered")
}

// young is an object without an age.
func young(object metav1.Object) metav1.Object {
	var copied metav1.Object
	switch object := object.(type) {
	case *corev1.Service:
		copied = object.DeepCopy()
	case *appsv1.Deployment:
		copied = object.DeepCopy()
	case *gatewayv1.Gateway:
		copied = object.DeepCopy()
	}
	copied.SetCreationTimestamp(metav1.Time{})
	return copied
}

// TestConsiderProperties: considering an object says of it what resolving all says with it as the youngest, whatever else there is: what it
// comes to, and every finding.
func TestConsiderProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anyObjects(t)
		object := anyOf(t, o)
		if object == nil {
			return
		}
		self := mesh.ObjectOf(object)
		all := mesh.Enrol(o.With(young(object)), mesh.DefaultConfig())
		got := mesh.Consider(o, mesh.DefaultConfig(), object)
		var want []mesh.Finding
		for _, f := range all.Findings {
			if f.Object == self {
				want = append(want, f)
			}
		}
		if diff := cmp.Diff(want, got.Findings); diff != "" {
			t.Fatalf("findings (-want +got):\n%s", diff)
		}
		if enrolled := object.GetAnnotations()[mesh.AnnotationEnabled] == "true" && len(want) == 0; enrolled != (got.ID() != "") {
			t.Fatalf("enrolled %t, app ID %q", enrolled, got.ID())
		}
		if got.App != nil && !slices.ContainsFunc(all.Apps, func(a mesh.App) bool { return cmp.Equal(a, *got.App) }) {
			t.Fatalf("the app is %+v, among all %+v", *got.App, all.Apps)
		}
		if got.Ingress != nil && !slices.ContainsFunc(all.Ingresses, func(g mesh.Ingress) bool { return cmp.Equal(g, *got.Ingress) }) {
			t.Fatalf("the ingress is %+v, among all %+v", *got.Ingress, all.Ingresses)
		}
	})
}
