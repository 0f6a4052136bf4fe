// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// AccessName is the name of the policy on ways into companions' pods, and of its binding.
const AccessName = "daprise-companion-access"

// maxGeneratedName is the length to which a name is cut before Kubernetes appends five characters to it (k8s.io/apiserver
// pkg/storage/names).
const maxGeneratedName = "58"

// Access keeps everybody out of companions' pods: who runs a program in one, or forwards a port to it, is that companion, and comes in past
// every network policy. Such a request names a pod and shows none of its labels, so the policy goes by the ServiceAccounts that daprise
// makes: each companion has one of the name that its pods' names begin with. Where no companion is, it is silent. It fails closed, and holds
// for cluster administrators, too: who has to look inside takes the binding away meanwhile.
func Access() (*admissionregistrationv1.ValidatingAdmissionPolicy, *admissionregistrationv1.ValidatingAdmissionPolicyBinding) {
	policy := admissionPolicy(AccessName)
	policy.Spec.ParamKind = &admissionregistrationv1.ParamKind{APIVersion: "v1", Kind: "ServiceAccount"}
	policy.Spec.MatchConstraints.ResourceRules = []admissionregistrationv1.NamedRuleWithOperations{
		named(rule("", "v1", []admissionregistrationv1.OperationType{admissionregistrationv1.Connect}, "pods/exec", "pods/attach", "pods/portforward")),
	}
	// A long name is cut in the middle of the companion's own.
	const begin = "(params.metadata.name + '-')"
	policy.Spec.Validations = []admissionregistrationv1.Validation{{
		Expression: "!request.name.startsWith(" + begin + ".size() > " + maxGeneratedName + " ? " + begin + ".substring(0, " + maxGeneratedName + ") : " + begin + ")",
		Message:    "pods of daprise's companions may not be entered",
		MessageExpression: "'pod ' + request.name + ' is a companion of daprise: who enters it acts as app ' + params.metadata.labels['" + mesh.LabelInstance +
			"'] + ' past every network policy. Look at kubectl logs and the metrics on its port 9090, or have a cluster administrator delete the ValidatingAdmissionPolicyBinding " +
			AccessName + " for as long as it takes'",
		Reason: new(metav1.StatusReasonForbidden),
	}}
	b := binding(AccessName)
	b.Spec.ParamRef = &admissionregistrationv1.ParamRef{
		// Without a namespace: that of the request.
		Selector:                &metav1.LabelSelector{MatchLabels: map[string]string{mesh.LabelManagedBy: mesh.ManagedByDaprise, mesh.LabelName: mesh.NameDaprShared}},
		ParameterNotFoundAction: new(admissionregistrationv1.AllowAction),
	}
	return policy, b
}
