// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/base64"
	"encoding/json"

	admissionv1 "k8s.io/api/admission/v1"
)

// encoded is an answer as JSON. Most admit, with a patch or nothing, and say no more than that; these are written without looking for fields
// that they have not.
func encoded(answer any) ([]byte, error) {
	review, ok := answer.(*admissionv1.AdmissionReview)
	if !ok || review.Request != nil || review.Response == nil {
		return json.Marshal(answer)
	}
	r := review.Response
	if !r.Allowed || r.Result != nil || len(r.Warnings) > 0 || len(r.AuditAnnotations) > 0 {
		return json.Marshal(answer)
	}
	uid, err := json.Marshal(r.UID)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, 160+len(uid)+base64.StdEncoding.EncodedLen(len(r.Patch)))
	out = append(out, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":`...)
	out = append(append(out, uid...), `,"allowed":true`...)
	if r.PatchType != nil {
		out = base64.StdEncoding.AppendEncode(append(out, `,"patch":"`...), r.Patch)
		out = append(out, `","patchType":"JSONPatch"`...)
	}
	return append(out, "}}"...), nil
}
