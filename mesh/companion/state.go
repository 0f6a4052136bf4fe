// SPDX-License-Identifier: Apache-2.0

package companion

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/daprise/daprise/mesh"
)

// State tells from the live workload of a companion whether it serves as desired, the workload that App or Ingress renders now. live
// is a Deployment or DaemonSet, or nil where there is none. Both are of one kind: during a change of strategy, the new kind is
// looked at and the old one only makes the companion Live.
//
// Ready needs the live template to be the desired one (and with it the Configuration, whose hash it carries), the status to be about
// that template, at least one ready pod, and no pod of an older template: an older pod may not yet let a new caller in, and
// callers pick any ready pod. It does not modify its arguments.
func State(desired, live runtime.Object) (mesh.CompanionState, error) {
	if live == nil {
		return mesh.CompanionState{}, nil
	}
	state := mesh.CompanionState{Live: true}
	var serves bool
	switch w := live.(type) {
	case *appsv1.Deployment:
		if w == nil {
			return mesh.CompanionState{}, nil
		}
		_, same := desired.(*appsv1.Deployment)
		serves = same && deploymentServes(w)
	case *appsv1.DaemonSet:
		if w == nil {
			return mesh.CompanionState{}, nil
		}
		_, same := desired.(*appsv1.DaemonSet)
		serves = same && daemonSetServes(w)
	default:
		return mesh.CompanionState{}, fmt.Errorf("state of a companion: %T is no workload", live)
	}
	if !serves {
		return state, nil
	}
	current, err := UpToDate(desired, live)
	state.Ready = current
	return state, err
}

// Serves says whether a live workload serves with the template that it has, whatever that is: the rest of State.
func Serves(live runtime.Object) bool {
	switch w := live.(type) {
	case *appsv1.Deployment:
		return deploymentServes(w)
	case *appsv1.DaemonSet:
		return daemonSetServes(w)
	default:
		return false
	}
}

func deploymentServes(d *appsv1.Deployment) bool {
	s := d.Status
	return s.ObservedGeneration >= d.Generation && s.ReadyReplicas >= 1 && s.UpdatedReplicas == s.Replicas
}

func daemonSetServes(d *appsv1.DaemonSet) bool {
	s := d.Status
	return s.ObservedGeneration >= d.Generation && s.NumberReady >= 1 && s.UpdatedNumberScheduled == s.CurrentNumberScheduled
}
