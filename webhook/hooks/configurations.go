// SPDX-License-Identifier: Apache-2.0

// Package hooks is the one source of what the API server is told about daprise: the two webhook configurations, the guard of the
// companion label and the policy on daprise's own ServiceAccount. deploy/ is generated from it. It is pure.
package hooks

import (
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// Name is the name of both webhook configurations.
const Name = mesh.WebhookService

const (
	pathMutate   = "/mutate"
	pathValidate = "/validate"
	port         = 443
	// timeoutSeconds bounds what a slow or hanging replica adds to a request.
	timeoutSeconds = 5
)

// Options of Configurations.
type Options struct {
	// Annotations and Labels go on both configurations.
	Annotations map[string]string
	Labels      map[string]string
	// ExemptNamespaces are never sent to us, beside daprise's own (config file, exemptNamespaces).
	ExemptNamespaces []string
}

// hook is one row of the admission table, for mutation or validation.
type hook struct {
	name       string
	rules      []admissionregistrationv1.RuleWithOperations
	failure    admissionregistrationv1.FailurePolicyType
	conditions []admissionregistrationv1.MatchCondition
}

// Configurations are the webhook configurations with every default written out, without a caBundle: cert-manager's injector or the
// server itself writes that.
func Configurations(o Options) (*admissionregistrationv1.MutatingWebhookConfiguration, *admissionregistrationv1.ValidatingWebhookConfiguration) {
	meta := metav1.ObjectMeta{Name: Name, Annotations: o.Annotations, Labels: o.Labels}
	version := admissionregistrationv1.SchemeGroupVersion.String()
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: version, Kind: "MutatingWebhookConfiguration"},
		ObjectMeta: *meta.DeepCopy(),
	}
	for _, h := range []hook{enrolment("enrolment.mutate.daprise.dev"), routes("routes.mutate.daprise.dev")} {
		mutating.Webhooks = append(mutating.Webhooks, h.mutating(o))
	}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: version, Kind: "ValidatingWebhookConfiguration"},
		ObjectMeta: *meta.DeepCopy(),
	}
	for _, h := range []hook{
		enrolment("enrolment.validate.daprise.dev"), routes("routes.validate.daprise.dev"),
		policies("policies.validate.daprise.dev"), namespaces("namespaces.validate.daprise.dev"),
	} {
		validating.Webhooks = append(validating.Webhooks, h.validating(o))
	}
	return mutating, validating
}

// enrolment fails closed: an annotated object that nobody checked could aim a companion's identity anywhere. Objects without an
// annotation of ours, now or before, never reach us; objectSelector cannot see annotations, CEL can.
func enrolment(name string) hook {
	return hook{
		name: name,
		rules: []admissionregistrationv1.RuleWithOperations{
			rule("", "v1", changes(), "services"),
			rule("apps", "v1", changes(), "deployments"),
			rule("gateway.networking.k8s.io", "v1", changes(), "gateways"),
		},
		failure: admissionregistrationv1.Fail,
		conditions: []admissionregistrationv1.MatchCondition{{
			Name: "has-an-annotation-of-daprise",
			Expression: "[object, oldObject].exists(o, o != null && has(o.metadata.annotations) && " +
				"o.metadata.annotations.exists(key, key.startsWith('" + mesh.Prefix + "')))",
		}},
	}
}

// routes fails closed: a route that nobody checked could go past the companions, or to one that it must not use.
func routes(name string) hook {
	return hook{
		name: name,
		rules: []admissionregistrationv1.RuleWithOperations{
			rule("gateway.networking.k8s.io", "v1", changes(), "httproutes", "grpcroutes"),
		},
		failure: admissionregistrationv1.Fail,
	}
}

// policies fails open: a policy must be writable in an emergency, and deletable while a namespace goes, whether daprise is up or not.
// The controller reports what was missed.
func policies(name string) hook {
	all := append(changes(), admissionregistrationv1.Delete)
	return hook{
		name: name,
		rules: []admissionregistrationv1.RuleWithOperations{
			rule("cilium.io", "v2", all, "ciliumnetworkpolicies"),
			clusterRule("cilium.io", "v2", all, "ciliumclusterwidenetworkpolicies"),
			rule("networking.k8s.io", "v1", all, "networkpolicies"),
		},
		failure: admissionregistrationv1.Ignore,
	}
}

// namespaces fails open, for the same reason as policies.
func namespaces(name string) hook {
	return hook{
		name: name,
		rules: []admissionregistrationv1.RuleWithOperations{
			clusterRule("", "v1", []admissionregistrationv1.OperationType{admissionregistrationv1.Update}, "namespaces"),
		},
		failure: admissionregistrationv1.Ignore,
		conditions: []admissionregistrationv1.MatchCondition{{
			Name:       "labels-differ",
			Expression: "object.metadata.?labels.orValue({}) != oldObject.metadata.?labels.orValue({})",
		}},
	}
}

func changes() []admissionregistrationv1.OperationType {
	return []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update}
}

// rule is for namespaced resources, clusterRule for others.
func rule(group, version string, operations []admissionregistrationv1.OperationType, resources ...string) admissionregistrationv1.RuleWithOperations {
	scope := admissionregistrationv1.NamespacedScope
	return admissionregistrationv1.RuleWithOperations{
		Operations: operations,
		Rule: admissionregistrationv1.Rule{
			APIGroups: []string{group}, APIVersions: []string{version}, Resources: resources, Scope: &scope,
		},
	}
}

func clusterRule(group, version string, operations []admissionregistrationv1.OperationType, resources ...string) admissionregistrationv1.RuleWithOperations {
	r := rule(group, version, operations, resources...)
	scope := admissionregistrationv1.ClusterScope
	r.Scope = &scope
	return r
}

func (h hook) mutating(o Options) admissionregistrationv1.MutatingWebhook {
	return admissionregistrationv1.MutatingWebhook{
		Name:              h.name,
		ClientConfig:      clientConfig(pathMutate),
		Rules:             h.rules,
		FailurePolicy:     new(h.failure),
		MatchPolicy:       new(admissionregistrationv1.Equivalent),
		NamespaceSelector: namespaceSelector(o.ExemptNamespaces),
		ObjectSelector:    &metav1.LabelSelector{},
		SideEffects:       new(admissionregistrationv1.SideEffectClassNone),
		TimeoutSeconds:    new(int32(timeoutSeconds)),
		// Our mutation is idempotent, and a webhook after ours may have changed what it depends on.
		ReinvocationPolicy:      new(admissionregistrationv1.IfNeededReinvocationPolicy),
		AdmissionReviewVersions: []string{"v1"},
		MatchConditions:         h.conditions,
	}
}

func (h hook) validating(o Options) admissionregistrationv1.ValidatingWebhook {
	return admissionregistrationv1.ValidatingWebhook{
		Name:                    h.name,
		ClientConfig:            clientConfig(pathValidate),
		Rules:                   h.rules,
		FailurePolicy:           new(h.failure),
		MatchPolicy:             new(admissionregistrationv1.Equivalent),
		NamespaceSelector:       namespaceSelector(o.ExemptNamespaces),
		ObjectSelector:          &metav1.LabelSelector{},
		SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
		TimeoutSeconds:          new(int32(timeoutSeconds)),
		AdmissionReviewVersions: []string{"v1"},
		MatchConditions:         h.conditions,
	}
}

func clientConfig(path string) admissionregistrationv1.WebhookClientConfig {
	return admissionregistrationv1.WebhookClientConfig{
		Service: &admissionregistrationv1.ServiceReference{
			Namespace: mesh.SystemNamespace, Name: mesh.WebhookService, Path: new(path), Port: new(int32(port)),
		},
	}
}

// namespaceSelector leaves out namespaces by name and those where the platform switched admission off. The API server ignores it for
// cluster-scoped objects; for a Namespace it looks at that namespace's own labels.
func namespaceSelector(exempt []string) *metav1.LabelSelector {
	names := append(slices.Clone(exempt), mesh.SystemNamespace)
	slices.Sort(names)
	return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: mesh.LabelNamespaceName, Operator: metav1.LabelSelectorOpNotIn, Values: slices.Compact(names)},
		{Key: mesh.LabelAdmission, Operator: metav1.LabelSelectorOpNotIn, Values: []string{"disabled"}},
	}}
}
