// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	ciliumv2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/test/cluster"
)

// says waits for the message of a condition of a Service to contain a text.
func says(t *testing.T, ns, service, kind, text string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		s := &corev1.Service{}
		if err := shared.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: service}, s); err != nil {
			return err
		}
		c := meta.FindStatusCondition(s.Status.Conditions, kind)
		if c == nil || !strings.Contains(c.Message, text) {
			return fmt.Errorf("condition %s is %+v, want %q in its message", kind, c, text)
		}
		return nil
	})
}

// patience is how long a test looks whether the controllers keep quiet, and attempts how often they may try again what fails in that
// time: they wait twice as long after each attempt, and a fifth of a second at first.
const (
	patience = 8 * time.Second
	attempts = 7
)

// refuser makes the API server refuse the Deployments of a namespace, and stops it.
type refuser struct {
	name string
	on   func(t *testing.T, ns string)
	off  func(t *testing.T, ns string)
	says string
}

// TestRefusals: what the API server refuses of a companion is its condition, it is tried again less and less often, and once nothing is
// refused any more the companion comes up.
func TestRefusals(t *testing.T) {
	for _, r := range []refuser{
		{"a quota", withQuota, withoutQuota, "exceeded quota: none"},
		{"somebody's policy", withPolicy, withoutPolicy, "no Deployments here"},
	} {
		t.Run(r.name, func(t *testing.T) {
			ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
			r.on(t, ns)
			create(t, enrolled(ns, "whoami"))
			hasReason(t, ns, "whoami", "Companion", "Refused")
			says(t, ns, "whoami", "Companion", r.says)
			before := written(t, ns)
			// Time is what this is about.
			time.Sleep(patience)
			for what, times := range written(t, ns) {
				if more := times - before[what]; more > attempts {
					t.Errorf("%s: %d times in %s", what, more, patience)
				}
			}
			r.off(t, ns)
			hasReason(t, ns, "whoami", "Companion", "Ready")
		})
	}
}

func quota(ns string) *corev1.ResourceQuota {
	return &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"count/deployments.apps": resource.MustParse("0")}},
	}
}

func withQuota(t *testing.T, ns string) {
	t.Helper()
	create(t, quota(ns))
	refusesDeployments(t, ns)
}

func withoutQuota(t *testing.T, ns string) {
	t.Helper()
	if err := shared.Client.Delete(t.Context(), quota(ns)); err != nil {
		t.Fatal(err)
	}
}

// policy of somebody who wants no Deployments in a namespace.
func policy(ns string) (*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
	name := "no-deployments-" + ns
	rule := admissionregistrationv1.RuleWithOperations{
		Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
		Rule:       admissionregistrationv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
	}
	p := &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{mesh.LabelNamespaceName: ns}},
				ResourceRules:     []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: rule}},
			},
			Validations: []admissionregistrationv1.Validation{{Expression: "false", Message: "no Deployments here", Reason: new(metav1.StatusReasonForbidden)}},
		},
	}
	b := &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
	return p, b
}

func withPolicy(t *testing.T, ns string) {
	t.Helper()
	p, b := policy(ns)
	create(t, p, b)
	t.Cleanup(func() { remove(t, p, b) })
	refusesDeployments(t, ns)
}

func withoutPolicy(t *testing.T, ns string) {
	t.Helper()
	p, b := policy(ns)
	remove(t, b, p)
}

// remove deletes objects that may be gone already, also when the test is over.
func remove(t *testing.T, objects ...client.Object) {
	t.Helper()
	for _, object := range objects {
		if err := shared.Client.Delete(context.Background(), object); client.IgnoreNotFound(err) != nil {
			t.Errorf("delete %T %s: %v", object, object.GetName(), err)
		}
	}
}

// refusesDeployments waits until the API server has learnt to refuse.
func refusesDeployments(t *testing.T, ns string) {
	t.Helper()
	cluster.Eventually(t, func() error {
		err := shared.Client.Create(t.Context(), appDeployment(ns, "probe"), client.DryRunAll)
		if apierrors.IsForbidden(err) {
			return nil
		}
		return fmt.Errorf("a Deployment is not refused: %w", errors.Join(err, errors.New("try again")))
	})
}

// TestPodsThatNeverComeUp: neither pods that cannot be made nor pods that find no node make the controllers write anything once it is said.
func TestPodsThatNeverComeUp(t *testing.T) {
	sweeping(t)
	for _, tt := range []struct {
		name, says string
		prepare    func(t *testing.T, ns string)
	}{
		{"no pod is allowed", "exceeded quota: none", func(t *testing.T, ns string) {
			t.Helper()
			q := quota(ns)
			q.Spec.Hard = corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}
			create(t, q)
			cluster.Eventually(t, func() error {
				if err := shared.Client.Get(t.Context(), client.ObjectKeyFromObject(q), q); err != nil {
					return err
				}
				if len(q.Status.Hard) == 0 {
					return errors.New("the quota does not count yet")
				}
				return nil
			})
		}},
		{"no node takes pods", "the companion is starting or rolling out", func(t *testing.T, _ string) {
			t.Helper()
			cordon(t, true)
			t.Cleanup(func() { cordon(t, false) })
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
			tt.prepare(t, ns)
			create(t, enrolled(ns, "whoami"))
			hasReason(t, ns, "whoami", "Companion", "Progressing")
			says(t, ns, "whoami", "Companion", tt.says)
			before := settledWrites(t, ns)
			// Several sweeps pass; time is what this is about.
			time.Sleep(5 * sweep)
			if after := writes(t, ns); after != before {
				t.Errorf("%d writes while nothing changed: %v", after-before, written(t, ns))
			}
		})
	}
}

// cordon keeps new pods from all nodes, or lets them in again.
func cordon(t *testing.T, closed bool) {
	t.Helper()
	nodes := &corev1.NodeList{}
	if err := shared.Client.List(context.Background(), nodes); err != nil {
		t.Fatal(err)
	}
	patch := fmt.Appendf(nil, `{"spec":{"unschedulable":%t}}`, closed)
	for i := range nodes.Items {
		if err := shared.Client.Patch(context.Background(), &nodes.Items[i], client.RawPatch("application/merge-patch+json", patch)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestConflictingEnrolments: of two that two replicas admitted at once, the older stands, and the other is told so and takes its place when
// that one leaves.
func TestConflictingEnrolments(t *testing.T) {
	sweeping(t)
	ns := namespace(t, map[string]string{mesh.LabelCoverage: "warn"})
	first, second := enrolled(ns, "first"), enrolled(ns, "second")
	for _, s := range []*corev1.Service{first, second} {
		s.Labels[mesh.LabelAppID], s.Annotations[mesh.AnnotationAppID] = "same", "same"
	}
	create(t, first)
	hasReason(t, ns, "first", "Companion", "Ready")
	// Ages are counted in seconds.
	time.Sleep(1100 * time.Millisecond)
	create(t, second)
	hasReason(t, ns, "second", "Companion", "Refused")
	says(t, ns, "second", "Companion", `app ID "same" belongs to Service `+ns+`/first`)
	before := settledWrites(t, ns)
	time.Sleep(5 * sweep)
	if after := writes(t, ns); after != before {
		t.Errorf("%d writes while nothing changed: %v", after-before, written(t, ns))
	}
	hasReason(t, ns, "first", "Companion", "Ready")
	if err := shared.Client.Delete(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	hasReason(t, ns, "second", "Companion", "Ready")
}

// TestANamespaceThatGoes: nothing is made in a namespace that is being deleted, and nothing is tried for long.
func TestANamespaceThatGoes(t *testing.T) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "t-", Labels: map[string]string{mesh.LabelPolicies: "generate"}}}
	create(t, ns)
	create(t, enrolled(ns.Name, "one"), enrolled(ns.Name, "two"))
	hasReason(t, ns.Name, "one", "Companion", "Ready")
	hasReason(t, ns.Name, "two", "Companion", "Ready")
	if err := shared.Client.Delete(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func() error {
		err := shared.Client.Get(t.Context(), client.ObjectKeyFromObject(ns), ns)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("the namespace is still there: %w", errors.Join(err, errors.New("wait")))
	})
	events, err := shared.AuditEvents()
	if err != nil {
		t.Fatal(err)
	}
	refused := map[string]int{}
	for _, e := range events {
		if e.UserAgent == userAgent && e.ObjectRef.Namespace == ns.Name && e.ObjectRef.Resource != "events" && e.ResponseStatus.Code >= 400 {
			refused[e.Verb+" "+e.ObjectRef.Resource+" "+e.ObjectRef.Name]++
		}
	}
	for what, times := range refused {
		if times > attempts {
			t.Errorf("%s was refused %d times", what, times)
		}
	}
}

// TestDriftWithinAList: what somebody else writes into a list of ours is taken out, though what was wanted is still in it.
func TestDriftWithinAList(t *testing.T) {
	ns := namespace(t, map[string]string{mesh.LabelPolicies: "generate"})
	create(t, enrolled(ns, "whoami"))
	hasReason(t, ns, "whoami", "Covered", "Covered")
	stored := func() (policy *unstructured.Unstructured, port map[string]any) {
		t.Helper()
		policy = &unstructured.Unstructured{}
		policy.SetGroupVersionKind(ciliumv2.SchemeGroupVersion.WithKind("CiliumNetworkPolicy"))
		if err := shared.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "whoami-dapr"}, policy); err != nil {
			t.Fatal(err)
		}
		rules, _, _ := unstructured.NestedFieldNoCopy(policy.Object, "spec", "ingress")
		return policy, first(first(first(rules)["toPorts"])["ports"])
	}
	policy, port := stored()
	port["endPort"] = int64(65535)
	if err := shared.Client.Update(t.Context(), policy); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, func() error {
		if _, port := stored(); port["endPort"] != nil {
			return fmt.Errorf("ports %v are open still", port)
		}
		return nil
	})
}

// first is the first element of a list of objects.
func first(list any) map[string]any {
	elements, _ := list.([]any)
	if len(elements) == 0 {
		return nil
	}
	element, _ := elements[0].(map[string]any)
	return element
}
