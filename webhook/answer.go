// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/daprise/daprise/mesh"
	"github.com/daprise/daprise/mutate"
)

const (
	// maxMessage bounds the text of a refusal, in bytes.
	maxMessage = 32 << 10
	// maxWarnings bounds all warnings of one answer, in bytes: beyond 4,096 the API server cuts each of them to 256 (k8s.io/apiserver
	// pkg/endpoints/filters/warning.go).
	maxWarnings = 4096
	// maxAudit bounds the audit annotation, in bytes.
	maxAudit = 8 << 10
)

// Keys of audit annotations; the API server puts the name of the hook and "/" in front.
const (
	auditFindings = "findings"
	auditDecision = "decision"
)

// Decisions, as they are counted and written to the audit log.
const (
	decisionAllow = "allow"
	decisionAudit = "audit"
	decisionWarn  = "warn"
	decisionDeny  = "deny"
	decisionError = "error"
)

// verdict is what a decision function says.
type verdict struct {
	patch    []jsonpatch.Operation
	findings []mesh.Finding
}

// decision is the severest of the findings, and code the first code of that severity.
func (v verdict) decision() (decision string, code mesh.Code) {
	decision = decisionAllow
	for _, f := range v.findings {
		switch {
		case f.Severity == mesh.Deny:
			return decisionDeny, f.Code
		case f.Severity == mesh.Warn && decision != decisionWarn:
			decision, code = decisionWarn, f.Code
		case f.Severity == mesh.Audit && decision == decisionAllow:
			decision, code = decisionAudit, f.Code
		}
	}
	return decision, code
}

// answer turns a verdict into the review that is sent back. It does not modify its arguments. Equal verdicts give equal bytes: the
// findings are expected in the order of mesh.SortFindings.
func answer(request *admissionv1.AdmissionRequest, v verdict) (*admissionv1.AdmissionReview, error) {
	response := &admissionv1.AdmissionResponse{
		UID:              request.UID,
		Allowed:          !mesh.Denied(v.findings),
		Warnings:         warnings(v.findings),
		AuditAnnotations: audit(v),
	}
	if !response.Allowed {
		response.Result = denial(request, v.findings)
	} else if len(v.patch) > 0 {
		patch, err := mutate.EncodePatch(v.patch)
		if err != nil {
			return nil, fmt.Errorf("encode patch: %w", err)
		}
		patchType := admissionv1.PatchTypeJSONPatch
		response.Patch, response.PatchType = patch, &patchType
	}
	return &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Response: response,
	}, nil
}

// denial is the Status of a refusal: 422 if any finding is about malformed input, else 403. kubectl prints the causes of a 422 and the
// message of a 403, so both say everything.
func denial(request *admissionv1.AdmissionRequest, findings []mesh.Finding) *metav1.Status {
	status := &metav1.Status{
		Status:  metav1.StatusFailure,
		Code:    http.StatusForbidden,
		Reason:  metav1.StatusReasonForbidden,
		Details: &metav1.StatusDetails{Group: request.Kind.Group, Kind: request.Kind.Kind, Name: objectOf(request).Name},
	}
	var denied []mesh.Finding
	for _, f := range findings {
		if f.Severity != mesh.Deny {
			continue
		}
		denied = append(denied, f)
		if f.Invalid {
			status.Code, status.Reason = http.StatusUnprocessableEntity, metav1.StatusReasonInvalid
		}
	}
	var told int
	status.Message, told = joined(denied)
	for _, f := range denied[:told] {
		cause := metav1.StatusCause{Type: metav1.CauseTypeForbidden, Field: f.Field, Message: fmt.Sprintf("%s. %s [%s]", f.Message, f.Fix, f.Code)}
		if f.Invalid {
			cause.Type = metav1.CauseTypeFieldValueInvalid
		}
		status.Details.Causes = append(status.Details.Causes, cause)
	}
	return status
}

// joined puts refusals on lines of their own, as many as fit, and says how many do not. told is how many fit.
func joined(denied []mesh.Finding) (message string, told int) {
	var b strings.Builder
	for i, f := range denied {
		text := f.Text()
		if b.Len() > 0 && b.Len()+len(text)+1 > maxMessage {
			fmt.Fprintf(&b, "\nand %d more findings", len(denied)-i)
			return b.String(), i
		}
		if b.Len() > 0 && !strings.HasSuffix(b.String(), "\n") {
			b.WriteByte('\n')
		}
		b.WriteString(cut(text, maxMessage))
	}
	return b.String(), len(denied)
}

// warnings are the short forms of warning findings, each once, as many as the API server hands on in full, then one that counts
// the rest.
func warnings(findings []mesh.Finding) []string {
	var all []string
	seen := map[string]bool{}
	for _, f := range findings {
		text := printable(f.Warning())
		if f.Severity == mesh.Warn && !seen[text] {
			seen[text] = true
			all = append(all, text)
		}
	}
	const rest = len("999999 more warnings: daprise check")
	size := 0
	for i, text := range all {
		size += len(text)
		if size > maxWarnings-rest {
			return append(all[:i:i], fmt.Sprintf("%d more warnings: daprise check", len(all)-i))
		}
	}
	return all
}

// audit are the audit annotations: the decision where there is one to speak of, and the findings of namespaces in mode audit.
func audit(v verdict) map[string]string {
	decision, _ := v.decision()
	if decision == decisionAllow {
		return nil
	}
	annotations := map[string]string{auditDecision: decision + " " + strings.Join(codes(v.findings), ",")}
	if list := silent(v.findings); len(list) > 0 {
		annotations[auditFindings] = "[" + strings.Join(list, ",") + "]"
	}
	return annotations
}

// silent are the findings of namespaces in mode audit as JSON, without the mend, as many as fit into maxAudit.
func silent(findings []mesh.Finding) []string {
	var list []string
	size := len("[]")
	for _, f := range findings {
		if f.Severity != mesh.Audit {
			continue
		}
		f.Manifest, f.Fix = "", ""
		text, err := json.Marshal(f)
		if size += len(text) + 1; err != nil || size > maxAudit {
			break
		}
		list = append(list, string(text))
	}
	return list
}

// codes are the codes of findings, each once, in their order.
func codes(findings []mesh.Finding) []string {
	var list []string
	seen := map[mesh.Code]bool{}
	for _, f := range findings {
		if !seen[f.Code] {
			seen[f.Code] = true
			list = append(list, string(f.Code))
		}
	}
	return list
}

// printable replaces what may not stand in an HTTP header: the API server drops a warning with a control character in it.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// cut shortens a text to a number of bytes without breaking a character.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit-3], "") + "..."
}
