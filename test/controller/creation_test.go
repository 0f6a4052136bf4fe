// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/test/cluster"
)

// TestAnObjectIsCreatedByOneRequest: nothing is looked for before it is made, and nothing is made twice.
func TestAnObjectIsCreatedByOneRequest(t *testing.T) {
	ns, before := namespace(t, nil), asked.now()
	create(t, enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Held")
	after := asked.now()
	want := map[string]int{
		"GET serviceaccounts": 0, "PATCH serviceaccounts": 1,
		"GET configurations": 0, "PATCH configurations": 1,
		"GET poddisruptionbudgets": 0, "PATCH poddisruptionbudgets": 1,
		"GET services": 0, "PATCH services": 2, "PATCH services/status": 1,
	}
	got := map[string]int{}
	for key := range want {
		got[key] = after[key] - before[key]
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// TestWhatWasCreatedLosesWhatIsNoLongerApplied: fields of a new object belong to what was applied, so that one that is no longer applied goes.
func TestWhatWasCreatedLosesWhatIsNoLongerApplied(t *testing.T) {
	ns := namespace(t, nil)
	service := enrolled(ns, "whoami")
	service.Annotations[mesh.AnnotationStrategy] = string(mesh.StrategyDaemonSet)
	create(t, service)
	hasReason(t, ns, "whoami", "Companion", "Held")
	api := &corev1.Service{}
	has := func(want corev1.ServiceInternalTrafficPolicy) error {
		if err := shared.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "whoami-dapr-api"}, api); err != nil {
			return err
		}
		if got := api.Spec.InternalTrafficPolicy; got == nil || *got != want {
			return fmt.Errorf("internalTrafficPolicy is %v, want %s", got, want)
		}
		return nil
	}
	if err := has(corev1.ServiceInternalTrafficPolicyLocal); err != nil {
		t.Fatal(err)
	}
	var owners []string
	for _, entry := range api.ManagedFields {
		owners = append(owners, entry.Manager+" "+string(entry.Operation)+" "+entry.Subresource)
	}
	if diff := cmp.Diff([]string{mesh.FieldManager + " " + string(metav1.ManagedFieldsOperationApply) + " "}, owners); diff != "" {
		t.Errorf("owners of fields (-want +got):\n%s", diff)
	}
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:null}}}`, mesh.AnnotationStrategy)
	if err := shared.Client.Patch(t.Context(), enrolled(ns, "whoami"), client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func() error { return has(corev1.ServiceInternalTrafficPolicyCluster) })
}

// TestAForeignObjectIsTriedOnce: however often the companion is looked at. The ServiceAccount is one that an apply without force could write to: it has no field
// that conflicts.
func TestAForeignObjectIsTriedOnce(t *testing.T) {
	sweeping(t)
	ns := namespace(t, nil)
	foreign := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "whoami-dapr"}}
	create(t, foreign, enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Conflict")
	settledWrites(t, ns)
	tried := written(t, ns)["patch serviceaccounts/ whoami-dapr"]
	if tried == 0 || tried > 2 {
		t.Errorf("two managers tried %d times to make an object that is somebody else's", tried)
	}
	got := &corev1.ServiceAccount{}
	if err := shared.Client.Get(t.Context(), client.ObjectKeyFromObject(foreign), got); err != nil {
		t.Fatal(err)
	}
	if got.ResourceVersion != foreign.ResourceVersion {
		t.Error("the foreign ServiceAccount was written to")
	}
}
