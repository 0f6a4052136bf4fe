// SPDX-License-Identifier: Apache-2.0

package hooks_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/webhook/hooks"
)

// common is what a mutating and a validating webhook both say.
type common struct {
	Name, Path string
	Service    admissionregistrationv1.ServiceReference
	Failure    admissionregistrationv1.FailurePolicyType
	Match      admissionregistrationv1.MatchPolicyType
	Effects    admissionregistrationv1.SideEffectClass
	Timeout    int32
	Versions   []string
	Namespaces *metav1.LabelSelector
	Objects    *metav1.LabelSelector
	Conditions []admissionregistrationv1.MatchCondition
}

func all() []common {
	mutating, validating := hooks.Configurations(hooks.Options{ExemptNamespaces: []string{"kube-system", "a"}})
	var list []common
	for _, w := range mutating.Webhooks {
		list = append(list, common{
			w.Name, *w.ClientConfig.Service.Path, *w.ClientConfig.Service, *w.FailurePolicy, *w.MatchPolicy, *w.SideEffects,
			*w.TimeoutSeconds, w.AdmissionReviewVersions, w.NamespaceSelector, w.ObjectSelector, w.MatchConditions,
		})
	}
	for _, w := range validating.Webhooks {
		list = append(list, common{
			w.Name, *w.ClientConfig.Service.Path, *w.ClientConfig.Service, *w.FailurePolicy, *w.MatchPolicy, *w.SideEffects,
			*w.TimeoutSeconds, w.AdmissionReviewVersions, w.NamespaceSelector, w.ObjectSelector, w.MatchConditions,
		})
	}
	return list
}

func TestConfigurations(t *testing.T) {
	port := int32(443)
	annotated := []admissionregistrationv1.MatchCondition{{
		Name:       "has-an-annotation-of-daprise",
		Expression: "[object, oldObject].exists(o, o != null && has(o.metadata.annotations) && o.metadata.annotations.exists(key, key.startsWith('daprise.dev/')))",
	}}
	labelled := []admissionregistrationv1.MatchCondition{{
		Name:       "labels-differ",
		Expression: "object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({})",
	}}
	selector := &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "kubernetes.io/metadata.name", Operator: "NotIn", Values: []string{"a", "daprise-system", "kube-system"}},
		{Key: "daprise.dev/admission", Operator: "NotIn", Values: []string{"disabled"}},
	}}
	hook := func(name, path string, failure admissionregistrationv1.FailurePolicyType, conditions []admissionregistrationv1.MatchCondition) common {
		return common{
			Name: name, Path: path, Failure: failure, Conditions: conditions,
			Service: admissionregistrationv1.ServiceReference{Namespace: "daprise-system", Name: "daprise-webhook", Path: &path, Port: &port},
			Match:   "Equivalent", Effects: "None", Timeout: 5, Versions: []string{"v1"}, Namespaces: selector, Objects: &metav1.LabelSelector{},
		}
	}
	want := []common{
		hook("enrolment.mutate.daprise.dev", "/mutate", "Fail", annotated),
		hook("routes.mutate.daprise.dev", "/mutate", "Fail", nil),
		hook("enrolment.validate.daprise.dev", "/validate", "Fail", annotated),
		hook("routes.validate.daprise.dev", "/validate", "Fail", nil),
		hook("policies.validate.daprise.dev", "/validate", "Ignore", nil),
		hook("namespaces.validate.daprise.dev", "/validate", "Ignore", labelled),
	}
	if diff := cmp.Diff(want, all()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestRulesAreNarrow(t *testing.T) {
	mutating, validating := hooks.Configurations(hooks.Options{})
	var rules []admissionregistrationv1.RuleWithOperations
	for _, w := range mutating.Webhooks {
		rules = append(rules, w.Rules...)
		if *w.ReinvocationPolicy != admissionregistrationv1.IfNeededReinvocationPolicy {
			t.Errorf("%s: reinvocation %s", w.Name, *w.ReinvocationPolicy)
		}
	}
	for _, w := range validating.Webhooks {
		rules = append(rules, w.Rules...)
	}
	scopes := map[string]admissionregistrationv1.ScopeType{"ciliumclusterwidenetworkpolicies": "Cluster", "namespaces": "Cluster"}
	for _, r := range rules {
		for _, resource := range r.Resources {
			want := admissionregistrationv1.NamespacedScope
			if s, ok := scopes[resource]; ok {
				want = s
			}
			if *r.Scope != want {
				t.Errorf("%s: scope %s, want %s", resource, *r.Scope, want)
			}
		}
		for _, s := range append(append(append([]string{}, r.APIGroups...), r.APIVersions...), r.Resources...) {
			if s == "*" {
				t.Errorf("wildcard in %+v", r)
			}
		}
	}
}

// TestOptionsAreNotShared: two renderings must not write into each other.
func TestOptionsAreNotShared(t *testing.T) {
	options := hooks.Options{Labels: map[string]string{"a": "b"}, ExemptNamespaces: []string{"z", "a"}}
	mutating, validating := hooks.Configurations(options)
	mutating.Labels["a"] = "changed"
	if validating.Labels["a"] != "b" || options.Labels["a"] != "b" || options.ExemptNamespaces[0] != "z" {
		t.Errorf("a rendering wrote into another: %v %v", validating.Labels, options)
	}
}
