// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/test/cluster"
)

// gapless looks at the pods of companions while do runs, and fails if at any moment none was ready.
func gapless(t *testing.T, ns string, ids []string, do func()) {
	t.Helper()
	watching, stop := context.WithCancel(t.Context())
	defer stop()
	gap := make(chan error, 1)
	go func() { gap <- oneReady(watching, ns, ids) }()
	do()
	stop()
	if err := <-gap; err != nil {
		t.Error(err)
	}
}

func oneReady(ctx context.Context, ns string, ids []string) error {
	for ctx.Err() == nil {
		ready := false
		for _, id := range ids {
			pods := &corev1.PodList{}
			err := shared.Client.List(ctx, pods, client.InNamespace(ns), client.MatchingLabels{mesh.LabelCompanion: id})
			if err != nil && ctx.Err() == nil {
				return err
			}
			ready = ready || anyReady(pods.Items)
		}
		if !ready && ctx.Err() == nil {
			return fmt.Errorf("no companion of %v is ready", ids)
		}
		time.Sleep(cluster.Poll)
	}
	return nil
}

func merge(t *testing.T, object client.Object, patch string) {
	t.Helper()
	if err := shared.Client.Patch(t.Context(), object, client.RawPatch("application/merge-patch+json", []byte(patch))); err != nil {
		t.Fatal(err)
	}
}

// TestARenamedAppAlwaysHasAReadyCompanion: the companion of the former app ID goes when that of the new one is ready, and its policies
// after its last pod.
func TestARenamedAppAlwaysHasAReadyCompanion(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelPolicies: "generate"})
	create(t, enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Ready")
	gapless(t, ns, []string{"whoami", "hello"}, func() {
		merge(t, enrolled(ns, "whoami"), fmt.Sprintf(`{"metadata":{"labels":{%q:"hello"},"annotations":{%q:"hello"}}}`, mesh.LabelAppID, mesh.AnnotationAppID))
		isolatedToTheLast(t, ns, "whoami")
	})
	cluster.Eventually(t, func() error {
		names, err := made(t.Context(), ns)
		if err == nil && len(names) != len(appObjects("hello"))+1 {
			err = fmt.Errorf("objects: %v", names)
		}
		return err
	})
	hasReason(t, ns, "whoami", "Companion", "Ready")
	hasReason(t, ns, "whoami", "Meshed", "NoRoute")
}

// isolatedToTheLast waits until a companion's policies are gone, and fails if a pod was there still.
func isolatedToTheLast(t *testing.T, ns, id string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		policies := &ciliumv2.CiliumNetworkPolicyList{}
		if err := shared.Client.List(t.Context(), policies, client.InNamespace(ns), client.MatchingLabels{mesh.LabelInstance: id}); err != nil {
			return err
		}
		pods := &corev1.PodList{}
		if err := shared.Client.List(t.Context(), pods, client.InNamespace(ns), client.MatchingLabels{mesh.LabelCompanion: id}); err != nil {
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
}

// TestARenameWaitsForWhatIsHeld: what takes the place of a companion may not start, so that it stays.
func TestARenameWaitsForWhatIsHeld(t *testing.T) {
	ns := namespace(t, nil)
	create(t, isolating(ns, "whoami"), enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Ready")
	merge(t, enrolled(ns, "whoami"), fmt.Sprintf(`{"metadata":{"labels":{%q:"hello"},"annotations":{%q:"hello"}}}`, mesh.LabelAppID, mesh.AnnotationAppID))
	hasReason(t, ns, "whoami", "Companion", "Held")
	// Time is what this is about: longer than an enrolment has to be gone.
	time.Sleep(6 * time.Second)
	if found, err := exists(t.Context(), ns, "whoami-dapr", deployment(ns, "")); !found || err != nil {
		t.Fatalf("the former companion's Deployment: %v, error %v", found, err)
	}
	hello := isolating(ns, "hello")
	hello.Spec.Ingress[0].FromEndpoints = isolating(ns, "whoami").Spec.Ingress[0].FromEndpoints
	create(t, hello)
	cluster.Eventually(t, func() error {
		found, err := exists(t.Context(), ns, "whoami-dapr", deployment(ns, ""))
		if err == nil && found {
			err = errors.New("the former companion's Deployment is still there")
		}
		return err
	})
	hasReason(t, ns, "whoami", "Companion", "Ready")
}

// appDeployment are the app's own pods, enrolled or not, as admission leaves the Deployment.
func appDeployment(ns, name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: "daprise.example/whoami:1"}}},
			},
		},
	}
}

// TestAMovedEnrolmentKeepsItsCompanion: from the Service to the Deployment and back, whichever is written first, the companion is the same,
// and always ready.
func TestAMovedEnrolmentKeepsItsCompanion(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	create(t, appDeployment(ns, "whoami"), enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Companion", "Ready")
	before := workload(t, ns, "whoami")
	on := fmt.Sprintf(`{"metadata":{"labels":{%q:"whoami"},"annotations":{%q:"true"}}}`, mesh.LabelAppID, mesh.AnnotationEnabled)
	off := fmt.Sprintf(`{"metadata":{"labels":{%q:null},"annotations":{%q:null}}}`, mesh.LabelAppID, mesh.AnnotationEnabled)
	service, app := enrolled(ns, "whoami"), appDeployment(ns, "whoami")
	gapless(t, ns, []string{"whoami"}, func() {
		merge(t, service, off)
		// As slow as a person with two commands in one line.
		time.Sleep(time.Second)
		merge(t, app, on)
		ownedBy(t, ns, "Deployment")
		merge(t, service, on)
		merge(t, app, off)
		ownedBy(t, ns, "Service")
		// Longer than an enrolment has to be gone.
		time.Sleep(6 * time.Second)
	})
	if now := workload(t, ns, "whoami"); now.UID != before.UID {
		t.Error("the companion's Deployment was made anew")
	}
	hasReason(t, ns, "whoami", "Companion", "Ready")
}

// ownedBy waits until the objects of whoami's companion belong to an object of a kind alone.
func ownedBy(t *testing.T, ns, kind string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		owners := workload(t, ns, "whoami").OwnerReferences
		if len(owners) != 1 || owners[0].Kind != kind {
			return fmt.Errorf("owners %v, want one %s", owners, kind)
		}
		return nil
	})
}

// TestALocalRedirectIsReplaced: Cilium does not follow changes of one, so that another object takes its place.
func TestALocalRedirectIsReplaced(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	s := enrolled(ns, "whoami")
	s.Annotations[mesh.AnnotationLocalRedirect] = "true"
	create(t, s)
	hasReason(t, ns, "whoami", "Companion", "Ready")
	redirect := func() (*ciliumv2.CiliumLocalRedirectPolicy, error) {
		r := &ciliumv2.CiliumLocalRedirectPolicy{}
		return r, shared.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "whoami-dapr"}, r)
	}
	before, err := redirect()
	if err != nil {
		t.Fatal(err)
	}
	says(t, ns, "whoami", "Companion", "without which Cilium ignores local redirects")

	// The app now has the number of daprd's own port, which moves.
	merge(t, s, `{"spec":{"ports":[{"name":"http","port":3500}]}}`)
	cluster.Eventually(t, func() error {
		now, err := redirect()
		if err != nil {
			return err
		}
		if port := now.Spec.RedirectBackend.ToPorts[0].Port; port != "3510" {
			return fmt.Errorf("the redirect leads to port %s", port)
		}
		if now.UID == before.UID {
			t.Fatal("the redirect was updated")
		}
		return nil
	})
	hasReason(t, ns, "whoami", "Companion", "Ready")

	merge(t, s, fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, mesh.AnnotationLocalRedirect))
	cluster.Eventually(t, func() error {
		found, err := exists(t.Context(), ns, "whoami-dapr", &ciliumv2.CiliumLocalRedirectPolicy{})
		if err == nil && found {
			err = errors.New("the redirect is still there")
		}
		return err
	})
}
