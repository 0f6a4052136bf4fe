// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/test/cluster"
)

// found is how soon a gap in coverage must be told of.
const found = time.Minute

// within holds what the controllers do by themselves to a limit.
func within(t *testing.T, limit time.Duration, do func()) {
	t.Helper()
	began := time.Now()
	do()
	if took := time.Since(began); took > limit {
		t.Errorf("took %s, want at most %s", took.Round(time.Second), limit)
	}
}

// covered is a namespace with an app whose companion runs and is covered. There is no admission in this suite: nothing keeps anyone from
// writing what opens it.
func covered(t *testing.T) (ns string) {
	t.Helper()
	ns = namespace(t, nil)
	create(t, isolating(ns, "whoami"), enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Ready")
	hasReason(t, ns, "whoami", "Covered", "Covered")
	return ns
}

// hasEvent waits for an Event about a Service with a reason.
func hasEvent(t *testing.T, ns, service, reason string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		list := &eventsv1.EventList{}
		if err := shared.Client.List(t.Context(), list, client.InNamespace(ns)); err != nil {
			return err
		}
		for _, e := range list.Items {
			if e.Regarding.Kind == "Service" && e.Regarding.Name == service && e.Reason == reason {
				return nil
			}
		}
		return fmt.Errorf("no Event %s about Service %s among %d", reason, service, len(list.Items))
	})
}

// tells waits for the condition Covered of a Service to say something.
func tells(t *testing.T, ns, service, text string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		s := &corev1.Service{}
		if err := shared.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: service}, s); err != nil {
			return err
		}
		if c := meta.FindStatusCondition(s.Status.Conditions, "Covered"); c == nil || !strings.Contains(c.Message, text) {
			return fmt.Errorf("condition Covered is %+v, want %q in its message", c, text)
		}
		return nil
	})
}

// TestAGapIsFoundWithinAMinute: a policy that is taken away past admission.
func TestAGapIsFoundWithinAMinute(t *testing.T) {
	ns := covered(t)
	if err := shared.Client.Delete(t.Context(), isolating(ns, "whoami")); err != nil {
		t.Fatal(err)
	}
	within(t, found, func() {
		hasReason(t, ns, "whoami", "Covered", "NotIsolated")
		hasEvent(t, ns, "whoami", "NotIsolated")
	})
}

// pod is one that runs nothing in particular.
func pod(ns, name string, labels map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "daprise.example/app:1", Ports: []corev1.ContainerPort{{ContainerPort: 80}}}}},
	}
}

// TestAForeignPodWithACompanionsLabelIsFound at once, and its end, too: network policy takes it for the companion.
func TestAForeignPodWithACompanionsLabelIsFound(t *testing.T) {
	ns := covered(t)
	holder := pod(ns, "holder", map[string]string{mesh.LabelCompanion: "whoami"})
	create(t, holder)
	within(t, found, func() {
		tells(t, ns, "whoami", "DPR113")
		hasReason(t, ns, "whoami", "Covered", "NotIsolated")
	})
	if err := shared.Client.Delete(t.Context(), holder, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	within(t, found, func() { hasReason(t, ns, "whoami", "Covered", "Covered") })
}

// closing lets nobody in to the pods of a tier.
func closing(ns, tier string) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "closed-" + tier},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"tier": tier}},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
		},
	}
}

// TestPodsThatBecomeUnreachableAreFound: the companion's way to its app depends on the labels of the app's pods. New ones that a policy
// closes are looked at once they are endpoints of the Service.
func TestPodsThatBecomeUnreachableAreFound(t *testing.T) {
	ns := covered(t)
	create(t, closing(ns, "back"), pod(ns, "old", map[string]string{"app": "whoami"}))
	hasReason(t, ns, "whoami", "Covered", "Covered")
	relabelled := pod(ns, "new", map[string]string{"app": "whoami", "tier": "back"})
	create(t, relabelled)
	within(t, found, func() {
		hasReason(t, ns, "whoami", "Covered", "Unreachable")
		tells(t, ns, "whoami", "closed-back")
	})
	if err := shared.Client.Delete(t.Context(), relabelled, client.GracePeriodSeconds(0)); err != nil {
		t.Fatal(err)
	}
	within(t, found, func() { hasReason(t, ns, "whoami", "Covered", "Covered") })
}
