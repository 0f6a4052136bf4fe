// SPDX-License-Identifier: Apache-2.0

package companion

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// revisionHistory is how many old templates a workload keeps: nobody rolls a companion back by hand, daprise would undo it.
const revisionHistory = 2

// deployment replaces its pods one by one, each only after its successor is ready.
func (i instance) deployment() *appsv1.Deployment {
	template := i.podTemplate()
	template.Spec.TopologySpreadConstraints = i.spread()
	d := &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "Deployment"},
		ObjectMeta: i.objectMeta(i.name()),
		Spec: appsv1.DeploymentSpec{
			Replicas:             new(i.replicas),
			RevisionHistoryLimit: new(int32(revisionHistory)),
			Selector:             &metav1.LabelSelector{MatchLabels: i.selector()},
			Strategy: appsv1.DeploymentStrategy{
				Type: appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{
					MaxUnavailable: new(intstr.FromInt32(0)),
					MaxSurge:       new(intstr.FromInt32(1)),
				},
			},
			Template: template,
		},
	}
	if i.input.Autoscaled {
		d.Spec.Replicas = nil
	}
	return d
}

// daemonSet starts a pod's successor beside it on the node, which works because companions use no host ports.
func (i instance) daemonSet() *appsv1.DaemonSet {
	return &appsv1.DaemonSet{
		TypeMeta:   metav1.TypeMeta{APIVersion: "apps/v1", Kind: "DaemonSet"},
		ObjectMeta: i.objectMeta(i.name()),
		Spec: appsv1.DaemonSetSpec{
			RevisionHistoryLimit: new(int32(revisionHistory)),
			Selector:             &metav1.LabelSelector{MatchLabels: i.selector()},
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{
				Type: appsv1.RollingUpdateDaemonSetStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDaemonSet{
					MaxUnavailable: new(intstr.FromInt32(0)),
					MaxSurge:       new(intstr.FromInt32(1)),
				},
			},
			Template: i.podTemplate(),
		},
	}
}

// spread puts replicas on different zones and nodes where there are some. The pods of one template are counted alone, so that a
// rollout ends evenly spread.
func (i instance) spread() []corev1.TopologySpreadConstraint {
	constraints := make([]corev1.TopologySpreadConstraint, 0, 2)
	for _, key := range []string{corev1.LabelTopologyZone, corev1.LabelHostname} {
		constraints = append(constraints, corev1.TopologySpreadConstraint{
			MaxSkew:           1,
			TopologyKey:       key,
			WhenUnsatisfiable: corev1.ScheduleAnyway,
			LabelSelector:     &metav1.LabelSelector{MatchLabels: i.selector()},
			MatchLabelKeys:    []string{appsv1.DefaultDeploymentUniqueLabelKey},
		})
	}
	return constraints
}
