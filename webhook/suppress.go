// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/json"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admission/v1"

	"github.com/daprise/daprise/mesh"
)

// suppressed makes warnings silent that the object of the request suppresses (daprise.dev/suppress) at a time. An annotation that cannot
// be read suppresses nothing: who wrote it is told so by the check of annotations. It does not modify its arguments.
func suppressed(request *admissionv1.AdmissionRequest, findings []mesh.Finding, at time.Time) []mesh.Finding {
	if !slices.ContainsFunc(findings, func(f mesh.Finding) bool { return f.Severity == mesh.Warn }) {
		return findings
	}
	var object struct {
		Metadata struct {
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(request.Object.Raw, &object); err != nil {
		return findings
	}
	return mesh.Suppress(findings, object.Metadata.Annotations[mesh.AnnotationSuppress], at)
}
