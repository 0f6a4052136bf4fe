// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"bytes"
	"errors"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	kjson "sigs.k8s.io/json"
)

// errMalformed marks a review that no API server sends: an HTTP 400.
var errMalformed = errors.New("malformed AdmissionReview")

// decodeReview reads an admission.k8s.io/v1 AdmissionReview and checks that it holds what its operation needs. Every error wraps
// errMalformed. The request is returned, as far as it could be read, even with an error, so that the answer can name its UID.
func decodeReview(body []byte) (*admissionv1.AdmissionRequest, error) {
	var review admissionv1.AdmissionReview
	if err := kjson.UnmarshalCaseSensitivePreserveInts(body, &review); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	if review.APIVersion != admissionv1.SchemeGroupVersion.String() || review.Kind != "AdmissionReview" {
		return review.Request, fmt.Errorf("%w: got %.64q %.64q, want %q %q", errMalformed,
			review.APIVersion, review.Kind, admissionv1.SchemeGroupVersion.String(), "AdmissionReview")
	}
	request := review.Request
	if request == nil {
		return nil, fmt.Errorf("%w: no request", errMalformed)
	}
	if request.UID == "" {
		return request, fmt.Errorf("%w: no request.uid", errMalformed)
	}
	return request, checkObjects(request)
}

// checkObjects checks that the objects of the operation are there: the new one unless it is deleted, the old one unless it is created.
func checkObjects(request *admissionv1.AdmissionRequest) error {
	switch request.Operation {
	case admissionv1.Create, admissionv1.Update, admissionv1.Delete, admissionv1.Connect:
	default:
		return fmt.Errorf("%w: unknown operation %.64q", errMalformed, request.Operation)
	}
	if (request.Operation == admissionv1.Create || request.Operation == admissionv1.Update) && absent(request.Object.Raw) {
		return fmt.Errorf("%w: %s without request.object", errMalformed, request.Operation)
	}
	if (request.Operation == admissionv1.Update || request.Operation == admissionv1.Delete) && absent(request.OldObject.Raw) {
		return fmt.Errorf("%w: %s without request.oldObject", errMalformed, request.Operation)
	}
	return nil
}

func absent(raw []byte) bool {
	raw = bytes.TrimSpace(raw)
	return len(raw) == 0 || bytes.Equal(raw, []byte("null"))
}
