// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/daprise/daprise/mesh"
)

// TestEnrolmentsAsCached: an enrolment is the same as it is cached, and what is large and not read is not cached.
func TestEnrolmentsAsCached(t *testing.T) {
	deployment := func() *appsv1.Deployment {
		d := &appsv1.Deployment{ObjectMeta: objectMeta("shop", "web")}
		d.Annotations = map[string]string{
			mesh.AnnotationEnabled: "true", mesh.AnnotationAppPort: "http", mesh.AnnotationAppID: "web",
			corev1.LastAppliedConfigAnnotation: `{"kind":"Deployment"}`, "team": "a",
		}
		d.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl"}}
		d.Spec.Template.Labels, d.Spec.Template.Annotations = map[string]string{"app": "web"}, map[string]string{"note": "a"}
		d.Spec.Template.Spec = corev1.PodSpec{
			Volumes: []corev1.Volume{{Name: "v"}},
			Containers: []corev1.Container{{
				Name: "c", Image: "i", Env: []corev1.EnvVar{{Name: "E"}}, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
			}},
		}
		return d
	}
	s := service("shop", "web")
	s.Spec.Ports[0].TargetPort = intstr.FromInt32(8080)
	enrolled := func(d *appsv1.Deployment) mesh.Enrolled {
		return mesh.Enrol(mesh.Objects{Services: []*corev1.Service{s}, Deployments: []*appsv1.Deployment{d}}, mesh.DefaultConfig())
	}
	cached, err := onlyEnrolment(deployment())
	if err != nil {
		t.Fatal(err)
	}
	d, ok := cached.(*appsv1.Deployment)
	if !ok {
		t.Fatalf("a %T is cached", cached)
	}
	before := enrolled(deployment())
	if diff := cmp.Diff(before, enrolled(d)); diff != "" || len(before.Apps) != 1 {
		t.Errorf("enrolled (-as it is +as it is cached):\n%s", diff)
	}
	want := deployment()
	want.ManagedFields = nil
	delete(want.Annotations, corev1.LastAppliedConfigAnnotation)
	want.Spec.Template.Spec = corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}}}}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("cached (-want +got):\n%s", diff)
	}
}
