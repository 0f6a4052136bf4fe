// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
	"github.com/daprise/daprise/test/cluster"
)

func ownedKinds() []schema.GroupVersionKind {
	return append(companion.Kinds(), ciliumv2.SchemeGroupVersion.WithKind("CiliumNetworkPolicy"))
}

// everything of an app's companion, policies not counted.
func appObjects(id string) []string {
	return []string{
		"Configuration " + id + "-dapr", "Deployment " + id + "-dapr", "PodDisruptionBudget " + id + "-dapr",
		"Service " + id + "-dapr", "Service " + id + "-dapr-api", "ServiceAccount " + id + "-dapr",
	}
}

func TestACompanionAppearsAndServes(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	create(t, enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Ready")
	hasReason(t, ns, "whoami", "Covered", "NotIsolated")
	hasReason(t, ns, "whoami", "Meshed", "NoRoute")
	got, err := made(t.Context(), ns)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(appObjects("whoami"), got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func TestACompanionIsHeldUntilItIsIsolated(t *testing.T) {
	ns := namespace(t, nil)
	create(t, enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Held")
	if found, err := exists(t.Context(), ns, "whoami-dapr", deployment(ns, "")); found || err != nil {
		t.Fatalf("a held companion has a Deployment: %v, error %v", found, err)
	}
	create(t, isolating(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Ready")
	hasReason(t, ns, "whoami", "Covered", "Covered")

	// Once started it is never withdrawn, only reported.
	if err := shared.Client.Delete(t.Context(), isolating(ns, "whoami")); err != nil {
		t.Fatal(err)
	}
	hasReason(t, ns, "whoami", "Covered", "NotIsolated")
	hasReason(t, ns, "whoami", "Companion", "Ready")
	if found, err := exists(t.Context(), ns, "whoami-dapr", deployment(ns, "")); !found || err != nil {
		t.Errorf("the Deployment of a companion that lost its policy: %v, error %v", found, err)
	}
}

func TestGeneratedPoliciesComeFirstAndGoLast(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelPolicies: "generate"})
	create(t, enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Ready")
	hasReason(t, ns, "whoami", "Covered", "Covered")

	unenrol(t, ns, "whoami")
	cluster.Eventually(t, func() error {
		policies := &ciliumv2.CiliumNetworkPolicyList{}
		if err := shared.Client.List(t.Context(), policies, client.InNamespace(ns)); err != nil {
			return err
		}
		pods := &corev1.PodList{}
		if err := shared.Client.List(t.Context(), pods, client.InNamespace(ns), client.MatchingLabels{mesh.LabelCompanion: "whoami"}); err != nil {
			return err
		}
		// Policies were listed before pods: none left must mean that no pod was left.
		if len(policies.Items) == 0 && len(pods.Items) > 0 {
			t.Fatalf("the policies are gone while %d of the companion's pods are there", len(pods.Items))
		}
		if len(policies.Items) > 0 {
			return fmt.Errorf("%d policies are left", len(policies.Items))
		}
		return nil
	})
	nothingLeft(t, ns)
	withoutConditions(t, ns, "whoami")
}

func TestACompanionGoesWithItsService(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelPolicies: "generate"})
	service := enrolled(ns, "whoami")
	create(t, service)
	hasReason(t, ns, "whoami", "Companion", "Ready")
	if err := shared.Client.Delete(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, ns)
}

func TestAForeignObjectIsNeverTouched(t *testing.T) {
	sweeping(t)
	ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	foreign := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "whoami-dapr"},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 1234}}},
	}
	create(t, foreign, enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Conflict")
	got := &corev1.Service{}
	if err := shared.Client.Get(t.Context(), client.ObjectKeyFromObject(foreign), got); err != nil {
		t.Fatal(err)
	}
	if got.ResourceVersion != foreign.ResourceVersion {
		t.Errorf("the foreign Service was written: %v", got)
	}
	if found, err := exists(t.Context(), ns, "whoami-dapr", deployment(ns, "")); found || err != nil {
		t.Errorf("a companion in conflict has a Deployment: %v, error %v", found, err)
	}
	if err := shared.Client.Delete(t.Context(), foreign); err != nil {
		t.Fatal(err)
	}
	hasReason(t, ns, "whoami", "Companion", "Ready")
}

func TestAChangeOfStrategyNeverLeavesNoReadyCompanion(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	create(t, enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Ready")

	watching, stop := context.WithCancel(t.Context())
	gaps := make(chan error, 1)
	go func() { gaps <- alwaysReady(watching, ns, "whoami") }()
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"daemonset"}}}`, mesh.AnnotationStrategy)
	if err := shared.Client.Patch(t.Context(), enrolled(ns, "whoami"), client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func() error {
		found, err := exists(t.Context(), ns, "whoami-dapr", deployment(ns, ""))
		if err == nil && found {
			err = errors.New("the Deployment of the former strategy is still there")
		}
		return err
	})
	hasReason(t, ns, "whoami", "Companion", "Ready")
	stop()
	if err := <-gaps; err != nil {
		t.Error(err)
	}
	if found, err := exists(t.Context(), ns, "whoami-dapr", &appsv1.DaemonSet{}); !found || err != nil {
		t.Errorf("the DaemonSet exists: %v, error %v", found, err)
	}
}

// alwaysReady looks at a companion's pods until ctx is done and tells of a moment in which none was ready.
func alwaysReady(ctx context.Context, ns, id string) error {
	for ctx.Err() == nil {
		pods := &corev1.PodList{}
		err := shared.Client.List(ctx, pods, client.InNamespace(ns), client.MatchingLabels{mesh.LabelCompanion: id})
		if err != nil && ctx.Err() == nil {
			return err
		}
		if err == nil && !anyReady(pods.Items) {
			return fmt.Errorf("none of %d pods is ready", len(pods.Items))
		}
		time.Sleep(cluster.Poll)
	}
	return nil
}

func anyReady(pods []corev1.Pod) bool {
	for i := range pods {
		for _, c := range pods[i].Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && pods[i].DeletionTimestamp == nil {
				return true
			}
		}
	}
	return false
}

func TestDriftIsCorrected(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	create(t, enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Ready")
	budget := &metav1.PartialObjectMetadata{}
	budget.SetGroupVersionKind(schema.GroupVersionKind{Group: "policy", Version: "v1", Kind: "PodDisruptionBudget"})
	budget.SetNamespace(ns)
	budget.SetName("whoami-dapr")
	if err := shared.Client.Delete(t.Context(), budget); err != nil {
		t.Fatal(err)
	}
	patch := []byte(`{"spec":{"template":{"spec":{"terminationGracePeriodSeconds":77}}}}`)
	if err := shared.Client.Patch(t.Context(), deployment(ns, "whoami-dapr"), client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func() error {
		names, err := made(t.Context(), ns)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(appObjects("whoami"), names); diff != "" {
			return errors.New(diff)
		}
		d := &appsv1.Deployment{}
		if err := shared.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "whoami-dapr"}, d); err != nil {
			return err
		}
		if s := d.Spec.Template.Spec.TerminationGracePeriodSeconds; s == nil || *s == 77 {
			return errors.New("the Deployment was not corrected")
		}
		return nil
	})
}

func TestNothingIsWrittenWhenIdle(t *testing.T) {
	sweeping(t)
	ns := namespace(t, map[string]string{mesh.LabelPolicies: "generate"})
	create(t, enrolled(ns, "one"), enrolled(ns, "two"))
	hasReason(t, ns, "one", "Companion", "Ready")
	hasReason(t, ns, "two", "Covered", "Covered")

	before := settledWrites(t, ns)
	// Several sweeps pass; time is what this test is about.
	time.Sleep(5 * sweep)
	if after := writes(t, ns); after != before {
		t.Errorf("%d writes in namespace %s while nothing changed", after-before, ns)
	}
}

// settledWrites waits until the controllers' writes in a namespace have ended.
func settledWrites(t *testing.T, ns string) int {
	t.Helper()
	last := -1
	cluster.Eventually(t, func() error {
		now := writes(t, ns)
		if now != last {
			last = now
			time.Sleep(2 * sweep)
			return fmt.Errorf("%d writes and counting: %v", now, written(t, ns))
		}
		return nil
	})
	return last
}

// written tells what the controllers have written in a namespace, and how often.
func written(t testing.TB, ns string) map[string]int {
	t.Helper()
	events, err := shared.AuditEvents()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, e := range events {
		if e.UserAgent == userAgent && e.ObjectRef.Namespace == ns && e.ObjectRef.Resource != "events" {
			found[e.Verb+" "+e.ObjectRef.Resource+"/"+e.ObjectRef.Subresource+" "+e.ObjectRef.Name]++
		}
	}
	return found
}

// writes counts what the controllers have written in a namespace; Events do not count.
func writes(t testing.TB, ns string) int {
	t.Helper()
	n := 0
	for _, times := range written(t, ns) {
		n += times
	}
	return n
}

func nothingLeft(t *testing.T, ns string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		names, err := made(t.Context(), ns)
		if err == nil && len(names) > 0 {
			err = fmt.Errorf("left: %v", names)
		}
		return err
	})
}

func withoutConditions(t *testing.T, ns, service string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		s := &corev1.Service{}
		if err := shared.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: service}, s); err != nil {
			return err
		}
		if len(s.Status.Conditions) > 0 {
			return fmt.Errorf("conditions are left: %v", s.Status.Conditions)
		}
		return nil
	})
}
