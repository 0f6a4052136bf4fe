// SPDX-License-Identifier: Apache-2.0

package mesh_test

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// BenchmarkConsider considers one Service of a namespace that holds 1,000 enrolled ones, and their Deployments.
func BenchmarkConsider(b *testing.B) {
	var objects mesh.Objects
	for i := range 1000 {
		app := map[string]string{"app": fmt.Sprintf("app-%d", i)}
		s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: app["app"], Annotations: map[string]string{mesh.AnnotationEnabled: "true"}}}
		s.Spec.Selector, s.Spec.Ports = app, []corev1.ServicePort{{Name: "http", Port: 80}}
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: app["app"]}}
		d.Spec.Template.Labels = app
		objects.Services, objects.Deployments = append(objects.Services, s), append(objects.Deployments, d)
	}
	config := mesh.DefaultConfig()
	b.ReportAllocs()
	for b.Loop() {
		if c := mesh.Consider(objects, config, objects.Services[500]); c.ID() != "app-500" {
			b.Fatalf("considered as %+v", c)
		}
	}
}
