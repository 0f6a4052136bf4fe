// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/test/cluster"
)

// TestAnAutoscalersReplicasStay: what a HorizontalPodAutoscaler sets is left as it is, also when the companion is applied again; what
// somebody sets by hand is corrected.
func TestAnAutoscalersReplicasStay(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	create(t, enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Ready")
	scale(t, ns, "kubectl", 5)
	replicasBecome(t, ns, 2)

	scale(t, ns, "kube-controller-manager", 4)
	// Something else to correct, so that the Deployment is applied.
	patch := fmt.Appendf(nil, `{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":77}}}}`)
	if err := shared.Client.Patch(t.Context(), deployment(ns, "whoami-dapr"), client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func() error {
		d := &appsv1.Deployment{}
		if err := shared.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "whoami-dapr"}, d); err != nil {
			return err
		}
		if *d.Spec.Template.Spec.TerminationGracePeriodSeconds == 77 {
			return fmt.Errorf("not applied yet")
		}
		return nil
	})
	replicasBecome(t, ns, 4)
	hasReason(t, ns, "whoami", "Companion", "Ready")
}

// scale sets the replicas of whoami's companion through the subresource that autoscalers use.
func scale(t *testing.T, ns, manager string, replicas int) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	err := shared.Client.SubResource("scale").Patch(t.Context(), deployment(ns, "whoami-dapr"), client.RawPatch("application/merge-patch+json", patch), client.FieldOwner(manager))
	if err != nil {
		t.Fatal(err)
	}
}

func replicasBecome(t *testing.T, ns string, want int32) {
	t.Helper()
	cluster.Eventually(t, func() error {
		d := &appsv1.Deployment{}
		if err := shared.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "whoami-dapr"}, d); err != nil {
			return err
		}
		if got := *d.Spec.Replicas; got != want {
			return fmt.Errorf("%d replicas, want %d", got, want)
		}
		return nil
	})
}
