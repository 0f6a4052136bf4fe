// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/test/cluster"
)

// shut closes every pod of a namespace in some directions.
func shut(ns string, directions ...networkingv1.PolicyType) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "shut"}, Spec: networkingv1.NetworkPolicySpec{PolicyTypes: directions}}
}

// TestOpeningsFollowWhatIsClosed: where policies are generated, those that open are there while a policy closes the direction, and no longer;
// the enrolled object owns them, and they close nothing themselves.
func TestOpeningsFollowWhatIsClosed(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelPolicies: "generate"})
	create(t, pod(ns, "whoami", map[string]string{"app": "whoami"}), enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Covered", "Covered")
	hasPolicies(t, ns, "whoami-dapr")

	create(t, shut(ns, networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress))
	hasPolicies(t, ns, "whoami-dapr", "whoami-dapr-out", "whoami-dapr-to-whoami")
	hasReason(t, ns, "whoami", "Covered", "Covered")
	openOnly(t, ns, "whoami-dapr-out", "whoami-dapr-to-whoami")

	if err := shared.Client.Update(t.Context(), replacing(t, shut(ns, networkingv1.PolicyTypeIngress))); err != nil {
		t.Fatal(err)
	}
	hasPolicies(t, ns, "whoami-dapr", "whoami-dapr-to-whoami")
	if err := shared.Client.Delete(t.Context(), shut(ns)); err != nil {
		t.Fatal(err)
	}
	hasPolicies(t, ns, "whoami-dapr")
	hasReason(t, ns, "whoami", "Covered", "Covered")
}

// TestOpeningsGoAfterTheLastPod: a companion that leaves keeps its way out as long as it runs, and its isolation as long.
func TestOpeningsGoAfterTheLastPod(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelPolicies: "generate"})
	create(t, shut(ns, networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress), pod(ns, "whoami", map[string]string{"app": "whoami"}), enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Ready")
	hasReason(t, ns, "whoami", "Covered", "Covered")
	hasPolicies(t, ns, "whoami-dapr", "whoami-dapr-out", "whoami-dapr-to-whoami")
	unenrol(t, ns, "whoami")
	cluster.Eventually(t, func() error {
		left := policiesOf(t, ns)
		pods := &corev1.PodList{}
		if err := shared.Client.List(t.Context(), pods, client.InNamespace(ns), client.MatchingLabels{mesh.LabelCompanion: "whoami"}); err != nil {
			return err
		}
		// Policies were listed before pods: one that is missing must mean that no pod was left.
		if len(left) < 3 && len(pods.Items) > 0 {
			t.Fatalf("of the policies %v alone are left while %d of the companion's pods are there", left, len(pods.Items))
		}
		if len(left) > 0 {
			return fmt.Errorf("policies %v are left", left)
		}
		return nil
	})
	nothingLeft(t, ns)
}

// policiesOf are the names of the CiliumNetworkPolicies that daprise made, sorted.
func policiesOf(t *testing.T, ns string) []string {
	t.Helper()
	list := &ciliumv2.CiliumNetworkPolicyList{}
	if err := shared.Client.List(t.Context(), list, client.InNamespace(ns), client.MatchingLabels{mesh.LabelManagedBy: mesh.ManagedByDaprise}); err != nil {
		t.Fatal(err)
	}
	var names []string
	for i := range list.Items {
		names = append(names, list.Items[i].Name)
	}
	slices.Sort(names)
	return names
}

// hasPolicies waits for exactly these.
func hasPolicies(t *testing.T, ns string, names ...string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		if got := policiesOf(t, ns); strings.Join(got, " ") != strings.Join(names, " ") {
			return fmt.Errorf("policies are %v, want %v", got, names)
		}
		return nil
	})
}

// openOnly holds policies to what those that open must be.
func openOnly(t *testing.T, ns string, names ...string) {
	t.Helper()
	service := &corev1.Service{}
	if err := shared.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "whoami"}, service); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		p := &ciliumv2.CiliumNetworkPolicy{}
		if err := shared.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: name}, p); err != nil {
			t.Fatal(err)
		}
		if !metav1.IsControlledBy(p, service) {
			t.Errorf("%s is not the Service's: %+v", name, p.OwnerReferences)
		}
		deny := p.Spec.EnableDefaultDeny
		if deny.Ingress == nil || *deny.Ingress || deny.Egress == nil || *deny.Egress {
			t.Errorf("%s closes a direction: %+v", name, deny)
		}
	}
}

// replacing is an object with the version of the stored one.
func replacing(t *testing.T, object client.Object) client.Object {
	t.Helper()
	stored := &networkingv1.NetworkPolicy{}
	if err := shared.Client.Get(t.Context(), client.ObjectKeyFromObject(object), stored); err != nil {
		t.Fatal(err)
	}
	object.SetResourceVersion(stored.ResourceVersion)
	return object
}
