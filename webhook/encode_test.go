// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// TestEncoded: what is written by hand is what the encoder of the standard library writes.
func TestEncoded(t *testing.T) {
	patchType := admissionv1.PatchTypeJSONPatch
	responses := map[string]*admissionv1.AdmissionResponse{
		"allowed":         {UID: "u1", Allowed: true},
		"patched":         {UID: "u1", Allowed: true, Patch: []byte(`[{"op":"add","path":"/a","value":"ü<&>"}]`), PatchType: &patchType},
		"an odd UID":      {UID: types.UID("\"\\ü<\xff\n"), Allowed: true},
		"warned":          {UID: "u1", Allowed: true, Warnings: []string{"w"}},
		"audited":         {UID: "u1", Allowed: true, AuditAnnotations: map[string]string{"decision": "audit"}},
		"refused":         {UID: "u1", Result: &metav1.Status{Message: "no"}},
		"allowed, why so": {UID: "u1", Allowed: true, Result: &metav1.Status{Message: "yes"}},
	}
	for name, response := range responses {
		t.Run(name, func(t *testing.T) {
			review := &admissionv1.AdmissionReview{
				TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"}, Response: response,
			}
			want, err := json.Marshal(review)
			if err != nil {
				t.Fatal(err)
			}
			got, err := encoded(review)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
