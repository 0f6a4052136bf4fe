// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mesh/companion"
	"github.com/daprise/daprise/test/cluster"
)

// configuration is one of Dapr's that a user writes.
func configuration(ns, name string, spec map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetAPIVersion(companion.ConfigurationAPIVersion)
	u.SetKind(companion.ConfigurationKind)
	u.SetNamespace(ns)
	u.SetName(name)
	return u
}

// sampling is a Configuration that says who may call and how much is traced.
func sampling(ns, name, rate string) *unstructured.Unstructured {
	return configuration(ns, name, map[string]any{
		"accessControl": map[string]any{"defaultAction": "deny"},
		"tracing":       map[string]any{"samplingRate": rate},
	})
}

// configured is an enrolled Service that names a Configuration.
func configured(ns, name, configuration string) *corev1.Service {
	s := enrolled(ns, name)
	s.Annotations[mesh.AnnotationConfig] = configuration
	return s
}

// TestAUsersConfigurationRollsItsPods, and no other companion's.
func TestAUsersConfigurationRollsItsPods(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	create(t, sampling(ns, "tracing", "1"), configured(ns, "whoami", "tracing"), enrolled(ns, "other"))
	hasReason(t, ns, "whoami", "Companion", "Ready")
	hasReason(t, ns, "other", "Companion", "Ready")
	before, other := workload(t, ns, "whoami"), workload(t, ns, "other")
	if got := before.Spec.Template.Annotations[mesh.AnnotationConfig]; got != "tracing" {
		t.Errorf("the pods run with Configuration %q", got)
	}

	patch := []byte(`{"spec":{"tracing":{"samplingRate":"0"}}}`)
	if err := shared.Client.Patch(t.Context(), sampling(ns, "tracing", ""), client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func() error {
		hash := workload(t, ns, "whoami").Spec.Template.Annotations[companion.AnnotationConfiguration]
		if hash == before.Spec.Template.Annotations[companion.AnnotationConfiguration] {
			return errors.New("the template has the hash of the former Configuration")
		}
		return podsHave(t, ns, "whoami", companion.AnnotationConfiguration, hash)
	})
	hasReason(t, ns, "whoami", "Companion", "Ready")
	if now := workload(t, ns, "other"); now.Generation != other.Generation {
		t.Error("the companion of an app that does not use the Configuration was rolled")
	}
}

func workload(t *testing.T, ns, id string) *appsv1.Deployment {
	t.Helper()
	d := &appsv1.Deployment{}
	if err := shared.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: mesh.CompanionName(id)}, d); err != nil {
		t.Fatal(err)
	}
	return d
}

// podsHave fails while a pod of a companion has another value of an annotation.
func podsHave(t *testing.T, ns, id, annotation, value string) error {
	t.Helper()
	pods := &corev1.PodList{}
	if err := shared.Client.List(t.Context(), pods, client.InNamespace(ns), client.MatchingLabels{mesh.LabelCompanion: id}); err != nil {
		return err
	}
	for i := range pods.Items {
		if got := pods.Items[i].Annotations[annotation]; got != value {
			return fmt.Errorf("pod %s has %s %q, want %q", pods.Items[i].Name, annotation, got, value)
		}
	}
	return nil
}

// TestAMissingConfigurationHolds: Dapr does not start without a Configuration that it is told of, so the companion is not started, or
// rolled, into a crash loop.
func TestAMissingConfigurationHolds(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	create(t, configured(ns, "whoami", "tracing"))
	hasReason(t, ns, "whoami", "Companion", "Held")
	if found, err := exists(t.Context(), ns, "whoami-dapr", deployment(ns, "")); found || err != nil {
		t.Fatalf("a held companion has a Deployment: %v, error %v", found, err)
	}
	create(t, sampling(ns, "tracing", "1"))
	hasReason(t, ns, "whoami", "Companion", "Ready")

	before := workload(t, ns, "whoami")
	if err := shared.Client.Delete(t.Context(), sampling(ns, "tracing", "")); err != nil {
		t.Fatal(err)
	}
	says(t, ns, "whoami", "Companion", "Configuration "+ns+"/tracing does not exist")
	hasReason(t, ns, "whoami", "Companion", "Ready")
	if now := workload(t, ns, "whoami"); now.Generation != before.Generation {
		t.Error("rolled onto a Configuration that does not exist")
	}
}

// TestAContradictionIsTold: the user's Configuration is used as it is, and the condition says what it does not do.
func TestAContradictionIsTold(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	s := configured(ns, "whoami", "tracing")
	s.Annotations[mesh.AnnotationCallers] = "cart"
	create(t, sampling(ns, "tracing", "1"), s)
	hasReason(t, ns, "whoami", "Companion", "Ready")
	says(t, ns, "whoami", "Companion", "refuses cart."+ns+", which may call the app")
	names, err := made(t.Context(), ns)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(appObjects("whoami")[1:], names); diff != "" {
		t.Errorf("objects; daprise's own Configuration is not among them (-want +got):\n%s", diff)
	}
}

// TestCallersOfAnotherTrustDomain: an app's access control names each caller by the trust domain of the caller's own Configuration, as it
// is now, also that of another namespace. No sweep helps here.
func TestCallersOfAnotherTrustDomain(t *testing.T) {
	ns, elsewhere := namespace(t, map[string]string{mesh.LabelCoverage: "warn"}), namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	trusting := func(domain string) *unstructured.Unstructured {
		return configuration(elsewhere, "td", map[string]any{"accessControl": map[string]any{"defaultAction": "deny", "trustDomain": domain}})
	}
	whoami := enrolled(ns, "whoami")
	whoami.Annotations[mesh.AnnotationCallers] = "cart." + elsewhere + ", plain." + elsewhere
	create(t, trusting("one.example"), configured(elsewhere, "cart", "td"), enrolled(elsewhere, "plain"), whoami)
	trusts(t, ns, map[string]string{"cart": "one.example", "plain": "public"})
	patch := []byte(`{"spec":{"accessControl":{"trustDomain":"two.example"}}}`)
	if err := shared.Client.Patch(t.Context(), trusting(""), client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatal(err)
	}
	trusts(t, ns, map[string]string{"cart": "two.example", "plain": "public"})
	hasReason(t, ns, "whoami", "Companion", "Ready")
}

// trusts waits until the access control of whoami's companion names callers by these trust domains.
func trusts(t *testing.T, ns string, want map[string]string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		u := configuration(ns, "whoami-dapr", nil)
		if err := shared.Client.Get(t.Context(), client.ObjectKeyFromObject(u), u); err != nil {
			return err
		}
		c := mesh.ConfigurationOf(u)
		got := map[string]string{}
		if c.AccessControl != nil {
			for _, p := range c.AccessControl.Policies {
				got[p.AppID] = p.TrustDomain
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			return errors.New("trust domains (-want +got):\n" + diff)
		}
		return nil
	})
}
