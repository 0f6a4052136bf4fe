// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// GuardName is the name of the guard and its binding.
const GuardName = "daprise-companion-label"

// annotationRestarted is what kubectl rollout restart sets on a template (kubectl pkg/polymorphichelpers).
const annotationRestarted = "kubectl.kubernetes.io/restartedAt"

// serviceAccountUser is daprise's own identity at the API server.
const serviceAccountUser = "system:serviceaccount:" + mesh.SystemNamespace + ":" + mesh.WebhookService

// guarded may put the companion label on pods: daprise, and the controllers that make pods of the workloads it writes. Where
// kube-controller-manager does not use a ServiceAccount for each controller, all of them act as system:kube-controller-manager.
func guarded() []string {
	return []string{
		serviceAccountUser,
		"system:serviceaccount:kube-system:daemon-set-controller",
		"system:serviceaccount:kube-system:deployment-controller",
		"system:serviceaccount:kube-system:replicaset-controller",
		"system:kube-controller-manager",
	}
}

// metadataOfPods are the CEL expressions of every place from which a pod may get its labels: its own metadata (a Binding's labels are
// copied onto the pod that it binds, kubernetes pkg/registry/core/pod/storage), and the templates of each kind. dyn keeps the API
// server's type check from complaining that one kind lacks what another has.
func metadataOfPods(object string) []string {
	o := "dyn(" + object + ")"
	return []string{
		o + ".?metadata.?labels",
		o + ".?template.?metadata.?labels",
		o + ".?spec.?template.?metadata.?labels",
		o + ".?spec.?jobTemplate.?spec.?template.?metadata.?labels",
	}
}

// Guard keeps the label daprise.dev/companion, by which policies select companions, in daprise's hands: whoever else could set it on a
// pod would be let in wherever a companion is. The same goes for what would run beside a companion's daprd, ephemeral containers. It holds
// in every namespace, exempt ones included, and fails closed; it is evaluated by the API server itself. An update that leaves labels,
// templates and spec as they were is anyone's: garbage collection and status writers must not be stopped by it. So is kubectl rollout
// restart, which changes one annotation of a template that says nothing about who a pod is.
func Guard() (*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
	all := changes()
	policy := admissionPolicy(GuardName)
	policy.Spec.MatchConstraints.ResourceRules = []admissionregistrationv1.NamedRuleWithOperations{
		named(rule("", "v1", all, "pods", "pods/status", "pods/binding", "pods/ephemeralcontainers", "bindings", "replicationcontrollers", "podtemplates")),
		named(rule("apps", "v1", all, "deployments", "replicasets", "statefulsets", "daemonsets")),
		named(rule("batch", "v1", all, "jobs", "cronjobs")),
	}
	var carries []string
	for _, labels := range metadataOfPods("object") {
		carries = append(carries, "'"+mesh.LabelCompanion+"' in "+labels+".orValue({})")
	}
	policy.Spec.MatchConditions = []admissionregistrationv1.MatchCondition{
		{Name: "carries-the-companion-label", Expression: strings.Join(carries, " || ")},
		{Name: "is-not-unchanged", Expression: "oldObject == null || " + differs("metadata", "labels") + " || " + differs("spec") + " || " + differs("template")},
		{Name: "is-no-restart", Expression: "!(" + restarts() + ")"},
	}
	policy.Spec.Validations = []admissionregistrationv1.Validation{{
		Expression: "request.userInfo.username in " + list(guarded()),
		Message:    "the label " + mesh.LabelCompanion + " marks the companions of daprise: it may not be set by others",
		MessageExpression: "'the label " + mesh.LabelCompanion + " marks the companions of daprise, and network policies let them in by it: ' + " +
			"request.userInfo.username + ' may neither set it nor change what carries it. Remove the label; to get a companion, annotate the Service with " +
			mesh.AnnotationEnabled + "=true'",
		Reason: new(metav1.StatusReasonForbidden),
	}}
	return policy, binding(GuardName)
}

// restarts says in CEL that an update of a workload changes nothing but the annotation of kubectl rollout restart on its template.
func restarts() string {
	same := func(path, but string) string {
		within := func(object, other string) string {
			return "dyn(" + object + ")" + path + ".all(k, k == '" + but + "' || (k in dyn(" + other + ")" + path +
				" && dyn(object)" + path + "[k] == dyn(oldObject)" + path + "[k]))"
		}
		return within("object", "oldObject") + " && " + within("oldObject", "object")
	}
	const annotations = ".spec.template.metadata.?annotations.orValue({})"
	return "oldObject != null && request.kind.group == 'apps' && request.kind.kind in ['Deployment', 'DaemonSet'] && " +
		"!(" + differs("metadata", "labels") + ") && " + same(".spec", "template") + " && " + same(".spec.template", "metadata") + " && " +
		same(".spec.template.metadata", "annotations") + " && " + same(annotations, annotationRestarted)
}

// differs says in CEL that a field of the new object is not what it was in the old one.
func differs(path ...string) string {
	field := ".?" + strings.Join(path, ".?")
	return "dyn(object)" + field + " != dyn(oldObject)" + field
}

// list is a CEL list of strings.
func list(values []string) string {
	return "['" + strings.Join(values, "', '") + "']"
}

func named(r admissionregistrationv1.RuleWithOperations) admissionregistrationv1.NamedRuleWithOperations {
	return admissionregistrationv1.NamedRuleWithOperations{RuleWithOperations: r}
}

func admissionPolicy(name string) *admissionregistrationv1.ValidatingAdmissionPolicy {
	return &admissionregistrationv1.ValidatingAdmissionPolicy{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: new(admissionregistrationv1.Fail),
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{},
				ObjectSelector:    &metav1.LabelSelector{},
				MatchPolicy:       new(admissionregistrationv1.Equivalent),
			},
		},
	}
}

func binding(name string) *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
	return &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicyBinding"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        name,
			ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
}
