// SPDX-License-Identifier: Apache-2.0

package companion_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
)

func resourceOf(text string) *resource.Quantity { return new(resource.MustParse(text)) }

func daemonSet() *appsv1.DaemonSet {
	objects := companion.Ingress(ingress(), input())
	d, ok := objects[len(objects)-1].(*appsv1.DaemonSet)
	if !ok {
		panic("the workload of an ingress with strategy daemonset is no DaemonSet")
	}
	return d
}

func TestState(t *testing.T) {
	deploymentWith := func(tweak func(*appsv1.Deployment)) *appsv1.Deployment {
		d := stored()
		tweak(d)
		return d
	}
	daemonSetWith := func(status appsv1.DaemonSetStatus) *appsv1.DaemonSet {
		d := daemonSet()
		d.Generation, d.Status = 3, status
		return d
	}
	ready, live := mesh.CompanionState{Live: true, Ready: true}, mesh.CompanionState{Live: true}
	tests := []struct {
		name          string
		desired, live runtime.Object
		want          mesh.CompanionState
		wantErr       bool
	}{
		{name: "not there", desired: deployment()},
		{name: "not there, typed", desired: deployment(), live: (*appsv1.Deployment)(nil)},
		{name: "a Deployment that serves", desired: deployment(), live: stored(), want: ready},
		{name: "one of two ready", desired: deployment(), want: ready,
			live: deploymentWith(func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 1 })},
		{name: "none ready", desired: deployment(), want: live,
			live: deploymentWith(func(d *appsv1.Deployment) { d.Status.ReadyReplicas = 0 })},
		{name: "just created", desired: deployment(), want: live,
			live: deploymentWith(func(d *appsv1.Deployment) { d.Status = appsv1.DeploymentStatus{} })},
		{name: "status of an older generation", desired: deployment(), want: live,
			live: deploymentWith(func(d *appsv1.Deployment) { d.Generation = 2 })},
		{name: "a pod of an older template left", desired: deployment(), want: live,
			live: deploymentWith(func(d *appsv1.Deployment) { d.Status.Replicas = 3 })},
		{name: "another Configuration", desired: deployment(), want: live, live: deploymentWith(func(d *appsv1.Deployment) {
			d.Spec.Template.Annotations[companion.AnnotationConfiguration] = "old"
		})},
		{name: "another image", desired: deployment(), want: live, live: deploymentWith(func(d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers[0].Image = "old"
		})},
		{name: "the old kind, during a change of strategy", desired: daemonSet(), live: stored(), want: live},
		{name: "a DaemonSet that serves", desired: daemonSet(), want: ready, live: daemonSetWith(appsv1.DaemonSetStatus{
			ObservedGeneration: 3, DesiredNumberScheduled: 2, CurrentNumberScheduled: 2, UpdatedNumberScheduled: 2, NumberReady: 1,
		})},
		{name: "a DaemonSet without nodes", desired: daemonSet(), want: live,
			live: daemonSetWith(appsv1.DaemonSetStatus{ObservedGeneration: 3})},
		{name: "a DaemonSet in its rollout", desired: daemonSet(), want: live, live: daemonSetWith(appsv1.DaemonSetStatus{
			ObservedGeneration: 3, DesiredNumberScheduled: 2, CurrentNumberScheduled: 2, UpdatedNumberScheduled: 1, NumberReady: 2,
		})},
		{name: "no workload", desired: deployment(), live: &corev1.Service{}, wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := companion.State(tt.desired, tt.live)
			if (err != nil) != tt.wantErr {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestServes: whether the template is the one wanted has no part in it.
func TestServes(t *testing.T) {
	other := stored()
	other.Spec.Template.Spec.Containers[0].Image = "example.com/daprd"
	rolling := stored()
	rolling.Status.UpdatedReplicas = 1
	for name, tt := range map[string]struct {
		live runtime.Object
		want bool
	}{
		"as wanted": {stored(), true}, "another template": {other, true}, "rolling": {rolling, false}, "no workload": {&corev1.Pod{}, false}, "no pod": {daemonSet(), false},
	} {
		if got := companion.Serves(tt.live); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
