// SPDX-License-Identifier: Apache-2.0

package hooks

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
)

// ProofName is the name of the Service that is never stored: it is sent as a dry run to see that it is refused.
const ProofName = "daprise-proof"

// provingHook is the webhook that has to refuse it.
const provingHook = "enrolment.validate.daprise.dev"

// Proof is a Service that must be refused in any namespace that is sent to us: it asks to be enrolled and is of type ExternalName
// (DPR308). What is wrong with it is not the syntax of an annotation, so that nothing but the webhook can be what refuses it.
func Proof(namespace string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: ProofName, Annotations: map[string]string{mesh.AnnotationEnabled: "true"},
		},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: ProofName + ".invalid"},
	}
}

// errAdmitted says that the API server does not ask us.
var errAdmitted = errors.New("a Service that must be refused was admitted: the API server did not ask " + provingHook)

// Proven judges the API server's answer to the dry-run creation of Proof: nil if the webhook was asked and refused it, and otherwise what
// the answer shows instead.
func Proven(answer error) error {
	if answer == nil {
		return errAdmitted
	}
	refusal := apierrors.IsForbidden(answer) || apierrors.IsInvalid(answer)
	by := fmt.Sprintf("admission webhook %q denied the request", provingHook)
	if refusal && strings.Contains(answer.Error(), by) && strings.Contains(answer.Error(), string(mesh.CodeServiceUnfit)) {
		return nil
	}
	return fmt.Errorf("the Service that must be refused was answered otherwise than by %s: %w", provingHook, answer)
}
